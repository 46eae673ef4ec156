"""A locustfile of users who visit a single page, and a search for how many of them a second it can take."""

from __future__ import annotations

from locust import constant, task

from typing import ClassVar

from plimsoll.loads import search_shape
from plimsoll.users.http import LeanHttpUser
from telemetry.switch import record_run
from tests.acceptance.small_search import SEARCH

record_run()


class Visitor(LeanHttpUser):
    """A user of one request."""

    wait_time = constant(1)
    request_names: ClassVar[frozenset[str]] = frozenset({"queue.visit"})

    @task
    def visit(self) -> None:
        """Wait for one's turn."""
        self.client.get("/", name="queue.visit")


class SmallSearchShape(search_shape.SearchShape):
    """Look for the capacity of the service."""

    search = SEARCH
    schedule = search.climb()
