"""Virtual time for gevent: an hour of sleeping greenlets passes in the time that their code takes.

    with virtual_time() as clock:
        gevent.spawn(...)
        gevent.sleep(3600)
    assert clock.elapsed_s == 3600

Timers fire in the order in which they are due, as soon as nothing else can run: a test takes the same course
each time, whatever the machine does beside it. `clock.stand_still(3.5)` lets time pass in which nothing runs,
as after SIGSTOP; `clock.set_wall_clock(3600)` sets the time of day forward, which moves no timer, and so does
`clock.suspend(30)`, as after the machine has slept for that long.

time.time, time.monotonic, time.perf_counter and time.clock_gettime are virtual, also where a module of the
suite or of Locust has imported one by name (a test module must not); datetime.now() is not. Sockets between
greenlets of one process work, as the kernel hands their data over at once. The answer of a thread or of
another process would be overtaken by the clock. Locust may warn of its CPU usage, of which it reads the true
figure.
"""

from __future__ import annotations

from gevent import get_hub

import heapq
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

START_UNIX_S = 1_800_000_000.0
START_MONOTONIC_S = 5_000.0
MAX_ELAPSED_S = 7 * 86_400.0
MAX_IDLE_S = 60.0
SUITE = {"locustfiles", "plimsoll", "service", "shapes", "tests"}

TimeFunction = Callable[..., float]
_real_monotonic_s = time.monotonic


class Clock:
    """The time of a test: it passes while every greenlet waits, and where the test says so."""

    def __init__(self) -> None:
        self._elapsed_s = self._wall_shift_s = self._suspended_s = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._turns = itertools.count()
        self._idle_since_s: float | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since virtual time began."""
        return self._elapsed_s

    def time(self) -> float:
        """Return the time of day in seconds since the epoch, as time.time does."""
        return START_UNIX_S + self._elapsed_s + self._wall_shift_s

    def monotonic(self) -> float:
        """Return a time that cannot be set, as time.monotonic and time.perf_counter do."""
        return START_MONOTONIC_S + self._elapsed_s

    def stand_still(self, duration_s: float) -> None:
        """Let time pass without running any greenlet; timers that are due meanwhile fire late."""
        self._elapsed_s += duration_s

    def set_wall_clock(self, forward_s: float) -> None:
        """Set the time of day forward, or back by a negative number."""
        self._wall_shift_s += forward_s

    def clock_gettime(self, clock_id: int) -> float:
        """Return the monotonic time and that in which the machine was suspended, as CLOCK_BOOTTIME does."""
        assert clock_id == time.CLOCK_BOOTTIME
        return self.monotonic() + self._suspended_s

    def suspend(self, duration_s: float) -> None:
        """Let the machine sleep: time passes by the time of day, and not by the monotonic clock."""
        self._suspended_s += duration_s
        self._wall_shift_s += duration_s

    def start_timer(self, timer: _Timer, after_s: float) -> int:
        """Have a timer fire after *after_s*, and return its turn, by which it knows whether it still may."""
        turn = next(self._turns)
        heapq.heappush(self._timers, (self._elapsed_s + after_s, turn, timer))
        return turn

    def fire_next_timer(self) -> None:
        """Go on to the next timer that is due.

        A test that would wait forever gets a RuntimeError: without any timer after a minute of real time,
        with timers after a week.
        """
        while self._timers:
            due_s, turn, timer = heapq.heappop(self._timers)
            if timer.turn != turn:
                continue
            if due_s > MAX_ELAPSED_S:
                _raise_in_main(f"virtual time has reached {MAX_ELAPSED_S:.0f} s, and the test still waits")
            self._elapsed_s, self._idle_since_s = max(self._elapsed_s, due_s), None
            timer.fire()
            return
        # What is not moved by timers may be a thread.
        now_s = _real_monotonic_s()
        self._idle_since_s = self._idle_since_s or now_s
        if now_s - self._idle_since_s > MAX_IDLE_S:
            _raise_in_main("every greenlet waits, and there is no timer to wake one of them")


class _Timer:
    """What gevent sleeps by; its methods are those of the timers of gevent's loop."""

    def __init__(self, clock: Clock, after_s: float) -> None:
        self._clock, self._after_s = clock, max(0.0, after_s)
        self._callback: Callable[[], object] | None = None
        self.turn: int | None = None
        self.pending = False

    @property
    def active(self) -> bool:
        return self.turn is not None

    def start(self, callback: Callable[..., object], *args: Any, update: bool = True) -> None:  # noqa: ARG002 - as gevent calls it
        self._callback = lambda: callback(*args)
        self.turn = self._clock.start_timer(self, self._after_s)

    def fire(self) -> None:
        assert self._callback is not None
        self.turn = None
        self._callback()

    def stop(self) -> None:
        self.turn = None

    close = stop

    def __enter__(self) -> _Timer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Loop:
    """A gevent loop whose timers go by a clock of ours; all else is left to the real one."""

    _clock: Clock

    def __init__(self, real: Any, clock: Clock) -> None:
        self.__dict__.update(_real=real, _clock=clock)  # past __setattr__

    def timer(self, after: float, **_: Any) -> _Timer:
        return _Timer(self._clock, after)

    def now(self) -> float:
        return self._clock.time()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)


@contextmanager
def virtual_time() -> Iterator[Clock]:
    """Let time be virtual in this thread; a greenlet that sleeps on after the block never wakes."""
    hub, clock = get_hub(), Clock()
    real_loop = hub.loop
    virtual: dict[str, TimeFunction] = {
        "time": clock.time,
        "monotonic": clock.monotonic,
        "perf_counter": lambda: clock.monotonic(),
        "clock_gettime": clock.clock_gettime,
    }
    real: dict[str, TimeFunction] = {name: getattr(time, name) for name in virtual}
    when_idle = real_loop.idle()  # its callback runs when nothing else can
    when_idle.start(clock.fire_next_timer)
    hub.loop = _Loop(real_loop, clock)
    _replace({real[name]: virtual[name] for name in real})
    try:
        yield clock
    finally:
        _replace({virtual[name]: real[name] for name in real})
        hub.loop = real_loop
        when_idle.stop()
        when_idle.close()


def _replace(functions: Mapping[TimeFunction, TimeFunction]) -> None:
    """Replace functions in the module time, and where a module of the suite or of Locust holds one."""
    by_id = {id(old): new for old, new in functions.items()}
    for name, module in list(sys.modules.items()):
        if name != __name__ and (module is time or name.partition(".")[0] in SUITE | {"locust"}):
            held = {key: by_id[id(value)] for key, value in vars(module).items() if id(value) in by_id}
            vars(module).update(held)


def _raise_in_main(message: str) -> None:
    """Have the test fail where it waits."""
    get_hub().parent.throw(RuntimeError(message))
