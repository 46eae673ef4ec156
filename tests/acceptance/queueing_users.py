"""A locustfile of users who visit a single page, and a search for how many of them a second it can take."""

from __future__ import annotations

from locust import constant, task

from typing import ClassVar

from clients.http import LeanHttpUser
from shapes import _search_shape
from shapes.step_search import StepSearch
from telemetry.switch import record_run

record_run()


class Visitor(LeanHttpUser):
    """A user of one request."""

    wait_time = constant(1)
    request_names: ClassVar[frozenset[str]] = frozenset({"queue.visit"})

    @task
    def visit(self) -> None:
        """Wait for one's turn."""
        self.client.get("/", name="queue.visit")


class SmallSearchShape(_search_shape.SearchShape):
    """40 a second, then 80, then between them until the gap is 40 %: three steps."""

    search = StepSearch(
        first_rate=40,
        factor=2,
        most_rate=160,
        resolution=0.4,
        step_s=8,
        rest_s=1,
        most_steps=6,
        most_users=200,
    )
    schedule = search.climb()
