"""A measurement: a figure beside the one it should be, and how good the machine itself was meanwhile.

That is how late it wakes a process that only sleeps, and what its host takes away: no load generator can be
better.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil


class Row(NamedTuple):
    """A figure, what it should be, and within which bounds it is as it should; all in *unit*."""

    what: str
    value: float
    expected: float
    unit: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def ratio(self) -> float | None:
        """The figure by what it should be; None where that is 0."""
        return self.value / self.expected if self.expected else None

    @property
    def is_within(self) -> bool:
        """Whether it is within its bounds."""
        return (self.low is None or self.low <= self.value) and (self.high is None or self.value <= self.high)


def near(
    what: str, value: float, expected: float, unit: str = "", *, tolerance: float = 0.0, slack: float = 0.0
) -> Row:
    """Return the row of a figure that may be off by a share of what it should be, and by *slack*."""
    off = tolerance * abs(expected) + slack
    return Row(what, value, expected, unit, expected - off, expected + off)


def at_least(what: str, value: float, least: float, unit: str = "") -> Row:
    """Return the row of a figure that may be any from *least* on."""
    return Row(what, value, least, unit, low=least)


def at_most(what: str, value: float, most: float, unit: str = "") -> Row:
    """Return the row of a figure that may be any up to *most*."""
    return Row(what, value, most, unit, high=most)


def beside(what: str, value: float, other: float, unit: str = "") -> Row:
    """Return the row of a figure without bounds, beside another."""
    return Row(what, value, other, unit)


Measure = Callable[[Path], list[Row]]
"""Measures, with a folder for its files."""


LATE_MS = 10.0
DISTURBED_RATIO = 0.005
"""On a machine whose cores are its own less is late, and less of what they do is taken away.

Twice that, and a generator on it has more late wakes than its verdict allows.
"""

# It sleeps as the generator's own watch on its event loop does, until standard input ends.
SLEEPER = """
import json, select, sys, time
late_ms, began_s = [], time.perf_counter()
while not (select.select([sys.stdin], [], [], 0.02)[0] and late_ms):
    ended_s = time.perf_counter()
    late_ms.append((ended_s - began_s - 0.02) * 1000)
    began_s = time.perf_counter()
print(json.dumps(late_ms))
"""


class Lateness(NamedTuple):
    """How late the sleeping process was woken, and the shares of late wakes and of CPU time taken away."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    late_ratio: float
    steal_ratio: float

    @property
    def was_disturbed(self) -> bool:
        """Whether the machine had other things to do."""
        return max(self.late_ratio, self.steal_ratio) >= DISTURBED_RATIO


class Sleeper:
    """The sleeping process, from the moment it is made."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._before = psutil.cpu_times()
        self._process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdin=pipe, stdout=pipe, text=True)

    def end(self) -> Lateness:
        """End it, and return how late it was."""
        output, _ = self._process.communicate("")
        late_ms = np.array(json.loads(output))
        now, before = psutil.cpu_times(), self._before
        taken_s = now.steal - before.steal
        used_s = now.user + now.system - before.user - before.system
        p50_ms, p99_ms, max_ms = (float(value) for value in np.percentile(late_ms, (50, 99, 100)))
        return Lateness(
            p50_ms,
            p99_ms,
            max_ms,
            late_ratio=float(np.mean(late_ms > LATE_MS)),
            steal_ratio=taken_s / (used_s + taken_s) if used_s + taken_s else 0.0,
        )
