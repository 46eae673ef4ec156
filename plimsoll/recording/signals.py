"""Ctrl-C and SIGTERM: the first ends what goes on in good order, the second ends the process at once."""

from __future__ import annotations

import gevent

import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from plimsoll.recording.exits import exit_now, ignore_signals


def interrupt_main(interruption: Callable[[], BaseException | None]) -> None:
    """Raise what it returns then, if anything, in the main greenlet, which waits for the end of the load.

    Raised where a signal happens to come, it would break off what a user is doing, who then says no goodbye,
    or the reading of a connection, which libev would never read again.
    """
    hub = gevent.get_hub()

    def interrupt() -> None:
        error = interruption()
        if error is not None:
            hub.parent.throw(error)

    if gevent.getcurrent() is not hub.parent:
        hub.loop.run_callback_threadsafe(interrupt)
    elif (error := interruption()) is not None:
        raise error


class Signals:
    """Calls *first* with the name of the first signal, at the second *last*, which returns the exit status.

    There is no third: any more are ignored.
    """

    def __init__(self, first: Callable[[str], None], last: Callable[[], int]) -> None:
        self._first, self._last = first, last
        self.received: str | None = None
        self._terminal: list[Any] | None = None
        # Locust has the terminal hand over each key, and sets it back only when it ends in good order.
        if sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty():
            self._terminal = termios.tcgetattr(sys.stdin)

    def take(self, *numbers: signal.Signals) -> None:
        """Handle these signals from now on, instead of whatever did."""
        for number in numbers:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(number).name
            self._first(self.received)
            return
        ignore_signals()
        status = self._last()
        if self._terminal:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, self._terminal)
        exit_now(status)


def say(text: str) -> None:
    """Write a line to the terminal, as a handler of signals may: it may have interrupted who writes there."""
    with suppress(OSError):
        os.write(2, f"\nplimsoll: {text}\n".encode(errors="replace"))
