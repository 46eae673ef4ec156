"""Rooms in which what one member says is heard by all."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

QUEUE_LENGTH = 64
"""Messages kept for a member that is slow to take them."""


class Member:
    """Somebody in a room, and the messages that wait; of too many the oldest are dropped and counted."""

    def __init__(self, *, hears_itself: bool) -> None:
        self.hears_itself = hears_itself
        self._waiting: deque[str] = deque(maxlen=QUEUE_LENGTH)
        self._dropped = 0
        self._arrived = asyncio.Event()

    def offer(self, text: str) -> None:
        """Leave a message, which takes no time however slow the member is."""
        if len(self._waiting) == QUEUE_LENGTH:
            self._dropped += 1
        self._waiting.append(text)
        self._arrived.set()

    async def take(self) -> str:
        """Wait for the next message; where some were dropped, the next one says how many."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        if self._dropped:
            count, self._dropped = self._dropped, 0
            return json.dumps({"type": "dropped", "count": count})
        return self._waiting.popleft()


class Rooms:
    """All rooms of this process; a room is there while somebody is in it."""

    def __init__(self) -> None:
        self._members: defaultdict[str, set[Member]] = defaultdict(set)

    @contextmanager
    def joined(self, room: str, *, hears_itself: bool) -> Iterator[Member]:
        """Be in the room for the length of the block."""
        member = Member(hears_itself=hears_itself)
        self._members[room].add(member)
        try:
            yield member
        finally:
            self._members[room].remove(member)
            if not self._members[room]:
                del self._members[room]

    def say(self, room: str, speaker: Member, text: str) -> None:
        """Leave the text with everybody in the room; with the speaker too when he hears himself."""
        for member in self._members[room]:
            if member is not speaker or member.hears_itself:
                member.offer(text)
