"""Iterations that have an intended start: how late they start, how many never do, and how long they take.

Shapes tell this object, the recorder asks it; neither knows the other.
"""

from __future__ import annotations

from gevent import Greenlet, getcurrent

import math
import time
from functools import cache
from typing import Protocol

LATE_S = 0.010


def iteration_name(user_class: type, task: object) -> str:
    """Return the name of the iterations of a task."""
    return f"{user_class.__name__}.{getattr(task, '__name__', 'task')}"


class IterationListener(Protocol):
    """Keeps iterations with an intended start; the times are those of time.monotonic."""

    def __call__(
        self,
        user_class: type,
        name: str,
        intended_s: float,
        started_s: float,
        ended_s: float,
        *,
        failed: bool,
        cut_off: bool,
    ) -> None:
        """Take one iteration that has ended, by itself or cut off; *name* is its user class and task."""


class Iteration:
    """One iteration under way."""

    __slots__ = ("delay_s", "failed", "start_delay_ms", "started_s")

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.start_delay_ms = delay_s * 1000
        self.started_s = time.monotonic()
        self.failed = False


@cache
def watch_spawns() -> None:
    """Have every greenlet that an iteration spawns, to ask for several at once, be of that iteration.

    It stays so however long the greenlet lives. Calling this again changes nothing.
    """
    Greenlet.add_spawn_callback(_inherit)


def _inherit(spawned: Greenlet) -> None:
    spawned.plimsoll_iteration = _current()


def _current() -> Iteration | None:
    """Return the iteration of the current greenlet, None outside of any."""
    iteration: Iteration | None = getattr(getcurrent(), "plimsoll_iteration", None)
    return iteration


class Iterations:
    """The scheduled iterations of this process; the counts only ever grow."""

    def __init__(self) -> None:
        self.is_scheduled = False
        self.started = self.late = self.dropped = 0
        self._listeners: list[IterationListener] = []

    def consume_start_delay_ms(self) -> float:
        """Return to the first request how late the current iteration started, to any other 0.0.

        Without a schedule it is NaN.
        """
        if not self.is_scheduled:
            return math.nan
        iteration = _current()
        if iteration is None:
            return 0.0
        delay_ms, iteration.start_delay_ms = iteration.start_delay_ms, 0.0
        return delay_ms

    def peek_start_delay_ms(self) -> float:
        """Return what `consume_start_delay_ms` would, and leave it to the first request."""
        if not self.is_scheduled:
            return math.nan
        iteration = _current()
        return 0.0 if iteration is None else iteration.start_delay_ms

    def is_under_way(self) -> bool:
        """Return whether the current greenlet is in an iteration."""
        return _current() is not None

    def add_listener(self, listener: IterationListener) -> None:
        """Tell *listener* of every iteration that ends from now on."""
        self._listeners.append(listener)

    def remove_listener(self, listener: IterationListener) -> None:
        """Tell *listener* no more."""
        self._listeners.remove(listener)

    def start(self, delay_s: float) -> Iteration:
        """Begin an iteration of the current greenlet, *delay_s* seconds after its intended start."""
        self.started += 1
        if delay_s > LATE_S:
            self.late += 1
        iteration = Iteration(delay_s)
        getcurrent().plimsoll_iteration = iteration
        return iteration

    def fail(self) -> None:
        """Note that something went wrong in the current iteration, if there is one."""
        iteration = _current()
        if iteration is not None:
            iteration.failed = True

    def end(self, iteration: Iteration, user_class: type, name: str, *, cut_off: bool = False) -> None:
        """Tell the listeners that the current greenlet's iteration has come to its end, or was cut off."""
        getcurrent().plimsoll_iteration = None
        started_s = iteration.started_s
        for listener in self._listeners:
            listener(
                user_class,
                name,
                started_s - iteration.delay_s,
                started_s,
                time.monotonic(),
                failed=iteration.failed,
                cut_off=cut_off,
            )

    def drop(self, arrivals: int) -> None:
        """Count arrivals that will never start."""
        self.dropped += arrivals


ITERATIONS = Iterations()
