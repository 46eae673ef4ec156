"""The generator's own health: what each of its processes had to spare, second by second.

A generator that is out of CPU, or whose event loop is late, measures itself and calls it the service.
"""

from __future__ import annotations

import gevent
from locust.env import Environment

import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from plimsoll.context import execution_of
from plimsoll.recording.in_flight import OccupancyMeter
from plimsoll.recording.run_clock import RunClock
from plimsoll.run_files.files import LATE_MS, VERY_LATE_MS, HealthRow

LAG_SLEEP_S = 0.02
_SCHEDSTAT = Path("/proc/self/schedstat")
SHORTEST_S = 0.2


class LoopLag:
    """How late the event loop wakes a greenlet that asked to be woken."""

    def __init__(self) -> None:
        self._lags_ms: list[float] = []
        self._sampling = gevent.spawn(self._sample)

    def take(self) -> list[float]:
        """Return the lags of the time since the last call, in ms, ascending."""
        lags_ms, self._lags_ms = self._lags_ms, []
        return sorted(lags_ms)

    def stop(self) -> None:
        """Sample no more."""
        self._sampling.kill(block=False)

    def _sample(self) -> None:
        while True:
            asleep_s = time.perf_counter()
            gevent.sleep(LAG_SLEEP_S)
            self._lags_ms.append(max(0.0, (time.perf_counter() - asleep_s - LAG_SLEEP_S) * 1000))


class HealthMonitor:
    """Measures this process from the moment it is made."""

    def __init__(self, environment: Environment, process: str, clock: RunClock) -> None:
        self._environment, self._process, self._clock = environment, process, clock
        self._self = psutil.Process()
        # Processes that were started one by one on one machine do not know of each other.
        processes = getattr(environment.parsed_options, "processes", None) or 1
        self._cores = (os.cpu_count() or 1) / processes
        self._lag = LoopLag()
        self._execution = execution_of(environment)
        self._in_flight = OccupancyMeter(self._execution)
        self._before = self._clocks()

    def take(self) -> HealthRow:
        """Return the health since the last call; call it once a second."""
        before, now = self._before, self._clocks()
        self._before = now
        wall_s = max(now.wall_s - before.wall_s, 1e-9)
        host_s = max(now.host_s - before.host_s, 1e-9)
        own = (now.cpu_s - before.cpu_s) / wall_s
        helpers = (now.helpers_s - before.helpers_s) / wall_s
        lags_ms, in_flight = self._lag.take(), self._in_flight.take()
        runner = self._environment.runner
        return HealthRow(
            unix_s=round(self._clock.now_unix_s, 3),
            process=self._process,
            pid=os.getpid(),
            cpu_ratio=round(cpu_ratio(own, helpers, self._cores), 4),
            rss_bytes=self._self.memory_info().rss,
            lag_p50_ms=_quantile(lags_ms, 0.50),
            lag_p99_ms=_quantile(lags_ms, 0.99),
            lag_max_ms=_quantile(lags_ms, 1.0),
            lag_samples=len(lags_ms),
            lag_late=sum(lag_ms > LATE_MS for lag_ms in lags_ms),
            lag_very_late=sum(lag_ms > VERY_LATE_MS for lag_ms in lags_ms),
            stalled_ms=stalled_ms(lags_ms),
            users=runner.user_count if runner else 0,
            in_flight=round(in_flight.mean, 2),
            in_flight_max=in_flight.most,
            started=now.started - before.started,
            late=now.late - before.late,
            dropped=now.dropped - before.dropped,
            host_cpu_ratio=round(1 - (now.idle_s - before.idle_s) / host_s, 4),
            wait_ratio=None if now.wait_s is None else round((now.wait_s - (before.wait_s or 0)) / wall_s, 4),
            steal_ratio=None
            if now.steal_s is None
            else round((now.steal_s - (before.steal_s or 0)) / host_s, 4),
        )

    def stop(self) -> HealthRow | None:
        """Measure no more, and return the health since the last call; None where it was over at once."""
        self._lag.stop()
        since_s, row = time.perf_counter() - self._before.wall_s, self.take()
        # The system counts CPU time in hundredths of a second; iterations must be counted to the last.
        return row if since_s >= SHORTEST_S or row.started or row.dropped else None

    def _clocks(self) -> _Clocks:
        own, host = self._self.cpu_times(), psutil.cpu_times()
        classes: list[Any] = self._environment.user_classes
        # Of other processes that the users of this one make work, such as a browser.
        clocks = {each.child_cpu_s for each in classes if hasattr(each, "child_cpu_s")}
        return _Clocks(
            wall_s=time.perf_counter(),
            cpu_s=own.user + own.system,
            helpers_s=float(sum(child_cpu_s() for child_cpu_s in clocks)),
            host_s=sum(host[:8]),  # guest time is counted in user time already
            idle_s=host.idle + getattr(host, "iowait", 0.0),
            steal_s=getattr(host, "steal", None),
            wait_s=_waited_s(),
            started=self._execution.started,
            late=self._execution.late,
            dropped=self._execution.dropped,
        )


class _Clocks(NamedTuple):
    """Running totals: seconds, of which idle_s and steal_s are of the host_s of all cores, and iterations."""

    wall_s: float
    cpu_s: float
    helpers_s: float
    host_s: float
    idle_s: float
    steal_s: float | None
    wait_s: float | None
    started: int
    late: int
    dropped: int


def stalled_ms(lags_ms: Iterable[float]) -> float:
    """Return the time that was lost to lags: whole sleeps only, as shorter lags are ordinary."""
    sleep_ms = 1000 * LAG_SLEEP_S
    return sum(lag_ms // sleep_ms for lag_ms in lags_ms) * sleep_ms


def cpu_ratio(own: float, helpers: float, cores: float) -> float:
    """Return how busy a process is that has one core for itself, and with its helpers a share of them all.

    *own* and *helpers* are in CPU seconds a second; those of helpers that were started anew are below 0.
    """
    return max(own, (own + helpers) / max(1.0, cores))


def _waited_s() -> float | None:
    """Return how long this thread has waited for a CPU: the second figure of schedstat, in ns."""
    try:
        return int(_SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _quantile(ascending: list[float], q: float) -> float | None:
    """Return the nearest-rank quantile, None of nothing."""
    if not ascending:
        return None
    return round(ascending[max(0, math.ceil(q * len(ascending)) - 1)], 3)
