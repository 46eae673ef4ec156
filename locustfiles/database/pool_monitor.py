"""A pool of 20 connections watched: each borrowed for 0.1 s with 0.05 s between, its state sampled each time.

Right is: no process ever has more backends than its pool has connections; idle ones are seen, and who waits.
"""

from __future__ import annotations

from locust import constant, task

from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.database import PooledUser
from plimsoll import Step, record_run

record_run()

HOLD_S = 0.1


class PoolMonitorUser(PooledUser):
    """Look at the pool, borrow a connection for 0.1 s, and look at the pool again."""

    wait_time = constant(0.05)
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "borrow_watched": ("sql.pool", "pools.borrow", "pools.size", "pools.idle", "pools.waiting"),
    }

    @task
    def borrow_watched(self) -> None:
        """Borrow a connection, and sample how many there are, are idle, and are waited for."""
        self.sample_pool()
        self.borrow(HOLD_S)
        self.sample_pool()
