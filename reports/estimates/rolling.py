"""The figure of a metric in many windows of a run at once, to find the worst of them.

Windows are made of blocks of equal length, of which one begins with each block, or one after the other.
"""

import math

import numpy as np
from numpy.typing import NDArray

from reports.estimates.selection import METRIC, Selection
from reports.load.histograms import middle_ms
from reports.thresholds.metrics import Metric

Floats = NDArray[np.float64]

ROLLING = frozenset(
    {"max", "min", "mean", "count", "rps", "error_rate", "failures", "rate", "checks", "bytes", "bytes_per_s"}
)
"""The metrics besides percentiles of which there are figures in windows."""


def figures(metric: Metric, chosen: Selection, blocks: int, step: int) -> tuple[Floats, Floats]:
    """Return the figure of each window of so many blocks, NaN where nothing tells it, and its requests.

    The blocks are the periods of *chosen*; a window begins with every `step`-th of them.
    """

    def windows(values: Floats) -> Floats:
        reached = np.concatenate((np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)))
        found: Floats = (reached[blocks:] - reached[:-blocks])[::step]
        return found

    def extremes(values: Floats, pick: np.ufunc) -> Floats:
        per_block = np.full(chosen.periods, math.nan)
        inside = chosen.started >= 0
        pick.at(per_block, chosen.started[inside], values[inside])
        views = np.lib.stride_tricks.sliding_window_view(per_block, blocks)
        found: Floats = pick.reduce(views, axis=1)[::step]
        return found

    n, failures = windows(chosen.column("n")), windows(chosen.column("failures"))
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = {"error_rate": 100 * failures / n, "failures": failures, "count": n}
        shares["rate"] = shares["checks"] = 100 - shares["error_rate"]
    if metric.figure in {"rps", "bytes_per_s"}:
        column = "n" if metric.figure == "rps" else "bytes"
        ended = windows(chosen.by_period(chosen.recording.column(column), "ended_s"))
        return ended / (blocks * chosen.period_s), n
    match metric.figure:
        case "max":
            return extremes(chosen.latencies.max_ms, np.fmax), n
        case "min":
            return extremes(chosen.recording.column("min_ms"), np.fmin), n
        case "mean":
            sums_ms, answered = windows(chosen.by_period(chosen.latencies.sum_ms)), n - failures
            return np.divide(sums_ms, answered, where=answered > 0, out=np.full(len(n), math.nan)), n
        case "count" if chosen.what == METRIC:
            return windows(chosen.column("sum_ms")), n
        case "bytes":
            return windows(chosen.column("bytes")), n
        case figure if figure in shares:
            return shares[figure], n
    assert metric.level is not None
    histograms = chosen.histogram(chosen.latencies.histograms)
    used = np.append(np.flatnonzero(histograms.any(axis=0)), histograms.shape[1] - 1)
    return _percentiles(windows(histograms[:, used]), used, metric.level), n


def _percentiles(counts: Floats, buckets: NDArray[np.intp], level: float) -> Floats:
    """Return the percentile of each row of counts by buckets, by nearest rank; NaN without a count."""
    reached = np.cumsum(counts, axis=1)
    at = (reached < np.ceil(level / 100 * reached[:, -1:] * (1 - 1e-12))).sum(axis=1)
    return np.where(reached[:, -1] > 0, middle_ms(buckets[at]), math.nan)
