"""The figures of requests, transactions, metrics and failures over the whole run, as the report shows them.

Failures of transactions are among the others, by what failed first in each; as requests they are not counted.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plimsoll.run_files.intervals import BUSY, CHECK, COUNTER, GAUGE, RATE, TRANSACTION, TREND, VALUE_SCALE
from reports.load.histograms import Group, percentile_ms, summed
from reports.load.intervals import NO_ERRORS, Intervals, Latencies
from reports.load.run import FAILURE_COLUMNS, REQUEST_KEYS, Run

LEVELS = (50, 95, 99, 99.9)
LOCUST_LEVELS = (50, 95, 99)
CORRECTED_LEVELS = (50, 95, 99)
METRIC_LEVELS = (50, 75, 95, 99)
METRIC_VALUES = ("mean", "max", *(f"p{level}" for level in METRIC_LEVELS))
CUMULATED_COLUMNS = ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")


def request_figures(run: Run) -> pd.DataFrame:
    """Return a row per request type and name; latencies in ms, from intervals those of successes."""
    if not run.intervals:
        return run.requests
    own = recorded_figures(run.intervals)
    # An earlier Locust's file may lack a percentile, and a lost file all rows.
    columns = [f"p{level}_ms" for level in LOCUST_LEVELS]
    locust = run.requests.reindex(columns=[*REQUEST_KEYS, *columns]).drop_duplicates(REQUEST_KEYS)
    return own.merge(locust.rename(columns={c: f"locust_{c}" for c in columns}), on=REQUEST_KEYS, how="left")


def recorded_figures(intervals: Intervals, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
    """Return a row per type and name of a recording; with a schedule, latencies from the intended start."""
    group, keys = intervals.grouped_by(REQUEST_KEYS)
    n, failures, total_ms = (
        summed(intervals.column(c), group, len(keys)) for c in ("n", "failures", "sum_ms")
    )
    successes = np.where(n > failures, n - failures, np.nan)
    percentiles = _levels(intervals, intervals.latencies, group, levels)
    if intervals.corrected is not None:
        corrected = _levels(intervals, intervals.corrected, group, CORRECTED_LEVELS)
        percentiles |= {f"corrected_{name}": values for name, values in corrected.items()}
    return keys.assign(
        n=n,
        failures=failures,
        mean_ms=total_ms / successes,
        max_ms=_slowest_ms(intervals.latencies, group),
        rps=n / (intervals.end_s - intervals.first_s),
        **percentiles,
    )


def _levels(
    intervals: Intervals, latencies: Latencies, group: Group, levels: Sequence[float]
) -> dict[str, NDArray[np.float64]]:
    """Return the percentiles of each group, in ms."""
    slowest_ms = _slowest_ms(latencies, group)
    counts = intervals.merged(latencies.histograms, group, len(slowest_ms))
    # The middle of a bucket may lie above the slowest request in it.
    return {
        f"p{level}_ms": np.minimum([percentile_ms(row, level) for row in counts], slowest_ms)
        for level in levels
    }


def _slowest_ms(latencies: Latencies, group: Group) -> NDArray[np.float64]:
    slowest_ms: NDArray[np.float64] = np.asarray(pd.Series(latencies.max_ms).groupby(group).max())
    return slowest_ms


def transaction_figures(run: Run) -> pd.DataFrame:
    """Return a row per transaction, in ms: with think time, and beside it `cumulated_` without."""
    whole, cumulated = run.recorded(TRANSACTION), run.recorded(BUSY)
    if not whole or not cumulated:
        return pd.DataFrame()
    without = recorded_figures(cumulated)[["name", *CUMULATED_COLUMNS]]
    beside = without.rename(columns={column: f"cumulated_{column}" for column in CUMULATED_COLUMNS})
    return recorded_figures(whole).merge(beside, on="name", how="left")


def metric_figures(run: Run) -> pd.DataFrame:
    """Return a row per metric; `value` is the sum of a counter, and the share in % of a rate or check."""
    tables = []
    for kind in (CHECK, RATE, COUNTER, GAUGE, TREND):
        recording = run.recorded(kind)
        if not recording:
            continue
        group, keys = recording.grouped_by(REQUEST_KEYS)
        n, failed, total = (
            summed(recording.column(column), group, len(keys)) for column in ("n", "failures", "sum_ms")
        )
        table = keys.assign(kind=kind, n=n)
        if kind in {CHECK, RATE}:
            table = table.assign(passed=n - failed, failed=failed, value=100 * (1 - failed / n))
        elif kind == COUNTER:
            table = table.assign(value=total)
        else:
            figures = recorded_figures(recording, METRIC_LEVELS)
            min_ = np.asarray(pd.Series(recording.column("min_ms")).groupby(group).min()) / VALUE_SCALE
            # The middle of a bucket may lie below the least value in it.
            values = {v: np.maximum(figures[f"{v}_ms"] / VALUE_SCALE, min_) for v in METRIC_VALUES}
            table = table.assign(**values, min=min_)
        tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def failures_by_error(run: Run) -> pd.DataFrame:
    """Return a row per request or transaction and error in FAILURE_COLUMNS; times of day in UTC."""
    errors = errors_by_second(run)
    if errors.empty:
        return run.failures
    keys = ["request_type", "name", "error"]
    found = errors.astype(dict.fromkeys(keys, "object")).groupby(keys, sort=False)
    table = found.agg(occurrences=("n", "sum"), first_seen=("ended_s", "min"), last_seen=("ended_s", "max"))
    for column in ("first_seen", "last_seen"):
        moments = [datetime.fromtimestamp(int(unix_s), UTC) for unix_s in table[column]]
        table[column] = [moment.strftime("%Y-%m-%d %H:%M:%S") for moment in moments]
    return table.reset_index().astype({"occurrences": "float64"})[list(FAILURE_COLUMNS)]


def errors_by_second(run: Run) -> pd.DataFrame:
    """Return how many failures with an error ended in a second, of requests and of transactions."""
    parts = [run.intervals.errors, run.recorded(TRANSACTION).errors]
    found = [errors for errors in parts if not errors.empty]
    return pd.concat(found, ignore_index=True) if found else NO_ERRORS
