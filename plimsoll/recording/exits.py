"""What ends a process from outside its run: signals, and sys.exit() and the like in a locustfile.

The first signal ends what goes on in good order, the second ends the process at once.

gevent raises the SystemExit of any greenlet in the main one, and Locust's process then ends with its status,
which often is 0: here it ends the run, which is judged. What cannot be caught is os._exit().
"""

from __future__ import annotations

import gevent
import locust
from locust import User
from locust.event import EventHook, Events
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

import atexit
import os
import signal
import sys
import sysconfig
import termios
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from plimsoll.listening import listeners_of
from plimsoll.redact import redact

_LOCUST = str(Path(locust.__file__).parent)
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})

# Of a listener: Locust does not catch these.
_ENDING = (
    *(SystemExit, KeyboardInterrupt, StopTest, StopUser),
    *(InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately),
)

SIGNALS = (signal.SIGINT, signal.SIGTERM)

TakeExit = Callable[[str], None]
"""Takes what was raised and where, in words."""


def contain_exits(events: Events, take: TakeExit) -> None:
    """Give *take* what would end the process: in a listener of a run's events, or in a greenlet."""
    for hook in (events.test_start, events.test_stopping, events.test_stop, events.quitting, events.quit):
        contain_listeners(hook, take)
    catch_exits(take)


def catch_exits(take: TakeExit) -> None:
    """Give *take* each SystemExit, KeyboardInterrupt and SystemError that ends a greenlet but the main one.

    Exits of Locust itself, which calls sys.exit() in any greenlet, are left alone. Other exceptions that
    Locust does not see, such as gevent.Timeout, end their user and are reported to Locust as any of a user.
    """
    hub, pid = gevent.get_hub(), os.getpid()
    handle: Callable[..., None] = hub.handle_error

    @wraps(handle)
    def handle_error(
        context: object, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != pid:  # a process that a user has forked ends by itself, and is no part of the run
            handle(context, kind, error, trace)
            return
        if isinstance(error, hub.SYSTEM_ERROR):
            frames = traceback.extract_tb(trace)
            if not (frames and frames[-1].filename.startswith(_LOCUST)):
                take(where_raised(error))
                return
        user = next(iter(getattr(context, "args", None) or ()), None)
        if isinstance(user, User) and error and not isinstance(error, (Exception, *hub.SYSTEM_ERROR)):
            with suppress(Exception):  # of a listener
                user.environment.events.user_error.fire(user_instance=user, exception=error, tb=trace)
        handle(context, kind, error, trace)

    hub.handle_error = handle_error


def contain_listeners(hook: EventHook, take: TakeExit) -> None:
    """Give *take* what a listener of an event raises to end the run or the process; the others are called.

    It has no effect on what was done by `surround` or `listen_last` before: call it first.
    """

    def fire(*, reverse: bool = False, **arguments: Any) -> None:
        for listener in listeners_of(hook)[:: -1 if reverse else 1]:
            alone = EventHook()  # it logs and passes over what Locust does
            alone.add_listener(listener)
            try:
                alone.fire(**arguments)
            except _ENDING as error:
                take(where_raised(error))

    hook.fire = fire  # type: ignore[method-assign] # of this one event


def where_raised(error: BaseException) -> str:
    """Return what was raised and where in code of the user, as `sys.exit(0) in shop.py, line 12, in buy`."""
    if isinstance(error, SystemExit):
        what = f"sys.exit({'' if error.code is None else redact(repr(error.code))})"
    else:
        what = f"{type(error).__name__}({redact(str(error))!r})" if str(error) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((*_LIBRARIES, _LOCUST, "<", "src/"))]
    return what + "".join(f" in {Path(f.filename).name}, line {f.lineno}, in {f.name}" for f in own[-1:])


class LastResort:
    """Gives the process another exit status than the one it ends with, where `settle` returns one.

    *settle* is given the exception that Python has ended the process for, if there is one. To be made as
    early as can be: Python calls what is registered first as the last.
    """

    def __init__(self) -> None:
        self.settle: Callable[[BaseException | None], int | None] | None = None
        self._pid = os.getpid()
        atexit.register(self._on_exit)

    def _on_exit(self) -> None:
        if self.settle is None or os.getpid() != self._pid:  # a process that was forked
            return
        ignore_signals()
        try:
            status = self.settle(getattr(sys, "last_value", None))
        except BaseException:  # noqa: BLE001 - Python would keep the status that it has, often 0
            traceback.print_exc()
            status = 1
        if status is not None:
            exit_now(status)


def ignore_signals() -> None:
    """Ignore Ctrl-C and SIGTERM from now on, also when Python is gone."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def exit_now(status: int) -> None:
    """End this process, after which nothing is done but by the operating system."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a closed pipe, a full disk
            stream.flush()
    os._exit(status)


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


def write_to_terminal(text: str) -> None:
    """Write a line to the terminal, as a handler of signals may: it may have interrupted who writes there."""
    with suppress(OSError):
        os.write(2, f"\nplimsoll: {text}\n".encode(errors="replace"))
