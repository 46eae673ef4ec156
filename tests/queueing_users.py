"""A locustfile of users who visit a single page, and a search for how many of them a second it can take."""

from __future__ import annotations

from locust import constant, task

from typing import ClassVar

from plimsoll import SearchShape, record_run
from plimsoll.users.http import LeanHttpUser

record_run()


class Visitor(LeanHttpUser):
    """A user of one request."""

    wait_time = constant(1)
    request_names: ClassVar[frozenset[str]] = frozenset({"queue.visit"})

    @task
    def visit(self) -> None:
        """Wait for one's turn."""
        self.client.get("/", name="queue.visit")


class SmallSearchShape(SearchShape):
    """40 a second, then 80, then between them until the gap is 40 %: three steps, where none stays open."""

    first_rate = 40
    factor = 2
    max_rate = 160
    resolution = 0.4
    step_s = 20
    rest_s = 1
    max_steps = 6
    max_users = 200
