"""Reports on what students chose and answered over a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from service.database import Session
from service.errors import InvalidInputError, NotFoundError

DEFAULT_LENGTH = timedelta(days=365)


@dataclass(frozen=True)
class Period:
    """Days a report covers, both included."""

    first_day: date
    last_day: date

    def of(self, student_ids: Sequence[int]) -> dict[str, object]:
        """Return the parameters of a report on these students, fit for JSON."""
        return {
            "student_ids": [*student_ids],
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
        }


def period_until_today(first_day: date | None, last_day: date | None) -> Period:
    """Fill in what was not given: a year that ends today.

    Raises:
        InvalidInputError: the first day comes after the last.
    """
    last_day = last_day or datetime.now(UTC).date()
    first_day = first_day or last_day - DEFAULT_LENGTH
    if first_day > last_day:
        raise InvalidInputError(
            "a report's first day must not come after its last",
            {"firstDay": first_day.isoformat(), "lastDay": last_day.isoformat()},
        )
    return Period(first_day, last_day)


async def build_report(session: Session, parameters: Mapping[str, object]) -> bytes:
    """Return the report on `student_ids` from `first_day` to `last_day` as JSON.

    Raises:
        NotFoundError: some of the students do not exist; names them.
    """
    row = await session.fetch_row("find_unknown_students", parameters)
    if row is not None and row[0]:
        unknown = ", ".join(map(str, row[0]))
        raise NotFoundError(f"there are no such students: {unknown}", {"studentIds": row[0]})
    report = await session.fetch_json("build_report", parameters)
    assert report is not None
    return report
