"""Users of a pool, who note which backend each of them had and when, to prove that it kept its size."""

from __future__ import annotations

from locust.env import Environment

import os
import socket
from typing import Any, ClassVar

from psycopg import Connection

from locustfiles.database._database import DatabaseUser, proven, sessions_left
from plimsoll import Queries, sql_request_names

POOLS = "plimsoll-pool"
BORROW = """
    WITH busy AS MATERIALIZED (SELECT clock_timestamp() AS began, pg_sleep(%(hold_s)s))
    INSERT INTO load.borrows (pool, size, backend, began, ended)
    SELECT %(pool)s, %(size)s, pg_backend_pid(), began, clock_timestamp() FROM busy
"""


class PooledUser(DatabaseUser):
    """A user that borrows a connection of a pool; a subclass says of which size and for how long."""

    abstract = True
    application_name = POOLS
    pool_size = proven_size = 20
    queries = Queries({"pools.borrow": BORROW})
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    metric_names: ClassVar[frozenset[str]] = frozenset({"pools.size", "pools.idle", "pools.waiting"})

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.pool = f"{type(self).__name__} on {socket.gethostname()}:{os.getpid()}"

    def borrow(self, hold_s: float) -> None:
        """Keep a connection busy for a while, and note which and when."""
        self.sql.run(
            "pools.borrow",
            hold_s=hold_s,
            pool=self.pool,
            size=self.pool_size or self.proven_size,
        )

    def sample_pool(self) -> None:
        """Record how many connections there are, how many are idle, and how many users wait."""
        stats = self.pool_stats()
        self.gauge("pools.size", stats.size)
        self.gauge("pools.idle", stats.idle)
        self.gauge("pools.waiting", stats.waiting)


@proven("no pool is over its size")
def no_pool_is_over_its_size(connection: Connection[Any]) -> str:
    """Say which pool had more backends at work at once than its size.

    One after the other it may have more: the connection of a user who is stopped is replaced.
    """
    found = connection.execute("""
        WITH steps AS (
            SELECT pool, size, began AS at, 1 AS step FROM load.borrows
            UNION ALL SELECT pool, size, ended, -1 FROM load.borrows
        ), busy AS (
            SELECT pool, size, sum(step) OVER (PARTITION BY pool ORDER BY at, step) AS n FROM steps
        )
        SELECT pool, size, max(n) FROM busy
        GROUP BY pool, size HAVING max(n) > size ORDER BY pool LIMIT 1
    """).fetchone()
    return f"the pool {found[0]} of {found[1]} had {found[2]} backends at once" if found else ""


@proven("no connection of a pool is checked out")
def no_connection_is_checked_out(connection: Connection[Any]) -> str:
    """Say how many connections of pools still work, or are in a transaction."""
    left = sessions_left(connection, POOLS, idle=False)
    return f"{left} connections are still checked out" if left else ""
