"""Transactions under way: stretches of a journey that are measured whole, with the requests in them."""

from __future__ import annotations

from gevent import GreenletExit, getcurrent

import time
from collections.abc import Callable
from types import TracebackType

from plimsoll.loads.iterations import ITERATIONS
from plimsoll.recording.origin import Origin, current_origin

SEPARATOR = "/"


class Transaction:
    """One transaction, for as long as the `with` block lasts; afterwards what came of it.

    *started_s* is a time of time.monotonic, *duration_ms* that of the whole block, *busy_ms* the sum of its
    requests. *failure* is the text or exception that made it fail. *delay_ms* is by how much it started late
    where a schedule started it.
    """

    __slots__ = (
        "_parent",
        "_told_name",
        "busy_ms",
        "delay_ms",
        "duration_ms",
        "failure",
        "is_cut_off",
        "name",
        "origin",
        "started_s",
    )
    name: str
    origin: Origin
    started_s: float
    delay_ms: float
    _parent: Transaction | None

    def __init__(self, name: str) -> None:
        self._told_name = str(name)
        self.busy_ms = self.duration_ms = 0.0
        self.failure: object = None
        self.is_cut_off = False

    def __enter__(self) -> None:
        greenlet = getcurrent()
        parent = getattr(greenlet, "plimsoll_transaction", None)
        # A greenlet may outlive the transaction that it was spawned in.
        self._parent = parent = parent if parent in UNDER_WAY else None
        self.name = self._told_name if parent is None else f"{parent.name}{SEPARATOR}{self._told_name}"
        self.origin = current_origin()
        self.delay_ms = ITERATIONS.peek_start_delay_ms()
        greenlet.plimsoll_transaction = self
        self.started_s = time.monotonic()
        UNDER_WAY.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        getcurrent().plimsoll_transaction = self._parent
        if self not in UNDER_WAY:  # the end of the run was first
            return
        if isinstance(error, GreenletExit):
            self.is_cut_off = True
        elif self.failure is None:
            self.failure = error
        if self._parent is not None:
            self._parent.busy_ms += self.busy_ms
            self._parent.failure = self._parent.failure or self.failure
        self.end()

    def end(self) -> None:
        """Tell the listeners of it."""
        UNDER_WAY.remove(self)
        self.duration_ms = (time.monotonic() - self.started_s) * 1000
        for listener in _listeners:
            listener(self)


# Asked each time a request ends: where there are no transactions this costs nothing.
UNDER_WAY: set[Transaction] = set()
_listeners: list[Callable[[Transaction], None]] = []


def note_request(name: str, response_time_ms: float | None, exception: object) -> None:
    """Count a request that has ended to the current greenlet's transaction, if it is in one."""
    transaction: Transaction | None = getattr(getcurrent(), "plimsoll_transaction", None)
    if transaction is None:
        return
    transaction.busy_ms += response_time_ms or 0.0
    if exception and transaction.failure is None:
        transaction.failure = f"{name} failed"


def add_listener(listener: Callable[[Transaction], None]) -> None:
    """Tell *listener* of every transaction that ends from now on."""
    _listeners.append(listener)


def remove_listener(listener: Callable[[Transaction], None]) -> None:
    """Tell *listener* no more."""
    _listeners.remove(listener)


def cut_off_all() -> None:
    """Count every transaction under way as cut off now: the run has ended, whatever it still does."""
    for transaction in list(UNDER_WAY):
        transaction.is_cut_off = True
        transaction.end()
