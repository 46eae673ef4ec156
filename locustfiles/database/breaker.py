"""Circuit breaker: for the first 10 s of each minute everything takes too long, and is ended by its timeout.

Right is: the breaker opens after 5 failures in a row, lets one try after 30 s, and closes when that succeeds.
"""

from __future__ import annotations

from locust import task
from locust.env import Environment

from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import ClassVar

from locustfiles.database import DatabaseUser
from plimsoll import Breaker, Queries, SqlError, Step, record_run, sql_request_names

record_run()

OUTAGE_S, PERIOD_S = 10.0, 60.0
LIMIT_S, SLOW_S = 0.2, 2.0
STATES = ("sql.breaker_open", "sql.breaker_half_open", "sql.breaker_closed")


class BreakerUser(DatabaseUser):
    """Ask for what takes no time, or in an outage too long, through a breaker."""

    statement_timeout_s = LIMIT_S
    retry = None
    breaker = Breaker(max_failures=5, open_s=30.0)
    queries = Queries({"breaker.ask": "SELECT 1 FROM pg_sleep(%(seconds)s)"})
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    metric_names: ClassVar[frozenset[str]] = frozenset(STATES)
    # Each state is entered about once in a minute, which has some 600 calls of a user.
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "ask": ("breaker.ask", dict.fromkeys(STATES, 0.0002)),
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.began_s = monotonic()

    @task
    def ask(self) -> None:
        """Ask, whether there is an outage or not."""
        is_outage = (monotonic() - self.began_s) % PERIOD_S < OUTAGE_S
        with suppress(SqlError):
            self.sql.run("breaker.ask", seconds=SLOW_S if is_outage else 0.0)
