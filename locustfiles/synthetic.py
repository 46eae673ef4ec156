"""Synthetic checks: a student's login flow every 5 minutes, the health of the API every minute.

One user each, so two users in all. The login flow may take 10 s, an answer of the health check 500 ms; that
the scenarios are available, over 99.9 % of the times, is for the thresholds to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.careers import content_questions, fresh_pool, judged_as, opened_session
from locustfiles.school import STUDENTS, MemberUser, health_of
from plimsoll import Answer, ScheduledCheckUser, Step, WrongAnswerError, filled, record_run, within

record_run()

ACTIVITIES = 3
HEALTH_LIMIT_MS = 500


class SyntheticLoginUser(MemberUser, ScheduledCheckUser):
    """Sign in as a student, choose the first career that is offered, and do three activities."""

    scenario = "synthetic.login_flow"
    every_s, limit_s = 300.0, 10.0
    accounts = STUDENTS
    request_names: ClassVar[frozenset[str]] = frozenset(
        {
            "auth.login",
            "synthetic.activity",
            "synthetic.content",
            "synthetic.navigate",
            "synthetic.pool",
            "synthetic.select",
        }
    )
    metric_names: ClassVar[frozenset[str]] = frozenset({"synthetic.login_flow.available"})
    transaction_names: ClassVar[frozenset[str]] = frozenset(
        {
            "synthetic.login_flow",
            "synthetic.login_flow/activities",
            "synthetic.login_flow/login",
            "synthetic.login_flow/navigate",
            "synthetic.login_flow/select",
        }
    )

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "play_and_tell": (
            *("synthetic.navigate", "auth.login", "synthetic.pool", "synthetic.select", "synthetic.content"),
            {"synthetic.activity": ACTIVITIES},
            *(f"transaction:{name}" for name in sorted(transaction_names)),
            "synthetic.login_flow.available",
        )
    }

    def play(self) -> None:
        """Navigate, log in, select career 0, do three activities."""
        with self.step("navigate"):
            self.ask("synthetic.navigate", "GET", "/login", html_page, anonymous=True)
        with self.step("login"):
            student_id = self.sign_in(self.credentials).student_id
        with self.step("select"):
            path = f"/api/v1/students/{student_id}/careers"
            offered = self.ask(
                "synthetic.pool", "GET", f"{path}/pool", lambda answer: fresh_pool(answer, set())
            )
            session_id = self.ask(
                "synthetic.select", "POST", f"{path}/select", opened_session, json={"careerId": offered[0]}
            )
        with self.step("activities"):
            path = f"/api/v1/sessions/{session_id}"
            questions = self.ask("synthetic.content", "GET", f"{path}/content", content_questions)
            for question in questions[:ACTIVITIES]:
                body = {"type": "answer", "data": {"questionId": question.id, "answer": question.answer}}
                self.ask(
                    "synthetic.activity",
                    "POST",
                    f"{path}/interact",
                    lambda answer: judged_as(answer, right=True),
                    json=body,
                )


class SyntheticHealthUser(ScheduledCheckUser):
    """Check the health of the service and the status of its API."""

    scenario = "synthetic.api_health"
    every_s, limit_s = 60.0, 2 * HEALTH_LIMIT_MS / 1000
    request_names: ClassVar[frozenset[str]] = frozenset({"synthetic.health", "synthetic.status"})
    metric_names: ClassVar[frozenset[str]] = frozenset({"synthetic.api_health.available"})
    transaction_names: ClassVar[frozenset[str]] = frozenset(
        {"synthetic.api_health", "synthetic.api_health/health", "synthetic.api_health/status"}
    )

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "play_and_tell": (
            *("synthetic.health", "synthetic.status"),
            *(f"transaction:{name}" for name in sorted(transaction_names)),
            "synthetic.api_health.available",
        )
    }

    def play(self) -> None:
        """Ask both, each within 500 ms."""
        with self.step("health"):
            self.ask("synthetic.health", "GET", "/health", within(HEALTH_LIMIT_MS, health_of), anonymous=True)
        with self.step("status"):
            path = "/api/v1/status"
            self.ask("synthetic.status", "GET", path, within(HEALTH_LIMIT_MS, with_status), anonymous=True)


def html_page(answer: Answer) -> None:
    """Check that it is a page for people."""
    if not str(answer.headers.get("Content-Type")).startswith("text/html"):
        raise WrongAnswerError("header Content-Type does not say text/html")


def with_status(answer: Answer) -> None:
    """Check that the service tells its status."""
    filled(answer.body, "status", str)
