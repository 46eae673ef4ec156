"""Session leaks: each operation has a session of its own, also one that fails and those of a batch.

Right is: when the users have stopped, the server has no session of theirs left, and no transaction open.
"""

from __future__ import annotations

from locust import task
from locust.env import Environment

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any, ClassVar

import psutil
from psycopg import Connection

from locustfiles.database import DatabaseUser, proven, sessions_left
from plimsoll import Queries, SqlError, Step, record_run, sql_request_names

record_run()

SESSIONS = "plimsoll-sessions"
BATCH = 10
MIB = 2**20


class SessionsUser(DatabaseUser):
    """Ask in a session of its own (6 of 10), fail in a transaction (3), or ask ten times in a row (1)."""

    application_name = SESSIONS
    queries = Queries(
        {
            "sessions.ask": "SELECT count(*) FROM load.items",
            "sessions.fail": "SELECT 1 / %(divisor)s::integer",
        }
    )
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names("sessions.failing")
    metric_names: ClassVar[frozenset[str]] = frozenset({"sessions.rss_mib"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "ask": ("sql.connect", "sessions.ask"),
        "fail": (
            *("sql.connect", "sessions.ask", "sessions.fail", "sessions.failing"),
            {"sessions.failing.commit": 0.5},
        ),
        "ask_in_batches": ({"sql.connect": BATCH, "sessions.ask": BATCH}, "sessions.rss_mib"),
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.divisors = cycle((0, 1))

    def end_session(self) -> None:
        """Close the session, which the next call opens anew."""
        self.sql.close()

    @task(6)
    def ask(self) -> None:
        """Open a session, ask, and close it."""
        self.sql.run("sessions.ask")
        self.end_session()

    @task(3)
    def fail(self) -> None:
        """Fail in every second transaction by a division by zero, and close the session all the same."""
        divisor = next(self.divisors)
        with suppress(SqlError), self.sql.transaction("sessions.failing"):
            self.sql.run("sessions.ask")
            self.sql.run("sessions.fail", divisor=divisor)
        self.end_session()

    @task(1)
    def ask_in_batches(self) -> None:
        """Open and close ten sessions one after the other, then look at the memory of this process."""
        for _ in range(BATCH):
            self.sql.run("sessions.ask")
            self.end_session()
        self.gauge("sessions.rss_mib", psutil.Process().memory_info().rss / MIB)


@proven("no session is left")
def no_session_is_left(connection: Connection[Any]) -> str:
    """Say how many sessions of these users the server still has."""
    left = sessions_left(connection, SESSIONS, idle=True)
    return f"{left} sessions are left" if left else ""
