"""Parents: look at the dashboard of their children, and read a report on one of them.

A right answer: children with a percentage within 0–100, a report on the child that was asked for whose months
add up to what the child chose, and no report on a child of somebody else (403).
"""

from __future__ import annotations

from locust import between, task

import random
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from locustfiles.school import PARENTS, MemberUser
from plimsoll import Answer, Identifier, Step, WrongAnswerError, field, filled, identifier, record_run

record_run()

STRANGERS_CHILD_SHARE = 0.05
THINK_TIME_S = (1, 3)
# Bigger than any child's number that a service gives out soon.
STRANGERS_CHILD = 999_999_999


class ParentsUser(MemberUser):
    """Look at the dashboard, think, read a report; 5 % then ask for a stranger's child, which is refused."""

    wait_time = between(2, 5)
    accounts = PARENTS
    request_names: ClassVar[frozenset[str]] = frozenset(
        {"auth.login", "parents.dashboard", "parents.report", "parents.report_refused"}
    )
    transaction_names: ClassVar[frozenset[str]] = frozenset({"parents.evening"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "spend_evening": (
            *("parents.dashboard", THINK_TIME_S, "parents.report", "transaction:parents.evening"),
            {"parents.report_refused": STRANGERS_CHILD_SHARE},
        )
    }

    @task
    def spend_evening(self) -> None:
        """Look at all children and read a report on one; 5 % try that of a stranger's child."""
        self.account()
        with self.transaction("parents.evening"):
            children = self.ask("parents.dashboard", "GET", "/api/v1/parents/dashboard", children_of)
            self.pause(*THINK_TIME_S)
            child = random.choice(children)
            body = {"studentId": child}
            self.ask("parents.report", "POST", "/api/v1/parents/reports", report_on([child]), json=body)
        if random.random() < STRANGERS_CHILD_SHARE:
            body = {"studentId": STRANGERS_CHILD}
            self.refused("parents.report_refused", "POST", "/api/v1/parents/reports", 403, json=body)


def children_of(answer: Answer) -> list[Identifier]:
    """Read the children's ids, of whom there must be some, each once and with its figures."""
    children = filled(answer.body, "children", list)
    for child in children:
        if not 0 <= field(child, "percentage", float) <= 100:
            raise WrongAnswerError("'percentage' is outside 0–100")
        field(child, "recentSessions", list)
    child_ids = [identifier(child, "studentId") for child in children]
    if len(set(child_ids)) < len(child_ids):
        raise WrongAnswerError("got the same child more than once")
    return child_ids


def report_on(student_ids: list[Identifier]) -> Callable[[Answer], None]:
    """Return a check that the answer is a report on exactly these students."""
    return lambda answer: check_report(answer.body, student_ids)


def check_report(report: object, student_ids: list[Identifier]) -> None:
    """Check that a report is on exactly these students, in any order, and that its months add up."""
    students, months = field(report, "students", list), field(report, "months", list)
    if sorted(str(identifier(student, "studentId")) for student in students) != sorted(map(str, student_ids)):
        raise WrongAnswerError("the report is not on the students that were asked for")
    for figure in ("selections", "answers"):
        by_student = sum(field(student, figure, int) for student in students)
        if sum(field(month, figure, int) for month in months) != by_student:
            raise WrongAnswerError(f"the months' {figure!r} do not add up to the students'")
