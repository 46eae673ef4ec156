"""A pool of 20 connections, asked by as many users, or by five times as many, who wait for their turn.

Right is: no process ever has more backends than its pool has connections, and all are given back at the end.
"""

from __future__ import annotations

from locust import task

from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.database import PooledUser
from plimsoll import Step, record_run

record_run()

HOLD_S = 0.005


class DatabasePoolUser(PooledUser):
    """Borrow a connection for 5 ms, ten times a second."""

    hold_s = HOLD_S
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {"ask": ("sql.pool", "pools.borrow")}

    @task
    def ask(self) -> None:
        """Borrow a connection for a short query."""
        self.borrow(self.hold_s)
