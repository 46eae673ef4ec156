"""A locustfile of users who visit a single page, and a search for how many of them a second it can take."""

from __future__ import annotations

from locust import constant, task

from typing import ClassVar

from plimsoll import record_run
from plimsoll.users.http import LeanHttpUser
from tests.small_search import SmallSearchShape

__all__ = ["SmallSearchShape", "Visitor"]

record_run()


class Visitor(LeanHttpUser):
    """A user of one request."""

    wait_time = constant(1)
    request_names: ClassVar[frozenset[str]] = frozenset({"queue.visit"})

    @task
    def visit(self) -> None:
        """Wait for one's turn."""
        self.client.get("/", name="queue.visit")
