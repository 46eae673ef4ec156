"""A student's morning: sign in, open the dashboard, choose a career and begin to learn, as one transaction.

The way is measured whole, as `morning.flow`, and step by step: login < 3 s, dashboard < 2 s, selection
< 500 ms, content < 2 s. A right answer is what it is in `careers.py`.
"""

from __future__ import annotations

from locust import between, task
from locust.env import Environment

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.careers import about_student, content_questions, fresh_pool, opened_session
from locustfiles.school import STUDENTS, MemberUser
from plimsoll import Identifier, Step, record_run

record_run()


class MorningUser(MemberUser):
    """Repeat the transaction, each time with a new login."""

    wait_time = between(1, 3)
    accounts = STUDENTS
    request_names: ClassVar[frozenset[str]] = frozenset(
        {"auth.login", "morning.content", "morning.dashboard", "morning.pool", "morning.select"}
    )
    transaction_names: ClassVar[frozenset[str]] = frozenset({"morning.flow"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "arrive": (
            *("auth.login", "morning.dashboard", "morning.pool", "morning.select", "morning.content"),
            "transaction:morning.flow",
        )
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.chosen: set[Identifier] = set()  # a run is shorter than five days

    @task
    def arrive(self) -> None:
        """Take the four steps; the first that fails ends the morning, and the transaction fails."""
        with self.transaction("morning.flow"):
            student_id = self.sign_in(self.credentials).student_id
            self.ask("morning.dashboard", "GET", "/api/v1/students/dashboard", about_student(student_id))
            session_id = self.choose_career(f"/api/v1/students/{student_id}/careers")
            self.ask("morning.content", "GET", f"/api/v1/sessions/{session_id}/content", content_questions)

    def choose_career(self, path: str) -> Identifier:
        """Choose one of the careers that are offered, and return the session it opens."""
        offered = self.ask(
            "morning.pool", "GET", f"{path}/pool", lambda answer: fresh_pool(answer, self.chosen)
        )
        career_id = random.choice(offered)
        session_id = self.ask(
            "morning.select", "POST", f"{path}/select", opened_session, json={"careerId": career_id}
        )
        self.chosen.add(career_id)
        return session_id
