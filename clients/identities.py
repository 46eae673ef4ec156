"""Who a virtual user is: the numbered test users the service was seeded with, dealt out one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

SEEDED_PASSWORD = "plimsoll"  # noqa: S105 - the published password of seeded test users, no secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """An email and its password, which stays out of every printed form."""

    email: str
    password: str = field(default=SEEDED_PASSWORD, repr=False)


class Roster:
    """The seeded users of one kind: `student-000001@plimsoll.test` up to number `size`.

    Each process deals its own numbers in order and starts again after the last. Where it starts depends on
    its worker index, by the van der Corput sequence (0, 1/2, 1/4, 3/4, 1/8 … of the roster): the starts lie
    far apart whatever the number of workers, which no worker knows. So two users share an identity only when
    the roster is too small for all of them.
    """

    def __init__(self, kind: str, size: int) -> None:
        if size < 1:
            raise ValueError(f"roster {kind!r}: size must be at least 1, got {size!r}")
        self._kind = kind
        self._size = size
        self._dealt = count()

    def deal(self, worker_index: int) -> Credentials:
        """Return the next credentials for a process with this worker index (0 when there is but one)."""
        start = int(self._size * _van_der_corput(worker_index))
        number = (start + next(self._dealt)) % self._size + 1
        return Credentials(f"{self._kind}-{number:06d}@plimsoll.test")


# Every size of the bundled service's seed data holds at least these. One roster per kind and process, for all
# user classes, since two of them would deal the same numbers.
STUDENTS = Roster("student", size=1000)
ADMINS = Roster("admin", size=20)


def _van_der_corput(index: int) -> float:
    """Return the index with its binary digits mirrored at the point: 1 → 0.1, 2 → 0.01, 3 → 0.11 (base 2)."""
    fraction, digit = 0.0, 0.5
    while index > 0:
        fraction += digit * (index & 1)
        index >>= 1
        digit /= 2
    return fraction
