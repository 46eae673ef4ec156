"""Users with a constant pacing: each iteration has an intended start, which a slow service does not move."""

from __future__ import annotations

from locust import TaskSet, User, constant_pacing
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

# constant_throughput is made of it too.
_PACED_CODE = constant_pacing(1).__code__


class Paced:
    """Iterations start one pacing after the other from the first; after a stall the user catches up."""

    def __init__(self) -> None:
        self._intended_s = 0.0
        self._due_s: float | None = None

    def begin(self, user: User) -> float | None:  # noqa: ARG002 - asked as of any starts
        """Return how late it is; the first iteration, or one that follows without a wait, is not."""
        now_s = perf_counter()
        self._intended_s, self._due_s = now_s if self._due_s is None else self._due_s, None
        return now_s - self._intended_s

    def rest(self, task_set: TaskSet, wait: Callable[[TaskSet], None]) -> None:
        """Wait until the next iteration is due."""
        has_own = getattr(task_set.wait_time, "__func__", None) is not TaskSet.wait_time
        seconds = pacing_s(task_set.wait_time if has_own else task_set.user.wait_time)
        if seconds is None:
            wait(task_set)
            return
        user, self._due_s = task_set.user, self._intended_s + seconds
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_WAITING
        task_set._sleep(max(0.0, self._due_s - perf_counter()))
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_RUNNING


def is_paced(classes: Iterable[Any]) -> bool:
    """Return whether one of these user classes, or of the TaskSets within them, has a constant pacing."""
    return any(
        pacing_s(candidate.wait_time) is not None
        or is_paced(task for task in candidate.tasks if isinstance(task, type))
        for candidate in classes
    )


def pacing_s(wait_time: Callable[..., Any] | None) -> float | None:
    """Return the seconds of a `constant_pacing` or `constant_throughput`, None for any other wait time."""
    function: Any = getattr(wait_time, "__func__", wait_time)
    if getattr(function, "__code__", None) is not _PACED_CODE:
        return None
    return float(function.__closure__[0].cell_contents)
