"""Where arrivals meet users: users who are free, first come first served, and arrivals due before any is.

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


class Place:
    """A free user who waits for an arrival; *wake* is called when it has come."""

    __slots__ = ("arrival", "is_given_up", "lane", "wake")

    def __init__(self, lane: Lane, wake: Callable[[], object]) -> None:
        self.lane, self.wake = lane, wake
        self.arrival: Due | None = None
        self.is_given_up = False


class Lane:
    """The users of one class: who is free, and what is due for them."""

    __slots__ = ("credit", "due", "free", "free_count", "users")

    def __init__(self) -> None:
        self.users = self.free_count = self.credit = 0
        self.free: deque[Place] = deque()
        self.due: deque[Due] = deque()


class WaitingRoom:
    """Gives each arrival to the user of its class who has been free for longest, or keeps it until one is.

    An arrival's class is drawn in proportion to the users of each: Locust gives workers their users by its
    weights, so all workers together keep to the weights, also where one of them has users of one class only.
    """

    def __init__(self) -> None:
        self._lanes: dict[type, Lane] = {}
        # Due before there was a user of any class.
        self._unassigned: deque[Due] = deque()

    def join(self, user_class: type) -> None:
        """Count a user who will take arrivals from now on."""
        self._lanes.setdefault(user_class, Lane()).users += 1

    def leave(self, user_class: type) -> None:
        """Count a user less."""
        self._lanes[user_class].users -= 1

    def take(self, user_class: type) -> Due | None:
        """Return the oldest arrival that is due for a user of this class, None where there is none."""
        if self._unassigned:
            return self._unassigned.popleft()
        due = self._lanes[user_class].due
        return due.popleft() if due else None

    def wait(self, user_class: type, wake: Callable[[], object]) -> Place:
        """Put a free user last in the queue of its class."""
        lane = self._lanes[user_class]
        place = Place(lane, wake)
        lane.free.append(place)
        lane.free_count += 1
        return place

    def give_up(self, place: Place) -> None:
        """Take back the place of a user who ends; an arrival that it was given goes to the next one."""
        if place.arrival is None:
            place.is_given_up = True
            place.lane.free_count -= 1
        else:
            self._give(place.lane, place.arrival)

    def arrive(self, intended_s: float, now_s: float) -> None:
        """Give an arrival that is due to a free user, or keep it until one is."""
        lane = self._next_lane()
        if lane is None:
            self._unassigned.append(Due(intended_s, now_s))
        else:
            self._give(lane, Due(intended_s, now_s))

    def skip_draws(self, draws: int) -> None:
        """Begin further on in the sequence of classes, so that not all workers begin with the same class."""
        for _ in range(draws):
            self._next_lane()

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
        return sum(lane.users - lane.free_count for lane in self._lanes.values())

    @property
    def users(self) -> int:
        """Users who take arrivals."""
        return sum(lane.users for lane in self._lanes.values())

    @property
    def needed_users(self) -> int:
        """Users it takes to have all that is due and under way at once.

        Locust adds users of all classes by their weights, so the class that is shortest of users decides.
        """
        users = self.users
        shares = (
            (lane.users - lane.free_count + len(lane.due)) / lane.users
            for lane in self._lanes.values()
            if lane.users
        )
        return round(users * max(shares, default=0)) + len(self._unassigned)

    def _give(self, lane: Lane, arrival: Due) -> None:
        free = lane.free
        while free:
            place = free.popleft()
            if not place.is_given_up:
                lane.free_count -= 1
                place.arrival = arrival
                place.wake()
                return
        lane.due.append(arrival)

    def _next_lane(self) -> Lane | None:
        """Return the class that is furthest behind its share, None without users."""
        best, users = None, 0
        for lane in self._lanes.values():
            users += lane.users
            lane.credit += lane.users
            if lane.users and (best is None or lane.credit > best.credit):
                best = lane
        if best is not None:
            best.credit -= users
        return best

    def _due_queues(self) -> list[deque[Due]]:
        return [self._unassigned, *(lane.due for lane in self._lanes.values())]
