"""Estimate figures of what was sampled every second: the generator's CPU, memory, and lag.

They were seen, and are exact: of all samples of all processes that made load, in a part of the run.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.estimates import trend
from reports.estimates.estimate import Estimate, exact
from reports.load.run import Run
from reports.steady_state import SteadyState, judged, judged_health
from reports.thresholds.metrics import DEGRADATION, SERIES, SLOPE, Metric
from reports.thresholds.statement import Statement

Floats = NDArray[np.float64]


def sampled(statement: Statement, run: Run, part: SteadyState) -> tuple[Estimate | None, str]:
    """Return the estimate of a sampled series in a part of the run, or None and why there is none."""
    metric = statement.metric
    at_s, values = _samples(statement, run, part)
    if not len(values):
        return None, f"the run has no samples of {statement.selector.pattern!r}"
    if metric.name in {DEGRADATION, SLOPE}:
        means = pd.Series(values).groupby(part.blocks(at_s, trend.BLOCKS)).mean().reindex(range(trend.BLOCKS))
        return change_of(metric, means.to_numpy().astype(np.float64), part, len(values))
    return exact(_figure(metric, values), len(values), "sampled every second"), ""


def sampled_windows(statement: Statement, run: Run, windows: Sequence[SteadyState]) -> Floats:
    """Return the figure of a sampled series in each window, NaN without a sample."""
    at_s, values = _samples(statement, run, replace(windows[0], end_s=windows[-1].end_s))
    order = np.argsort(at_s, kind="stable")
    at_s, values = at_s[order], values[order]
    edges = [np.searchsorted(at_s, (window.first_s, window.end_s)) for window in windows]
    parts = [values[first:end] for first, end in edges]
    return np.array([_figure(statement.metric, part) if len(part) else math.nan for part in parts])


def _samples(statement: Statement, run: Run, part: SteadyState) -> tuple[NDArray[np.int64], Floats]:
    """Return the seconds that samples tell of, and the samples."""
    series, source = SERIES[statement.selector.pattern], statement.selector.pattern.partition(".")[0]
    rows = judged(run.postgres, part) if source == "postgres" else judged_health(run, part)
    if source == "service":  # nothing samples it yet
        rows = rows.iloc[:0]
    values = rows[series.column].to_numpy(dtype=np.float64) * series.factor
    written_s = rows["unix_s"].to_numpy(dtype=np.float64)
    known = ~np.isnan(values) & ~np.isnan(written_s)
    return written_s[known].astype(np.int64) - 1, values[known]


def _figure(metric: Metric, values: Floats) -> float:
    match metric.figure:
        case "mean":
            return float(values.mean())
        case "min":
            return float(values.min())
        case "max":
            return float(values.max())
    assert metric.level is not None
    return float(np.quantile(values, metric.level / 100, method="inverted_cdf"))


def change_of(metric: Metric, values: Floats, part: SteadyState, n: int) -> tuple[Estimate | None, str]:
    """Return the degradation or the slope of the values of equal parts, or None and why there is none."""
    of = trend.degradation if metric.name == DEGRADATION else trend.slope_per_hour
    found = of(values, float(part.length_s), n)
    return found, f"fewer than {trend.FEWEST_BLOCKS} of {trend.BLOCKS} parts of {part.length_s} s have data"
