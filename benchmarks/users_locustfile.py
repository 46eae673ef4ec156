"""The users of users.py: a request every 20 to 60 s by this suite's client, recorded and judged."""

from locust import task
from locust.env import Environment

import math
import os
import random
from itertools import cycle

from benchmarks.http_server import BODY
from plimsoll import record_run
from plimsoll.users.http import LeanHttpUser

LEAST_WAIT_S, MOST_WAIT_S = 20.0, 60.0

# The users take the servers in turn.
_urls = cycle(os.environ.get("SERVERS", "").split())


class Waiting(LeanHttpUser):
    """A user with long think times."""

    def __init__(self, environment: Environment) -> None:
        self.host = next(_urls)
        self._is_new = True
        super().__init__(environment)

    def wait_time(self) -> float:
        """Wait for 20 to 60 s, and at first for the rest of such a wait, as after being there for long.

        So the rate is that of its users from the start, without waves: the first wait has the density
        (1 - F(x)) / mean, which is that of a random part of a wait drawn with a weight of its length.
        """
        if not self._is_new:
            return random.uniform(LEAST_WAIT_S, MOST_WAIT_S)
        self._is_new = False
        weighted_s = math.sqrt(LEAST_WAIT_S**2 + random.random() * (MOST_WAIT_S**2 - LEAST_WAIT_S**2))
        return random.random() * weighted_s

    @task
    def home(self) -> None:
        """Get the page and look at its status and its text."""
        with self.client.get("/", name="home", catch_response=True) as response:
            if response.status_code != 200 or BODY not in (response.text or ""):
                response.failure(response.error or "wrong answer")


record_run()
