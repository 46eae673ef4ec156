"""What Locust's history says second by second: users, rates and percentiles, in seconds since the start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.load.run import AGGREGATED, Run
from reports.render.charts import Floats

PERCENTILES = ("p50", "p95", "p99")
SMOOTHED_ROWS = 31
"""Rows over which the true length of Locust's ticks is averaged."""


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
    unix_s = _floats(rows, "unix_s")
    columns = {
        "users": _floats(rows, "users"),
        "rps": _rate(_floats(rows, "n"), unix_s),
        "failures_per_s": _rate(_floats(rows, "failures"), unix_s),
    }
    # Locust writes 0 for the percentiles of a window without any request.
    idle = columns["rps"] == 0
    for name in PERCENTILES:
        values = _floats(rows, f"{name}_ms")
        columns[name] = np.where(idle & (values == 0), np.nan, values)
    return Timeline(_elapsed_s(unix_s, run), columns)


def users_timeline(run: Run) -> Timeline:
    """Return planned and achieved users from schedule.csv, else the achieved ones of Locust's history."""
    if run.stages.empty:
        total = total_timeline(run)
        users = total.columns["users"]
        return Timeline(total.elapsed_s, {"planned_users": np.full(len(users), np.nan), "users": users})
    rows = _ordered(run.stages, "elapsed_s")
    return Timeline(_floats(rows, "elapsed_s"), {c: _floats(rows, c) for c in ("planned_users", "users")})


def rates_by_request(run: Run) -> dict[tuple[str, str], Timeline]:
    """Return requests/s per (type, name); empty without per-name history."""
    named = run.history[run.history["name"] != AGGREGATED]
    # A request without a type is legal in Locust, and NaN would drop its group.
    types = named["request_type"].fillna("")
    unix_s, n = _floats(named, "unix_s"), _floats(named, "n")
    groups: dict[Any, Any] = dict(named.groupby([types, "name"], sort=False).indices)
    timelines = {}
    for (kind, name), group in groups.items():
        rows = group[_moments(unix_s[group])]
        rate = {"rps": _rate(n[rows], unix_s[rows])}
        timelines[str(kind), str(name)] = Timeline(_elapsed_s(unix_s[rows], run), rate)
    return timelines


def stage_bounds(run: Run, end_s: float) -> Sequence[tuple[str, float, float]]:
    """Return (name, from, to) of each planned stage that had begun by `end_s`, cut there."""
    stages = [s for s in run.meta.stages if s.from_s < end_s]
    return [(s.name, s.from_s, min(s.to_s, end_s)) for s in stages]


def _ordered(rows: pd.DataFrame, by: str = "unix_s") -> pd.DataFrame:
    """Return the last row of each moment in order; a cut off line may lack its moment."""
    return rows.iloc[_moments(_floats(rows, by))]


def _moments(at_s: Floats) -> NDArray[np.int64]:
    """Return where the last of each known moment is, in the order of time."""
    order = np.argsort(at_s, kind="stable")
    found = at_s[order]
    is_last = np.diff(found, append=np.inf) != 0
    moments: NDArray[np.int64] = order[is_last & np.isfinite(found)]
    return moments


def _elapsed_s(unix_s: Floats, run: Run) -> Floats:
    elapsed_s: Floats = np.maximum(unix_s - np.floor(run.started_unix_s), 0.0)
    return elapsed_s


def _floats(rows: pd.DataFrame, column: str) -> Floats:
    values = np.asarray(rows[column], dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _rate(total: Floats, unix_s: Floats) -> Floats:
    """Return increments of a cumulative count per second; the first counts for one tick.

    A falling count means that Locust's statistics were reset, so that the new count itself is the increment.
    """
    increment = np.diff(total, prepend=0.0)
    return np.where(increment < 0, total, increment) / _tick_s(unix_s)


def _tick_s(unix_s: Floats) -> Floats:
    """Return the length of each tick.

    Locust cuts its stamps to whole seconds while a tick lasts slightly longer, so that now and then one is
    skipped; taken literally the rate would halve there. Gaps of up to two seconds share their mean length.
    """
    gaps = np.diff(unix_s, prepend=unix_s[:1] - 1.0)
    short = pd.Series(np.where(gaps <= 2, gaps, np.nan))
    usual = np.asarray(short.rolling(SMOOTHED_ROWS, center=True, min_periods=1).mean(), dtype=np.float64)
    return np.where(gaps <= 2, usual, gaps)
