"""The accounts of the service, by their roles; each Locust user has one of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from plimsoll import Feeder, Identifier

SEEDED_PASSWORD = "plimsoll"  # noqa: S105 - the published password of seeded test users, no secret


class Account(NamedTuple):
    """Who the service says has signed in; `student_id` is None for a parent or an admin."""

    token: str
    user_id: Identifier
    student_id: Any
    role: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """An email and its password, or the account of a token; the secrets stay out of every printed form."""

    email: str
    password: str = field(default=SEEDED_PASSWORD, repr=False)
    account: Account | None = field(default=None, repr=False)


class AccountPool:
    """The accounts of one role: those that the service has from the start, or those it is filled with.

    Each user has one of its own, which a later user may have; those of a circular pool may be shared.
    """

    is_fixed = False  # it may be filled before each run

    def __init__(self, role: str, seeded: int, strategy: Literal["unique", "circular"] = "unique") -> None:
        if seeded < 1:
            raise ValueError(f"accounts of role {role!r}: seeded must be at least 1, got {seeded!r}")
        self.role, self.seeded = role, seeded
        self.name = f"accounts: {role}"
        self.accounts = seeded_accounts(role, seeded)
        self._feeder: Feeder[tuple[Any, ...]] = Feeder(self, strategy)

    def fill(self, accounts: Iterable[Credentials]) -> None:
        """Have these accounts in the next run."""
        self.accounts = list(accounts)

    def read(self) -> list[tuple[Any, ...]]:
        """Return the accounts as rows of a feeder."""
        return [(each.email, each.password, each.account) for each in self.accounts]

    def acquire(self) -> Credentials:
        """Return an account that no other user has, unless the pool is circular.

        Raises:
            FeederExhausted: there are none left; the user ends.
        """
        email, password, account = self._feeder.next()
        return Credentials(email, password, account and Account(*account))

    def release(self, credentials: Credentials) -> None:
        """Take back the account of a user that has ended, for a later one of this process."""
        self._feeder.release((credentials.email, credentials.password, credentials.account))


def seeded_accounts(role: str, size: int) -> list[Credentials]:
    """Return the first accounts of a role that the service has from the start."""
    return [Credentials(f"{role}-{number:06d}@plimsoll.test") for number in range(1, size + 1)]


def generated_accounts(role: str, numbers: Iterable[int], seed: str) -> list[Credentials]:
    """Return accounts to be made at the service: the same for the same seed, for later runs to find."""
    password = hashlib.sha256(f"plimsoll {role} {seed}".encode()).hexdigest()[:32]
    return [Credentials(f"{role}-{number:06d}-seed{seed}@plimsoll.test", password) for number in numbers]
