"""What happened over time, in seconds since the start: users, rates, percentiles, the generator's health.

Some is recorded in the intervals, some only Locust's history has, second by second.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.estimates.tables import errors_by_second
from reports.load.histograms import percentile_ms, summed
from reports.load.intervals import Latencies
from reports.load.run import AGGREGATED, REQUEST_KEYS, Run

Floats = NDArray[np.float64]

PERCENTILES = ("p50", "p95", "p99")
MAX_POINTS = 600
SHORTEST_BLOCK_S = 5
SMOOTHED_ROWS = 31
"""Rows over which the true length of Locust's ticks is averaged."""


@dataclass(frozen=True)
class Thinned:
    """Hold a series cut to few points: the mean of each bin, and its smallest and largest value."""

    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    banded: bool


def thinned(x: Floats, y: Floats, limit: int = MAX_POINTS) -> Thinned:
    """Cut a series to at most `limit` points by bins of equally many rows, keeping each bin's extremes.

    NaN means unknown and is left out of its bin; a bin of NaN alone stays NaN. A bin's x is its last row's.
    """
    size = math.ceil(len(x) / limit) if len(x) else 1
    if size == 1:
        return Thinned(x, y, y, y, banded=False)
    starts = np.arange(0, len(x), size)
    known = ~np.isnan(y)
    n = np.add.reduceat(known.astype(np.float64), starts)
    total = np.add.reduceat(np.where(known, y, 0.0), starts)
    mean = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    low, high = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    ends = np.minimum(starts + size, len(x)) - 1
    return Thinned(x[ends], mean, low, high, banded=True)


@dataclass(frozen=True)
class Timeline:
    """Hold equally long columns: `elapsed_s` since the start, NaN where a value is unknown."""

    elapsed_s: Floats
    columns: dict[str, Floats]

    @property
    def end_s(self) -> float:
        """Return the last second, 0 for an empty timeline."""
        return float(self.elapsed_s[-1]) if len(self.elapsed_s) else 0.0


def total_timeline(run: Run) -> Timeline:
    """Return users, requests/s, failures/s and the percentiles of all requests together."""
    rows = _ordered(run.history[run.history["name"] == AGGREGATED])
    unix_s = _floats(rows["unix_s"])
    columns = {
        "users": _floats(rows["users"]),
        "rps": _rate(_floats(rows["n"]), unix_s),
        "failures_per_s": _rate(_floats(rows["failures"]), unix_s),
    }
    # Locust writes 0 for the percentiles of a window without any request.
    idle = columns["rps"] == 0
    for name in PERCENTILES:
        values = _floats(rows[f"{name}_ms"])
        columns[name] = np.where(idle & (values == 0), np.nan, values)
    return Timeline(_elapsed_s(unix_s, run), columns)


def users_timeline(run: Run) -> Timeline:
    """Return planned and achieved users from schedule.csv, else the achieved ones of Locust's history."""
    if run.stages.empty:
        total = total_timeline(run)
        users = total.columns["users"]
        return Timeline(total.elapsed_s, {"planned_users": np.full(len(users), np.nan), "users": users})
    rows = _ordered(run.stages, "elapsed_s")
    return Timeline(_floats(rows["elapsed_s"]), {c: _floats(rows[c]) for c in ("planned_users", "users")})


def rates_by_request(run: Run) -> dict[tuple[str, str], Timeline]:
    """Return requests/s per (type, name); empty without per-name history."""
    named = run.history[run.history["name"] != AGGREGATED]
    # A request without a type is legal in Locust, and NaN would drop its group.
    types = named["request_type"].fillna("")
    unix_s, n = _floats(named["unix_s"]), _floats(named["n"])
    groups: dict[Any, Any] = dict(named.groupby([types, "name"], sort=False).indices)
    timelines = {}
    for (kind, name), group in groups.items():
        rows = group[_moments(unix_s[group])]
        rate = {"rps": _rate(n[rows], unix_s[rows])}
        timelines[str(kind), str(name)] = Timeline(_elapsed_s(unix_s[rows], run), rate)
    return timelines


def block_s(run: Run) -> int:
    """Return over how many seconds each percentile is taken: 5, or more where points would be too many."""
    return max(SHORTEST_BLOCK_S, math.ceil((run.intervals.end_s - run.intervals.first_s) / MAX_POINTS))


def recorded_rates(run: Run) -> Timeline:
    """Return requests/s and failures/s by the second in which they ended."""
    ended, count = _numbered(run, "ended_s", 1)
    columns = {"rps": "n", "failures_per_s": "failures"}
    values = {key: summed(run.intervals.column(column), ended, count) for key, column in columns.items()}
    return Timeline(_elapsed_s(run.intervals.first_s + np.arange(count), run), values)


def recorded_percentiles(run: Run, latencies: Latencies) -> Timeline:
    """Return the percentiles of the successes that started in each block; the point is at the block's end."""
    length_s = block_s(run)
    started, count = _numbered(run, "started_s", length_s)
    blocks = run.intervals.merged(latencies.histograms, started, count)
    values = {
        name: np.array([percentile_ms(row, float(name.removeprefix("p"))) for row in blocks])
        for name in PERCENTILES
    }
    return Timeline(_elapsed_s(run.intervals.first_s + length_s * np.arange(count), run) + length_s, values)


def recorded_rates_by_request(run: Run) -> dict[tuple[str, str], Timeline]:
    """Return requests/s per (type, name)."""
    ended, count = _numbered(run, "ended_s", 1)
    group, keys = run.intervals.grouped_by(REQUEST_KEYS)
    n = summed(run.intervals.column("n"), group * count + ended, len(keys) * count).reshape(-1, count)
    names = zip(keys["request_type"], keys["name"], n, strict=True)
    elapsed_s = _elapsed_s(run.intervals.first_s + np.arange(count), run)
    return {(str(kind), str(name)): Timeline(elapsed_s, {"rps": row}) for kind, name, row in names}


def recorded_failures(run: Run) -> dict[tuple[str, str, str], Timeline]:
    """Return failures a second per (type, name, error), from the first request to the last."""
    if not run.intervals:
        return {}
    first_s, count = run.intervals.first_s, run.intervals.end_s - run.intervals.first_s
    elapsed_s = _elapsed_s(first_s + np.arange(count), run)
    keys = ["request_type", "name", "error"]
    errors = errors_by_second(run).astype(dict.fromkeys(keys, "object"))
    timelines = {}
    for (kind, name, text), rows in errors.groupby(keys, sort=False):
        # A transaction may end after the last request, as it may think until then.
        ended = np.clip(np.asarray(rows["ended_s"], dtype=np.int64) - first_s, 0, count - 1)
        failures: Floats = np.zeros(count)
        np.add.at(failures, ended, np.asarray(rows["n"], dtype=np.float64))
        timelines[str(kind), str(name), str(text)] = Timeline(elapsed_s, {"failures_per_s": failures})
    return timelines


def starts_timeline(run: Run) -> Timeline:
    """Return by second the iterations planned, started, late and dropped; empty without a schedule."""
    counted = ["started", "late", "dropped"]
    if not run.has_schedule or run.health.empty:
        return Timeline(np.empty(0), {key: np.empty(0) for key in ("planned_rate", *counted)})
    # A row is of the second before it was written.
    seconds = run.health.groupby(np.floor(run.health["unix_s"]) - 1)[counted].sum(min_count=1)
    plan = run.stages.groupby(np.floor(run.stages["unix_s"]))["planned_rate"].last()
    elapsed_s = _elapsed_s(np.asarray(seconds.index, dtype=np.float64), run)
    columns = {key: _floats(seconds[key]) for key in counted}
    return Timeline(elapsed_s, {"planned_rate": _floats(plan.reindex(seconds.index)), **columns})


def generator_timeline(run: Run) -> Timeline:
    """Return by second the busiest process (% of a core), the latest loop, and all requests in flight."""
    second = np.floor(run.health["unix_s"])
    seconds = run.health.groupby(second)
    worst = seconds[["cpu_ratio", "lag_p99_ms"]].max()
    columns = {
        "cpu": _floats(100 * worst["cpu_ratio"]),
        "lag": _floats(worst["lag_p99_ms"]),
        "in_flight": _floats(seconds["in_flight"].sum(min_count=1)),
    }
    return Timeline(_elapsed_s(np.asarray(worst.index, dtype=np.float64), run), columns)


def _numbered(run: Run, which: str, length_s: int) -> tuple[NDArray[np.int64], int]:
    """Number the rows by the blocks of the recording, and return how many blocks there are."""
    intervals = run.intervals
    count = math.ceil((intervals.end_s - intervals.first_s) / length_s)
    return (intervals.seconds(which) - intervals.first_s) // length_s, count


def _ordered(rows: pd.DataFrame, by: str = "unix_s") -> pd.DataFrame:
    """Return the last row of each moment in order; a cut off line may lack its moment."""
    return rows.iloc[_moments(_floats(rows[by]))]


def _moments(at_s: Floats) -> NDArray[np.int64]:
    """Return where the last of each known moment is, in the order of time."""
    order = np.argsort(at_s, kind="stable")
    found = at_s[order]
    is_last = np.diff(found, append=np.inf) != 0
    moments: NDArray[np.int64] = order[is_last & np.isfinite(found)]
    return moments


def _elapsed_s(unix_s: NDArray[Any], run: Run) -> Floats:
    elapsed_s: Floats = np.maximum(unix_s - np.floor(run.started_unix_s), 0.0)
    return elapsed_s


def _floats(values: "pd.Series[Any]") -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _rate(total: Floats, unix_s: Floats) -> Floats:
    """Return increments of a cumulative count per second; the first counts for one tick.

    A falling count means that Locust's statistics were reset, so that the new count itself is the increment.
    Locust cuts its stamps to whole seconds while a tick lasts slightly longer, so that now and then one is
    skipped; taken literally the rate would halve there. Gaps of up to two seconds share their mean length.
    """
    gaps = np.diff(unix_s, prepend=unix_s[:1] - 1.0)
    short = pd.Series(np.where(gaps <= 2, gaps, np.nan))
    usual = np.asarray(short.rolling(SMOOTHED_ROWS, center=True, min_periods=1).mean(), dtype=np.float64)
    increment = np.diff(total, prepend=0.0)
    return np.where(increment < 0, total, increment) / np.where(gaps <= 2, usual, gaps)
