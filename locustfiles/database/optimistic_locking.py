"""Optimistic locking: 50 users change 10 rows, each only where it is still of the version that was read.

Right is: a row's value is the number of its changes. A change that finds another version is a conflict and is
tried again after min(100·2^n, 1000) ms, five times in all; who then gives up has changed nothing.
"""

from __future__ import annotations

import gevent
from locust import task

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from psycopg import Connection

from locustfiles.database import ITEMS, DatabaseUser, proven, value_of
from plimsoll import Queries, Retry, Step, record_run, sql_request_names

record_run()

BACK_OFF = Retry(max_tries=5, first_delay_s=0.1, max_delay_s=1.0)
READ = "SELECT version, value FROM load.items WHERE id = %(id)s"
CHANGE = """
    WITH changed AS (
        UPDATE load.items SET value = %(value)s, version = version + 1
        WHERE id = %(id)s AND version = %(version)s RETURNING id
    )
    INSERT INTO load.updates (item_id) SELECT id FROM changed RETURNING id
"""


class OptimisticLockingUser(DatabaseUser):
    """Read one of ten rows and change it at once, until its version is still the one that was read."""

    queries = Queries({"locking.read": READ, "locking.change": CHANGE})
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    metric_names: ClassVar[frozenset[str]] = frozenset({"locking.conflict", "locking.given_up"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "change": ("locking.read", "locking.change", "locking.conflict"),
    }

    @task
    def change(self) -> None:
        """Add one to the value of a row."""
        item = random.randint(1, ITEMS)
        for delay_s in (*BACK_OFF.delays_s(), None):
            ((version, value),) = self.sql.run("locking.read", id=item)
            changed = self.sql.run("locking.change", id=item, version=version, value=value + 1)
            self.rate("locking.conflict", not changed)
            if changed:
                return
            if delay_s is not None:
                gevent.sleep(delay_s)
        self.count("locking.given_up")


@proven("no update is lost")
def no_update_is_lost(connection: Connection[Any]) -> str:
    """Say how many changes the rows do not have."""
    lost = value_of(
        connection, "SELECT (SELECT count(*) FROM load.updates) - (SELECT sum(value) FROM load.items)"
    )
    return f"{lost} updates of load.items are lost" if lost else ""
