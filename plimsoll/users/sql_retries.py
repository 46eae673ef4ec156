"""Retries with exponential back-off, and a circuit breaker that is open, half-open or closed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gevent import GreenletExit, Timeout  # isort: skip


@dataclass(frozen=True)
class Retry:
    """How often a transaction is tried, and after which pause: first_delay_s, each time *factor* times that.

    With *jitter* each pause is shorter by up to a half.
    """

    max_tries: int = 5
    first_delay_s: float = 0.1
    max_delay_s: float = 1.0
    factor: float = 2.0
    jitter: bool = False

    def delays_s(self) -> Iterator[float]:
        """Yield how long to wait before each further try."""
        for number in range(self.max_tries - 1):
            delay_s = min(self.first_delay_s * self.factor**number, self.max_delay_s)
            yield delay_s * random.uniform(0.5, 1) if self.jitter else delay_s

    def faults(self) -> list[str]:
        """Return what is wrong with these settings."""
        found = [] if self.max_tries >= 1 else [f"max_tries must be at least 1, got {self.max_tries!r}"]
        found += [
            f"{name} must be 0 or more seconds, got {getattr(self, name)!r}"
            for name in ("first_delay_s", "max_delay_s")
            if getattr(self, name) < 0
        ]
        if self.factor < 1:
            found.append(f"factor must be at least 1, got {self.factor!r}")
        return found


class State(StrEnum):
    """Name what a breaker does with a call: lets it pass, refuses it, or has a single one try."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Refuses calls for *open_s* after *max_failures* in a row, then lets one at a time try.

    For the users of one process; what was killed on its way teaches it nothing.
    """

    def __init__(
        self, max_failures: int = 5, open_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.max_failures, self.open_s = max_failures, open_s
        self._clock = clock
        self.state = State.CLOSED
        self._failures, self._opened_s, self._is_trying = 0, 0.0, False

    def allows(self) -> State | None:
        """Return the state in which a call may be made, None where it must not."""
        if self.state is State.OPEN and self._clock() >= self._opened_s + self.open_s:
            self.state, self._is_trying = State.HALF_OPEN, False
        if self.state is State.OPEN or (self.state is State.HALF_OPEN and self._is_trying):
            return None
        self._is_trying = self.state is State.HALF_OPEN
        return self.state

    def learn(self, allowed_in: State, error: BaseException | None) -> None:
        """Take how a call ended that was allowed in a state; one of before it opened says nothing."""
        if allowed_in is State.HALF_OPEN:
            self._is_trying = False
        if isinstance(error, GreenletExit | Timeout) or allowed_in is not self.state:
            return
        if error is None:
            self._failures, self.state = 0, State.CLOSED
            return
        self._failures += 1
        if self.state is State.HALF_OPEN or self._failures >= self.max_failures:
            self.state, self._opened_s = State.OPEN, self._clock()

    def faults(self) -> list[str]:
        """Return what is wrong with these settings."""
        found = (
            [] if self.max_failures >= 1 else [f"max_failures must be at least 1, got {self.max_failures!r}"]
        )
        return found if self.open_s > 0 else [*found, f"open_s must be over 0, got {self.open_s!r}"]
