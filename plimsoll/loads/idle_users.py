"""Idle users, first come first served, and arrivals that are due before any user is idle.

Pure: the callers bring the time, and wake the users.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple


class Due(NamedTuple):
    """An arrival that is due, and when that was noticed; both on the caller's clock."""

    intended_s: float
    noticed_s: float


class Waiter:
    """An idle user who waits for an arrival; *wake* is called when it has come."""

    __slots__ = ("arrival", "is_given_up", "queue", "wake")

    def __init__(self, queue: ClassQueue, wake: Callable[[], object]) -> None:
        self.queue, self.wake = queue, wake
        self.arrival: Due | None = None
        self.is_given_up = False


class ClassQueue:
    """The users of one class: who is idle, and what is due for them."""

    __slots__ = ("credit", "due", "free", "free_count", "users")

    def __init__(self) -> None:
        self.users = self.free_count = self.credit = 0
        self.free: deque[Waiter] = deque()
        self.due: deque[Due] = deque()


class IdleUserPool:
    """Gives each arrival to the user of its class who has been free for longest, or keeps it until one is.

    An arrival's class is drawn in proportion to the users of each: Locust gives workers their users by its
    weights, so all workers together keep to the weights, also where one of them has users of one class only.
    """

    def __init__(self) -> None:
        self._queues: dict[type, ClassQueue] = {}
        # Due before there was a user of any class.
        self._unassigned: deque[Due] = deque()

    def join(self, user_class: type) -> None:
        """Count a user who will take arrivals from now on."""
        self._queues.setdefault(user_class, ClassQueue()).users += 1

    def leave(self, user_class: type) -> None:
        """Count a user less."""
        self._queues[user_class].users -= 1

    def take(self, user_class: type) -> Due | None:
        """Return the oldest arrival that is due for a user of this class, None where there is none."""
        if self._unassigned:
            return self._unassigned.popleft()
        due = self._queues[user_class].due
        return due.popleft() if due else None

    def wait(self, user_class: type, wake: Callable[[], object]) -> Waiter:
        """Put a free user last in the queue of its class."""
        queue = self._queues[user_class]
        waiter = Waiter(queue, wake)
        queue.free.append(waiter)
        queue.free_count += 1
        return waiter

    def give_up(self, waiter: Waiter) -> None:
        """Withdraw a user who ends; an arrival that it was given goes to the next one."""
        if waiter.arrival is None:
            waiter.is_given_up = True
            waiter.queue.free_count -= 1
        else:
            self._give(waiter.queue, waiter.arrival)

    def arrive(self, intended_s: float, now_s: float) -> None:
        """Give an arrival that is due to a free user, or keep it until one is."""
        queue = self._next_queue()
        if queue is None:
            self._unassigned.append(Due(intended_s, now_s))
        else:
            self._give(queue, Due(intended_s, now_s))

    def skip_draws(self, draws: int) -> None:
        """Begin further on in the sequence of classes, so that not all workers begin with the same class."""
        for _ in range(draws):
            self._next_queue()

    def drop(self, noticed_before_s: float) -> int:
        """Forget the arrivals that have been due since before a moment, and return how many they were."""
        dropped = 0
        for due in self._due_queues():
            while due and due[0].noticed_s < noticed_before_s:
                due.popleft()
                dropped += 1
        return dropped

    def oldest_noticed_s(self) -> float | None:
        """Return since when the arrival that has waited for longest is due, None where none waits."""
        return min((due[0].noticed_s for due in self._due_queues() if due), default=None)

    @property
    def busy(self) -> int:
        """Users who have an arrival and are not free again yet."""
        return sum(queue.users - queue.free_count for queue in self._queues.values())

    @property
    def users(self) -> int:
        """Users who take arrivals."""
        return sum(queue.users for queue in self._queues.values())

    @property
    def needed_users(self) -> int:
        """Users it takes to have all that is due and under way at once.

        Locust adds users of all classes by their weights, so the class that is shortest of users decides.
        """
        users = self.users
        shares = (
            (queue.users - queue.free_count + len(queue.due)) / queue.users
            for queue in self._queues.values()
            if queue.users
        )
        return round(users * max(shares, default=0)) + len(self._unassigned)

    def _give(self, queue: ClassQueue, arrival: Due) -> None:
        free = queue.free
        while free:
            waiter = free.popleft()
            if not waiter.is_given_up:
                queue.free_count -= 1
                waiter.arrival = arrival
                waiter.wake()
                return
        queue.due.append(arrival)

    def _next_queue(self) -> ClassQueue | None:
        """Return the class that is furthest behind its share, None without users."""
        best, users = None, 0
        for queue in self._queues.values():
            users += queue.users
            queue.credit += queue.users
            if queue.users and (best is None or queue.credit > best.credit):
                best = queue
        if best is not None:
            best.credit -= users
        return best

    def _due_queues(self) -> list[deque[Due]]:
        return [self._unassigned, *(queue.due for queue in self._queues.values())]
