"""Reports on what students chose and answered in a period: built at once, or by jobs in a queue.

The queue is in PostgreSQL: jobs survive the service, and several services may work off one queue.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from service.authentication import Account, AdminAccount, CurrentAccount
from service.database import Database, Session
from service.errors import ApiError, ForbiddenError, InvalidInputError, NotFoundError, UnavailableError
from service.routing import BodyId, Day, Id, errors, json_answer, resolve

router = APIRouter(prefix="/api/v1", tags=["schools"])

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
    """Return the period between two days; by default a year that ends today.

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


POLL_S = 0.5
"""How soon a job is noticed that another service has added or left behind."""
MAX_ATTEMPTS = 3
LOGGER = logging.getLogger(__name__)


class Jobs:
    """The queue: takes jobs, reports their state, and performs them one after another."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._added = asyncio.Event()

    async def add(self, account: Account, parameters: Mapping[str, object]) -> bytes:
        """Queue a job and return it as JSON."""
        row = {"user_id": account.user_id, "parameters": json.dumps(parameters)}
        job = await self._database.fetch_json("add_job", row)
        assert job is not None
        self._added.set()
        return job

    async def get(self, account: Account, job_id: int) -> bytes:
        """Return a job as JSON: queued, running, done with its `result`, or failed with its `error`."""
        row = await self._database.fetch_row("get_job_requester", {"job_id": job_id})
        if row is None:
            raise NotFoundError("there is no such job", {"jobId": job_id})
        if account.role != "admin" and account.user_id != row[0]:
            raise ForbiddenError("this job belongs to somebody else")
        job = await self._database.fetch_json("get_job", {"job_id": job_id})
        assert job is not None
        return job

    @asynccontextmanager
    async def worked_off(self) -> AsyncIterator[None]:
        """Work off the queue for the length of the block; the next worker takes over an unfinished job."""
        worker = asyncio.create_task(self._work())
        try:
            yield
        finally:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    async def _work(self) -> None:
        while True:
            self._added.clear()
            try:
                while await self._perform_next():
                    pass
            except UnavailableError:
                pass  # asked again after the next pause
            except Exception:
                LOGGER.exception("the job queue waits")  # the worker must outlive any error
            with suppress(TimeoutError):
                await asyncio.wait_for(self._added.wait(), POLL_S)

    async def _perform_next(self) -> bool:
        """Perform the oldest job that no other worker has taken; return whether there was one."""
        # One connection for all of it: a job once claimed does not wait for another.
        async with self._database.session() as session:
            claimed = await session.fetch_row("claim_job")
            if claimed is None:
                return False
            job_id, attempts = claimed
            if attempts > MAX_ATTEMPTS:
                await _fail(session, job_id, f"given up: {MAX_ATTEMPTS} workers died of it")
                return True
            try:
                # The lock shows other workers that somebody works on the job, and ends with this process.
                async with session.transaction():
                    row = await session.fetch_row("lock_job", {"job_id": job_id})
                    if row is not None:
                        report = await build_report(session, row[0])
                        await session.execute("finish_job", {"job_id": job_id, "result": report.decode()})
            except UnavailableError:
                raise
            except ApiError as error:
                await _fail(session, job_id, error.message)
            except Exception:
                # A job that breaks must end, or it would be taken up for ever.
                LOGGER.exception("job %d failed", job_id)
                await _fail(session, job_id, "the service failed; its log says why")
            return True


async def _fail(session: Session, job_id: int, error: str) -> None:
    await session.execute("fail_job", {"job_id": job_id, "error": error})


class ReportOrder(BaseModel):
    """Whom and what time a report is to cover; the last year when no days are given."""

    studentIds: list[BodyId] = Field(min_length=1, max_length=1000)  # noqa: N815 - the name on the wire
    firstDay: Day | None = None  # noqa: N815 - the name on the wire
    lastDay: Day | None = None  # noqa: N815 - the name on the wire


@router.post(
    "/reports/generate",
    summary="Order a report on many students",
    status_code=202,
    responses=errors(400, 401, 403, 422),
)
async def generate_report(request: Request, account: AdminAccount, order: ReportOrder) -> Response:
    """Answer 202 with the `jobId` to ask for; a report on students that do not exist fails there."""
    period = period_until_today(order.firstDay, order.lastDay)
    return json_answer(await resolve(request, Jobs).add(account, period.of(order.studentIds)), 202)


@router.get("/reports/jobs/{job_id}", summary="How a report is doing", responses=errors(401, 403, 404))
async def get_report_job(request: Request, account: CurrentAccount, job_id: Id) -> Response:
    """Answer `status`: queued, running, done with the report as `result`, or failed with its `error`."""
    return json_answer(await resolve(request, Jobs).get(account, job_id))
