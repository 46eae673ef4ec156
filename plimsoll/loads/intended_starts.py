"""Users who begin each iteration at its intended start: when an arrival comes for them, or by a pacing.

An iteration is one run of a task function, also within nested TaskSets.
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

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Protocol

from plimsoll.context import current_context
from plimsoll.loads.idle_users import Due, IdleUserPool
from plimsoll.locust_internals import is_stopping, pacing_s, waiting

# How a task says on purpose what is to come next; it has ended as it should.
_ORDERLY_ENDS = (RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet, StopUser, StopTest)


def iteration_name(user_class: type, task: object) -> str:
    """Return the name of the iterations of a task."""
    return f"{user_class.__name__}.{getattr(task, '__name__', 'task')}"


def is_paced(classes: Iterable[Any]) -> bool:
    """Return whether one of these user classes, or of the TaskSets within them, has a constant pacing."""
    return any(
        pacing_s(candidate.wait_time) is not None
        or is_paced(task for task in candidate.tasks if isinstance(task, type))
        for candidate in classes
    )


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
        self._due_s = self._intended_s + seconds
        with waiting(task_set.user):
            gevent.sleep(max(0.0, self._due_s - perf_counter()))


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
        if is_stopping(task_set.user):
            raise StopUser

    def _next_arrival(self, user: User) -> Due:
        turn, run_callback = gevent.hub.Waiter(), gevent.get_hub().loop.run_callback
        with waiting(user):
            waiter = self._pool.wait(type(user), lambda: run_callback(turn.switch, None))
            try:
                turn.get()
            except BaseException:
                self._pool.give_up(waiter)
                raise
        assert waiter.arrival is not None
        return waiter.arrival


class UserRegistry:
    """Starts the iterations of a process's users as intended; *pool* has the arrivals of an open load."""

    def __init__(self, pool: IdleUserPool | None = None) -> None:
        self._pool = pool
        # Users who have come as far as their first iteration.
        self.present = 0
        # Users who have come in the place of others, and not so far yet.
        self.replacing: set[User] = set()
        self._starts: dict[User, Starts] = {}

    def register(self, user: User) -> Starts:
        """Return what decides about this user's starts, until its greenlet ends."""
        pool, user_class = self._pool, type(user)
        starts: Starts = Unscheduled()
        if pool is None:
            starts = Paced() if is_paced([user_class]) else starts
        elif not user_class.fixed_count:  # so many at a pace of their own are no part of the arrivals
            starts = Arriving(pool)
            pool.join(user_class)
        self.present += 1
        self.replacing.discard(user)
        self._starts[user] = starts

        def leave(_: object) -> None:
            self.present -= 1
            del self._starts[user]
            if pool is not None and isinstance(starts, Arriving):
                pool.leave(user_class)

        user.greenlet.rawlink(leave)
        return starts

    def execute(self, task_set: TaskSet, task: Any, execute: Callable[[TaskSet], None]) -> None:
        """Execute a task as an iteration that starts when it is intended to."""
        if isinstance(task, type):  # within a TaskSet are the iterations
            execute(task_set)
            return
        user = task_set.user
        starts = self._starts.get(user) or self.register(user)
        delay_s = starts.begin(user)
        if delay_s is None:
            execute(task_set)
            return
        try:
            _execute_iteration(task_set, iteration_name(type(user), task), delay_s, execute)
        except StopUser:
            if isinstance(starts, Arriving) and not is_stopping(user):
                self._replace(user)
            raise

    def wait(self, task_set: TaskSet, wait: Callable[[TaskSet], None]) -> None:
        """Wait between two iterations."""
        starts = self._starts.get(task_set.user)
        if starts is None:  # before the first it is the journey's own
            wait(task_set)
        else:
            starts.rest(task_set, wait)

    def _replace(self, user: User) -> None:
        """Have another user come for one who ends its iteration and itself, as soon as that has gone.

        Users of an open load are what arrivals take, and one who has been taken is not one less: Locust
        itself would have none in its place before its number of users changes.
        """

        def spawn_another() -> None:
            runner = user.environment.runner
            is_running = runner is not None and runner.state in {STATE_SPAWNING, STATE_RUNNING}
            # As many as Locust wants may be there again: it counts the missing ones when it adds users.
            if runner is None or not is_running or runner.user_count >= runner.target_user_count:
                return
            for another in runner.spawn_users({type(user).__name__: 1}):
                self.replacing.add(another)
                another.greenlet.rawlink(lambda _, another=another: self.replacing.discard(another))

        user.greenlet.rawlink(lambda _: gevent.spawn(spawn_another))


def _execute_iteration(
    task_set: TaskSet, name: str, delay_s: float, execute: Callable[[TaskSet], None]
) -> None:
    context = current_context()
    iteration = context.begin_iteration(name, delay_s)
    is_cut_off = True
    try:
        execute(task_set)
        is_cut_off = False
    except _ORDERLY_ENDS:
        is_cut_off = False
        raise
    except Exception:
        iteration.failed, is_cut_off = True, False
        raise
    finally:
        context.end_iteration(cut_off=is_cut_off)
