"""Users who begin each iteration at its intended start: when an arrival comes for them, or by a pacing.

An iteration is one run of a task function, also within nested TaskSets. Locust's TaskSet is wrapped once at
the two places that decide when the next task begins; without a schedule both do what they always did.
"""

from __future__ import annotations

import gevent
import gevent.hub
from locust import TaskSet, User
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any, Protocol

from plimsoll.loads.idle_users import Due, IdleUserPool
from plimsoll.loads.iterations import ITERATIONS, iteration_name, watch_spawns
from plimsoll.loads.pacing import Paced, is_paced

# How a task says on purpose what is to come next; it has ended as it should.
_ORDERLY_ENDS = (RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet, StopUser, StopTest)

_execute_next_task = TaskSet.execute_next_task
_wait = TaskSet.wait


class Starts(Protocol):
    """What decides when the iterations of one user start."""

    def begin(self, user: User) -> float | None:
        """Wait for the next start and return the seconds that it is late; None where it has no schedule."""

    def rest(self, task_set: TaskSet, wait: Callable[[TaskSet], None]) -> None:
        """Do between two iterations what is due there; *wait* waits for the user's own wait time."""


class Unscheduled:
    """Iterations start as Locust has them."""

    def begin(self, user: User) -> float | None:  # noqa: ARG002 - asked as of any starts
        """Return None."""
        return None

    def rest(self, task_set: TaskSet, wait: Callable[[TaskSet], None]) -> None:
        """Wait for the user's own wait time."""
        wait(task_set)


class Arriving:
    """Iterations start when an arrival comes for the user, who is free in between."""

    def __init__(self, pool: IdleUserPool) -> None:
        self._pool = pool

    def begin(self, user: User) -> float | None:
        """Wait for an arrival."""
        arrival = self._pool.take(type(user)) or self._next_arrival(user)
        return perf_counter() - arrival.intended_s

    def rest(
        self,
        task_set: TaskSet,
        wait: Callable[[TaskSet], None],  # noqa: ARG002 - asked as of any starts
    ) -> None:
        """Be idle at once: the schedule says when the next arrival comes, not the wait time."""
        if task_set.user._state == LOCUST_STATE_STOPPING:
            raise StopUser

    def _next_arrival(self, user: User) -> Due:
        turn, run_callback = gevent.hub.Waiter(), gevent.get_hub().loop.run_callback
        waiter = self._pool.wait(type(user), lambda: run_callback(turn.switch, None))
        user._state = LOCUST_STATE_WAITING
        try:
            turn.get()
        except BaseException:
            self._pool.give_up(waiter)
            raise
        user._state = LOCUST_STATE_RUNNING
        assert waiter.arrival is not None
        return waiter.arrival


class UserRegistry:
    """Admits the users of this process to their iterations; *pool* has the arrivals, if they are in force."""

    def __init__(self) -> None:
        self.pool: IdleUserPool | None = None
        # Users who have come as far as their first iteration.
        self.present = 0
        # Users who have come in the place of others, and not so far yet.
        self.replacing: set[User] = set()

    def register(self, user: User) -> Starts:
        """Return what decides about this user's starts, until its greenlet ends."""
        pool, user_class = self.pool, type(user)
        self.present += 1
        self.replacing.discard(user)
        user.greenlet.rawlink(self._leave)
        if pool is None:
            return Paced() if is_paced([user_class]) else Unscheduled()
        if user_class.fixed_count:
            # So many users of a class, at a pace of their own: they are no part of the arrivals.
            return Unscheduled()
        pool.join(user_class)
        user.greenlet.rawlink(lambda _: pool.leave(user_class))
        return Arriving(pool)

    def replace(self, user: User) -> None:
        """Have another user come for one who ends its iteration and itself, as soon as that has gone.

        Users of an open load are what arrivals take, and one who has been taken is not one less: Locust
        itself would have none in its place before its number of users changes.
        """
        user.greenlet.rawlink(lambda _: gevent.spawn(self._spawn_another, user))

    def _spawn_another(self, user: User) -> None:
        runner = user.environment.runner
        is_running = runner is not None and runner.state in {STATE_SPAWNING, STATE_RUNNING}
        # As many as Locust wants may be there again: it counts who is missing when it adds users.
        if runner is None or not is_running or runner.user_count >= runner.target_user_count:
            return
        for another in runner.spawn_users({type(user).__name__: 1}):
            self.replacing.add(another)
            another.greenlet.rawlink(lambda _, another=another: self.replacing.discard(another))

    def _leave(self, _: object) -> None:
        self.present -= 1


USERS = UserRegistry()


@cache
def watch_task_sets() -> None:
    """Have every TaskSet begin its tasks at their intended starts; calling it again is fine.

    Earlier wrappers, such as the recorder's for the tags of tasks, stay in place.
    """
    global _execute_next_task, _wait
    _execute_next_task, _wait = TaskSet.execute_next_task, TaskSet.wait
    watch_spawns()
    TaskSet.execute_next_task = _execute_when_intended  # type: ignore[method-assign]
    TaskSet.wait = _wait_as_intended  # type: ignore[method-assign]


def _execute_when_intended(self: TaskSet) -> None:
    task = self._task_queue[0]
    if not ITERATIONS.is_scheduled or isinstance(task, type):  # within a TaskSet are the iterations
        _execute_next_task(self)
        return
    user: Any = self.user
    starts: Starts | None = getattr(user, "plimsoll_starts", None)
    if starts is None:
        starts = user.plimsoll_starts = USERS.register(user)
    delay_s = starts.begin(user)
    if delay_s is None:
        _execute_next_task(self)
        return
    try:
        _execute_counted(self, iteration_name(type(user), task), delay_s)
    except StopUser:
        if isinstance(starts, Arriving) and user._state != LOCUST_STATE_STOPPING:
            USERS.replace(user)
        raise


def _execute_counted(task_set: TaskSet, name: str, delay_s: float) -> None:
    iteration = ITERATIONS.start(delay_s)
    try:
        _execute_next_task(task_set)
    except _ORDERLY_ENDS:
        ITERATIONS.end(iteration, type(task_set.user), name)
        raise
    except Exception:
        iteration.failed = True
        ITERATIONS.end(iteration, type(task_set.user), name)
        raise
    except BaseException:
        ITERATIONS.end(iteration, type(task_set.user), name, cut_off=True)
        raise
    ITERATIONS.end(iteration, type(task_set.user), name)


def _wait_as_intended(self: TaskSet) -> None:
    # A wait within a task, or before the first, is the journey's own.
    starts: Starts | None = getattr(self.user, "plimsoll_starts", None)
    if starts is None or ITERATIONS.is_under_way():
        _wait(self)
    else:
        starts.rest(self, _wait)
