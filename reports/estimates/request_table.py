"""The figures of each request over the whole run: from intervals with Locust's beside, or Locust's alone."""

import numpy as np
import pandas as pd

from reports.load.histogram import percentile_ms
from reports.load.interval_rows import Intervals, summed
from reports.load.run import Run

KEYS = ["request_type", "name"]
LEVELS = (50, 95, 99, 99.9)
LOCUST_LEVELS = (50, 95, 99)


def request_figures(run: Run) -> pd.DataFrame:
    """Return a row per request type and name; latencies in ms, from intervals those of successes."""
    if not run.intervals:
        return run.requests
    own = _recorded(run.intervals)
    # An earlier Locust's file may lack a percentile, and a lost file all rows.
    columns = [f"p{level}_ms" for level in LOCUST_LEVELS]
    locust = run.requests.reindex(columns=[*KEYS, *columns]).drop_duplicates(KEYS)
    return own.merge(locust.rename(columns={c: f"locust_{c}" for c in columns}), on=KEYS, how="left")


def _recorded(intervals: Intervals) -> pd.DataFrame:
    group, keys = intervals.grouped_by(KEYS)
    n, failures, total_ms = (
        summed(intervals.column(c), group, len(keys)) for c in ("n", "failures", "sum_ms")
    )
    counts = intervals.merged(intervals.successes, group, len(keys))
    successes = np.where(n > failures, n - failures, np.nan)
    slowest = intervals.rows["max_ms"].groupby(group).max().reindex(range(len(keys))).to_numpy()
    return keys.assign(
        n=n,
        failures=failures,
        mean_ms=total_ms / successes,
        max_ms=slowest,
        rps=n / (intervals.end_s - intervals.first_s),
        # The middle of a bucket may lie above the slowest request in it.
        **{
            f"p{level}_ms": np.minimum([percentile_ms(row, level) for row in counts], slowest)
            for level in LEVELS
        },
    )
