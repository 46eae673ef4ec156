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


class ClockStep(NamedTuple):
    """The wall clock was set forward, or back where *forward_s* is below 0, as was seen at *unix_s*."""

    unix_s: float
    forward_s: float


class RunClock:
    """The clock of one process in one run, from the moment it is made.

    Its times are seconds since the epoch, and none of them moves when the wall clock is set: the durations in
    the files of a run are true.
    """

    def __init__(self) -> None:
        self.started_unix_s = time.time()
        self._started_s = time.monotonic()
        self._ahead_s = 0.0
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
        """Note whether the wall clock was set since the last look; call it once a second."""
        before_s, wall_s, now_s = self.now_unix_s, time.time(), self.now_unix_s
        if now_s - before_s > MIN_STEP_S / 2:
            return  # the process stood still between two readings
        ahead_s, self._ahead_s = self._ahead_s, wall_s - now_s
        if abs(self._ahead_s - ahead_s) >= MIN_STEP_S:
            self.steps.append(ClockStep(round(now_s, 3), round(self._ahead_s - ahead_s, 3)))

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
