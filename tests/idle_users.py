"""A locustfile of users who are merely there, so that a run shows nothing but its load."""

from __future__ import annotations

from locust import User, constant, task

from plimsoll import record_run

record_run()


class IdleUser(User):
    """A user who does nothing."""

    wait_time = constant(0.5)

    @task
    def rest(self) -> None:
        """Do nothing."""
