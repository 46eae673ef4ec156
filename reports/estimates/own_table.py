"""The figures of what journeys measured besides their requests, over the whole run."""

import numpy as np
import pandas as pd

from plimsoll.run_files.intervals import BUSY, CHECK, COUNTER, GAUGE, RATE, TRANSACTION, TREND, VALUE_SCALE
from reports.estimates.request_table import recorded_figures
from reports.load.intervals import Intervals, summed
from reports.load.run import REQUEST_KEYS, Run

CUMULATED_COLUMNS = ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")
LEVELS = (50, 75, 95, 99)
VALUES = ("mean", "max", *(f"p{level}" for level in LEVELS))


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
    tables = [
        figures(run.recorded(kind)).assign(kind=kind)
        for kind, figures in (
            (CHECK, _shares),
            (RATE, _shares),
            (COUNTER, _sums),
            (GAUGE, _distributions),
            (TREND, _distributions),
        )
        if run.recorded(kind)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _shares(recording: Intervals) -> pd.DataFrame:
    group, keys = recording.grouped_by(REQUEST_KEYS)
    n, failed = (summed(recording.column(column), group, len(keys)) for column in ("n", "failures"))
    return keys.assign(n=n, passed=n - failed, failed=failed, value=100 * (1 - failed / n))


def _sums(recording: Intervals) -> pd.DataFrame:
    group, keys = recording.grouped_by(REQUEST_KEYS)
    n, total = (summed(recording.column(column), group, len(keys)) for column in ("n", "sum_ms"))
    return keys.assign(n=n, value=total)


def _distributions(recording: Intervals) -> pd.DataFrame:
    figures = recorded_figures(recording, LEVELS)
    group, _ = recording.grouped_by(REQUEST_KEYS)
    least = np.asarray(pd.Series(recording.column("min_ms")).groupby(group).min()) / VALUE_SCALE
    # The middle of a bucket may lie below the least value in it.
    own = {name: np.maximum(figures[f"{name}_ms"] / VALUE_SCALE, least) for name in VALUES}
    return figures[[*REQUEST_KEYS, "n"]].assign(**own, min=least)
