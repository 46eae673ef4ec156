"""What Locust's history says second by second: users, rates and percentiles, in seconds since the start."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

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
    columns = {
        "users": _floats(rows, "users"),
        "rps": _rate(rows, "n"),
        "failures_per_s": _rate(rows, "failures"),
    }
    # Locust writes 0 for the percentiles of a window without any request.
    idle = columns["rps"] == 0
    for name in PERCENTILES:
        values = _floats(rows, f"{name}_ms")
        columns[name] = np.where(idle & (values == 0), np.nan, values)
    return Timeline(_elapsed_s(rows, run), columns)


def users_timeline(run: Run) -> Timeline:
    """Return planned and achieved users from stages.csv, otherwise the achieved users of Locust's history."""
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
    return {
        (str(kind), str(name)): Timeline(_elapsed_s(rows, run), {"rps": _rate(rows, "n")})
        for (kind, name), group in named.groupby([types, "name"], sort=False)
        for rows in [_ordered(group)]
    }


def stage_bounds(run: Run, end_s: float) -> Sequence[tuple[str, float, float]]:
    """Return (name, from, to) of each planned stage that had begun by `end_s`, cut there."""
    stages = [s for s in run.meta.stages if s.from_s < end_s]
    return [(s.name, s.from_s, min(s.to_s, end_s)) for s in stages]


def _ordered(rows: pd.DataFrame, by: str = "unix_s") -> pd.DataFrame:
    """Return the last row of each moment in order; a cut off line may lack its moment."""
    known: pd.DataFrame = rows.loc[np.isfinite(rows[by])]
    return known.drop_duplicates(by, keep="last").sort_values(by)


def _elapsed_s(rows: pd.DataFrame, run: Run) -> Floats:
    elapsed_s: Floats = np.maximum(_floats(rows, "unix_s") - np.floor(run.started_unix_s), 0.0)
    return elapsed_s


def _floats(rows: pd.DataFrame, column: str) -> Floats:
    values = np.asarray(rows[column], dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _rate(rows: pd.DataFrame, column: str) -> Floats:
    """Return increments of a cumulative column per second; the first row counts for one tick.

    A falling count means that Locust's statistics were reset, so that the new count itself is the increment.
    """
    total = _floats(rows, column)
    increment = np.diff(total, prepend=0.0)
    return np.where(increment < 0, total, increment) / _tick_s(_floats(rows, "unix_s"))


def _tick_s(unix_s: Floats) -> Floats:
    """Return the length of each tick.

    Locust cuts its stamps to whole seconds while a tick lasts slightly longer, so that now and then one is
    skipped; taken literally the rate would halve there. Gaps of up to two seconds share their mean length.
    """
    gaps = np.diff(unix_s, prepend=unix_s[:1] - 1.0)
    short = pd.Series(np.where(gaps <= 2, gaps, np.nan))
    usual = np.asarray(short.rolling(SMOOTHED_ROWS, center=True, min_periods=1).mean(), dtype=np.float64)
    return np.where(gaps <= 2, usual, gaps)
