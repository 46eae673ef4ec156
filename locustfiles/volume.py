"""Large requests: a history of over 1,000 selections, 100 new students, a report on 500 over a year.

A right answer: a full page, newest first, and `hasMore` until all are seen; all 100 created; a job that ends,
within a minute, in a report on those who were asked for.
"""

from __future__ import annotations

from locust import between, task
from locust.env import Environment

import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from locustfiles.parents import check_report
from locustfiles.school import ADMINS, SCHOOL_ID, MemberUser, remove
from plimsoll import Answer, Identifier, Step, WrongAnswerError, field, identifier, record_run, set_up

record_run()

VETERAN = 1  # the student with the long history
PAGE_SIZE = 1000
MOST_PAGES = 20
NEWCOMERS = 100
ENROLMENT_TIMEOUT_S = 30
REMOVAL_LIMIT_S = 300
REPORT_STUDENTS = 500
REPORT_DAYS = 365
REPORT_TIMEOUT_S = 60
JOB_LIMIT_S = 60
POLL_S = 0.5


@set_up(limit_s=REMOVAL_LIMIT_S)
def newcomers(environment: Environment) -> Generator[str, None, None]:
    """Yield what the addresses of this run's newcomers begin with; remove them when it has ended."""
    prefix = f"new-{uuid.uuid4().hex[:12]}-"
    volume_users = [each for each in environment.user_classes if issubclass(each, VolumeUser)]
    try:
        yield prefix
    finally:
        for host in sorted({host for each in volume_users if (host := environment.host or each.host)}):
            remove(host, ADMINS.accounts[0], prefix)


class VolumeUser(MemberUser):
    """An admin: read a whole history (6 of 10), enrol students (2), have a report made (2)."""

    wait_time = between(1, 3)
    accounts = ADMINS
    request_names: ClassVar[frozenset[str]] = frozenset(
        {
            "auth.login",
            "volume.enroll",
            "volume.history",
            "volume.report_generate",
            "volume.report_job",
        }
    )
    transaction_names: ClassVar[frozenset[str]] = frozenset({"volume.report", "volume.whole_history"})

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        # As many pages as the bundled service's veteran has, and a report that is soon there.
        "read_history": ({"volume.history": 2}, "transaction:volume.whole_history"),
        "enrol_class": ("volume.enroll",),
        "have_report_made": ("volume.report_generate", "volume.report_job", "transaction:volume.report"),
    }

    @task(6)
    def read_history(self) -> None:
        """Read a history to its end; it must be longer than a page."""
        self.account()
        with self.transaction("volume.whole_history"):
            for page in range(MOST_PAGES):
                path = (
                    f"/api/v1/students/{VETERAN}/career-history?limit={PAGE_SIZE}&offset={page * PAGE_SIZE}"
                )
                if not self.ask("volume.history", "GET", path, has_more(is_first=page == 0)):
                    break

    @task(2)
    def enrol_class(self) -> None:
        """Enrol 100 new students, who are removed after the run."""
        self.account()
        emails = [f"{newcomers.result}{uuid.uuid4().hex}@plimsoll.test" for _ in range(NEWCOMERS)]
        students = [{"email": email, "name": "Newcomer"} for email in emails]
        body = {"schoolId": SCHOOL_ID, "students": students}
        path = "/api/v1/schools/bulk-enroll"
        self.ask("volume.enroll", "POST", path, enrolled(emails), json=body, timeout_s=ENROLMENT_TIMEOUT_S)

    @task(2)
    def have_report_made(self) -> None:
        """Order a report on 500 students over a year, and ask for it until it is there."""
        self.account()
        today = datetime.now(UTC).date()
        with self.transaction("volume.report"):
            path = f"/api/v1/reports/jobs/{self.order_report(today - timedelta(days=REPORT_DAYS), today)}"
            deadline_s = time.monotonic() + JOB_LIMIT_S
            while not self.ask("volume.report_job", "GET", path, is_done(deadline_s)):
                self.pause(POLL_S)

    def order_report(self, first_day: date, last_day: date) -> Identifier:
        """Order a report and return the id of the job that makes it."""
        days = {"firstDay": first_day.isoformat(), "lastDay": last_day.isoformat()}
        body = {"studentIds": list(range(1, REPORT_STUDENTS + 1)), **days}
        return self.ask(
            "volume.report_generate",
            "POST",
            "/api/v1/reports/generate",
            lambda answer: identifier(answer.body, "jobId"),
            json=body,
            statuses=(200, 202),
            timeout_s=REPORT_TIMEOUT_S,
        )


def has_more(*, is_first: bool) -> Callable[[Answer], bool]:
    """Return a reader of a page of selections that tells whether there are more."""

    def read(answer: Answer) -> bool:
        selections, more = field(answer.body, "selections", list), field(answer.body, "hasMore", bool)
        if is_first and not more:
            raise WrongAnswerError(f"the history ends within {PAGE_SIZE} selections")
        if more and len(selections) != PAGE_SIZE:
            raise WrongAnswerError(f"a page before the last has not {PAGE_SIZE} selections")
        if len({identifier(selection, "sessionId") for selection in selections}) < len(selections):
            raise WrongAnswerError("got the same selection more than once")
        starts = [datetime.fromisoformat(field(selection, "startedAt", str)) for selection in selections]
        if starts != sorted(starts, reverse=True):
            raise WrongAnswerError("the selections are not in order, newest first")
        return more

    return read


def enrolled(emails: list[str]) -> Callable[[Answer], None]:
    """Return a check that exactly these students were created."""

    def check(answer: Answer) -> None:
        if field(answer.body, "created", int) != len(emails):
            raise WrongAnswerError(f"'created' is not {len(emails)}")
        created = [field(student, "email", str) for student in field(answer.body, "students", list)]
        if sorted(created) != sorted(emails):
            raise WrongAnswerError("'students' are not those that were to be enrolled")

    return check


def is_done(deadline_s: float) -> Callable[[Answer], bool]:
    """Return a reader of a job that tells whether its report is there; past the deadline it must be."""

    def read(answer: Answer) -> bool:
        status = field(answer.body, "status", str)
        if status == "done":
            check_report(field(answer.body, "result", dict), list(range(1, REPORT_STUDENTS + 1)))
            return True
        if status not in {"queued", "running"}:
            raise WrongAnswerError("the job failed" if status == "failed" else "'status' is none of a job's")
        if time.monotonic() > deadline_s:
            raise WrongAnswerError(f"the job has not ended within {JOB_LIMIT_S} s")
        return False

    return read
