"""The time line of a run: the wall clock at its start, continued by a clock that cannot be set."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Smaller ones put no request into a wrong second, and may come of the reading itself.
MIN_STEP_S = 0.5
# What a client may do between its readings of two clocks, at the start of a request.
SLACK_S = 0.1
# Unlike the monotonic clock it goes on while the machine is suspended; Linux has it.
_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class ClockStep(NamedTuple):
    """The wall clock went forward, or back where *forward_s* is below 0, beside the monotonic clock.

    It was seen at *unix_s*. The machine was suspended for *suspended_s* of it; None where that is not known.
    """

    unix_s: float
    forward_s: float
    suspended_s: float | None = None


class RunClock:
    """The clock of one process in one run, from the moment it is made.

    Its times are seconds since the epoch, and none of them moves when the wall clock is set: the durations in
    the files of a run are true.
    """

    def __init__(self) -> None:
        self.started_unix_s = time.time()
        self._started_s = time.monotonic()
        self._ahead_s = 0.0
        self._suspended_s = _suspended_s()
        self.steps: list[ClockStep] = []

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._started_s

    @property
    def now_unix_s(self) -> float:
        """This moment."""
        return self.started_unix_s + self.elapsed_s

    def unix_s(self, monotonic_s: Floats) -> Floats:
        """Return moments of time.monotonic as seconds since the epoch."""
        return monotonic_s - self._started_s + self.started_unix_s

    def look(self) -> None:
        """Note whether the wall clock was set, or the machine suspended, since the last look.

        Call it once a second.
        """
        before_s, wall_s, suspended_s, now_s = self.now_unix_s, time.time(), _suspended_s(), self.now_unix_s
        if now_s - before_s > MIN_STEP_S / 2:
            return  # the process stood still between two readings
        forward_s = wall_s - now_s - self._ahead_s
        lost_s = suspended_s - self._suspended_s
        self._ahead_s, self._suspended_s = wall_s - now_s, suspended_s
        if max(abs(forward_s), lost_s) >= MIN_STEP_S:
            lost_s = round(lost_s, 3) if lost_s >= MIN_STEP_S else 0.0
            known_lost_s = None if _BOOTTIME is None else lost_s
            self.steps.append(ClockStep(round(now_s, 3), round(forward_s, 3), known_lost_s))

    def true_age_s(self, recorded_unix_s: Floats, age_s: Floats, duration_s: Floats) -> Floats:
        """Return how old events were when they were recorded, from *age_s*, their age by the wall clock.

        It is wrong by a step of the clock in between: too long by it, or shorter than the event took.
        """
        least_s = np.nan_to_num(duration_s) - SLACK_S
        for step in reversed(self.steps):
            without_s = age_s - step.forward_s
            may_be = (recorded_unix_s - without_s <= step.unix_s) & (without_s >= least_s)
            age_s = np.where(may_be & ((step.forward_s > 0) | (age_s < least_s)), without_s, age_s)
        return age_s


def _suspended_s() -> float:
    """Return for how long the machine has been suspended since its start, 0.0 where that is not known."""
    return 0.0 if _BOOTTIME is None else time.clock_gettime(_BOOTTIME) - time.monotonic()
