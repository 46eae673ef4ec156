"""Timeouts: every second statement would take longer than it may; after it another asks the same session.

Right is: the server ends it at its limit by 57014, and the connection is usable after.
"""

from __future__ import annotations

from locust import task
from locust.env import Environment

from collections.abc import Mapping, Sequence
from itertools import cycle
from time import perf_counter
from typing import ClassVar

from locustfiles.database import DatabaseUser
from plimsoll import Queries, SqlError, Step, record_run, sql_request_names

record_run()

LIMIT_S, SLOW_S = 0.2, 2.0
SLACK_S = 0.8
CANCELED = "57014"


class TimeoutsUser(DatabaseUser):
    """Ask in turn what takes 2 s, where 0.2 s are allowed, and what takes no time."""

    statement_timeout_s = LIMIT_S
    queries = Queries(
        {
            "timeouts.slow": "SELECT 1 FROM pg_sleep(%(seconds)s)",
            "timeouts.fast": "SELECT pg_backend_pid()",
        }
    )
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    metric_names: ClassVar[frozenset[str]] = frozenset({"timeouts.enforced", "timeouts.usable_after"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "take_too_long": (
            *("timeouts.fast", "timeouts.slow", LIMIT_S / 2, "timeouts.fast"),
            *({"timeouts.enforced": 0.5}, "timeouts.usable_after"),
        ),
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.durations_s = cycle((SLOW_S, 0.0))

    @task
    def take_too_long(self) -> None:
        """Be ended by the server, or not, and go on in the same session."""
        ((before,),) = self.sql.run("timeouts.fast")
        duration_s, began_s, is_ended = next(self.durations_s), perf_counter(), False
        try:
            self.sql.run("timeouts.slow", seconds=duration_s)
        except SqlError as error:
            is_ended = error.sqlstate == CANCELED
        if duration_s:
            self.rate("timeouts.enforced", is_ended and perf_counter() - began_s < LIMIT_S + SLACK_S)
        ((after,),) = self.sql.run("timeouts.fast")
        self.rate("timeouts.usable_after", after == before)
