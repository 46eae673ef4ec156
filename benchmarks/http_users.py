"""The Locust users of the HTTP benchmarks: one request and one check of its answer, over and over.

A user of another class makes one request and then waits, with its connection open. Whichever gets a wrong
answer ends its run at once, which the benchmark notices.
"""

from locust import FastHttpUser, HttpUser, User, constant, task

from typing import Any

from benchmarks.http_server import BODY
from plimsoll.users.http import LeanHttpUser

_IDLE_S = 3600


class Checking(User):
    """What all of these users do."""

    abstract = True
    client: Any

    @task
    def home(self) -> None:
        """Get the page and look at its status and its text."""
        with self.client.get("/", catch_response=True) as response:
            if response.status_code != 200 or BODY not in response.text:
                response.failure(response.error or "wrong answer")
                self.environment.runner.quit()


class Requests(Checking, HttpUser):
    """A user of Locust's HttpUser."""


class Fast(Checking, FastHttpUser):
    """A user of Locust's FastHttpUser."""


class Lean(Checking, LeanHttpUser):
    """A user of this suite's client."""


class FastIdle(Fast):
    """A user who has made one request."""

    wait_time = constant(_IDLE_S)


class LeanIdle(Lean):
    """A user who has made one request."""

    wait_time = constant(_IDLE_S)
