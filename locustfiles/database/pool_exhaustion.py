"""A pool of 5 connections that is too small, and whose connections are replaced after 2 s.

Right is: users queue and are served, at most 5 backends work at once, also while connections are replaced.
"""

from __future__ import annotations

from locust import task

from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.database import PooledUser
from plimsoll import Step, record_run

record_run()

HOLD_S = 0.1


class PoolExhaustionUser(PooledUser):
    """Borrow one of 5 connections for 0.1 s, with 0.1 s between."""

    pool_size = 5
    max_lifetime_s = 2.0
    # With 25 users each waits for some 0.5 s.
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "queue": (0.4, "sql.pool", "pools.borrow", "pools.size", "pools.idle", "pools.waiting"),
    }

    @task
    def queue(self) -> None:
        """Wait for a connection, and use it."""
        self.borrow(HOLD_S)
        self.sample_pool()
