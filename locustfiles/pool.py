"""The service's pool of database connections, with more requests at once than connections.

A right answer: products as a shop visitor gets them, and a pool that has no more free connections than it has
connections. Its size and who waits are gauges, `pool.size` and `pool.waiting`.
"""

from __future__ import annotations

from locust import constant, task

from collections.abc import Mapping, Sequence
from typing import ClassVar

from plimsoll import Answer, ApiUser, Step, WrongAnswerError, field, filled, record_run

record_run()


class PoolUser(ApiUser):
    """Request products (9 of 10) and the state of the pool (1 of 10), without think time."""

    wait_time = constant(0)
    request_names: ClassVar[frozenset[str]] = frozenset({"pool.borrow", "pool.status"})
    metric_names: ClassVar[frozenset[str]] = frozenset({"pool.size", "pool.waiting"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "borrow": ("pool.borrow",),
        "look_at_pool": ("pool.status", "pool.size", "pool.waiting"),
    }

    @task(9)
    def borrow(self) -> None:
        """Have the service ask its database."""
        self.ask("pool.borrow", "GET", "/api/products", lambda answer: filled(answer.body, "data", list))

    @task(1)
    def look_at_pool(self) -> None:
        """Note how many connections there are, and how many requests wait for one."""
        size, waiting = self.ask("pool.status", "GET", "/api/v1/status", pool_state)
        self.gauge("pool.size", size)
        self.gauge("pool.waiting", waiting)


def pool_state(answer: Answer) -> tuple[int, int]:
    """Read the size of the pool and how many wait; no more can be free than there are."""
    pool = field(answer.body, "pool", dict)
    size, available, waiting = (field(pool, key, int) for key in ("size", "available", "waiting"))
    if not 0 <= available <= size:
        raise WrongAnswerError("'available' is not within 'size'")
    if waiting < 0:
        raise WrongAnswerError("'waiting' is below 0")
    return size, waiting
