"""Who a virtual user is: one of the numbered test users of the service, of whom no two users are the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NamedTuple

from plimsoll.data import Feeder
from plimsoll.data.deck import Way

SEEDED_PASSWORD = "plimsoll"  # noqa: S105 - the published password of seeded test users, no secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """An email and its password, which stays out of every printed form."""

    email: str
    password: str = field(default=SEEDED_PASSWORD, repr=False)


class Identity(NamedTuple):
    """The number of a test user, and what it signs in with."""

    number: int
    credentials: Credentials


class Numbers:
    """The numbers of all test users of one kind, from 1 to *size*, which may grow before a run."""

    is_fixed = False

    def __init__(self, kind: str, size: int) -> None:
        self.name = f"test users: {kind}"
        self.size = size

    def read(self) -> range:
        """Return the numbers."""
        return range(1, self.size + 1)


class Roster:
    """The test users of one kind: `student-000001@plimsoll.test` up to number *seeded*, and more if enrolled.

    Those who are enrolled for a load have addresses and a password of their own for each seed, so that a
    later run with the same seed finds them again.
    """

    def __init__(self, kind: str, seeded: int, way: Way = "unique") -> None:
        if seeded < 1:
            raise ValueError(f"roster {kind!r}: seeded must be at least 1, got {seeded!r}")
        self.kind = kind
        self.seeded = seeded
        self._numbers = Numbers(kind, seeded)
        self._feeder: Feeder[int] = Feeder(self._numbers, way)

    def grow(self, size: int) -> None:
        """Have so many test users in the next run, but never fewer than were seeded."""
        self._numbers.size = max(self.seeded, size)

    def deal(self, seed: str) -> Identity:
        """Return a test user that no other user is, unless the roster is circular.

        Raises:
            FeederExhausted: there are none left; the user ends.
        """
        number = self._feeder.next()
        return Identity(number, self.credentials(number, seed))

    def give_back(self, identity: Identity) -> None:
        """Take back who a user was that has ended, for a later one of this process."""
        self._feeder.give_back(identity.number)

    def credentials(self, number: int, seed: str) -> Credentials:
        """Return what the test user with this number signs in with."""
        if number <= self.seeded:
            return Credentials(f"{self.kind}-{number:06d}@plimsoll.test")
        password = hashlib.sha256(f"plimsoll {self.kind} {seed}".encode()).hexdigest()[:32]
        return Credentials(f"{self.kind}-{number:06d}-seed{seed}@plimsoll.test", password)
