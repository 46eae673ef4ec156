"""The figures of each request over the whole run: from intervals with Locust's beside, or Locust's alone."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.load.intervals import Group, Intervals, Latencies, percentile_ms, summed
from reports.load.run import REQUEST_KEYS, Run

LEVELS = (50, 95, 99, 99.9)
LOCUST_LEVELS = (50, 95, 99)
CORRECTED_LEVELS = (50, 95, 99)


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
    percentiles = _levels(intervals, intervals.service, group, levels)
    response = intervals.response
    if response is not None:
        percentiles |= {
            f"corrected_{name}": values
            for name, values in _levels(intervals, response, group, CORRECTED_LEVELS).items()
        }
    return keys.assign(
        n=n,
        failures=failures,
        mean_ms=total_ms / successes,
        max_ms=_slowest_ms(intervals.service, group),
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
