"""The figures of a limit by periods: amounts and weights, whose sums' ratio is the figure of a window."""

import math
from dataclasses import dataclass

import numpy as np

from reports.estimates.selection import Floats, Selection
from reports.load.histograms import middle_ms
from reports.thresholds.statement import Statement


@dataclass(frozen=True)
class Figures:
    """Hold the amounts and weights of the seconds of a window: their sums' ratio is the figure.

    `noise` is the variance that the ratio of one second has by chance, at its mean weight; `cases` says that
    the amounts are cases of the weights, such as failures of requests.
    """

    amounts: Floats
    weights: Floats
    noise: float
    are_cases: bool

    @property
    def value(self) -> float:
        """Return the figure of the window, NaN for none."""
        total = float(self.weights.sum())
        return float(self.amounts.sum()) / total if total else math.nan

    @property
    def off(self) -> Floats:
        """Return how far each second is off the figure, at its mean weight."""
        off: Floats = (self.amounts - self.value * self.weights) / self.weights.mean()
        return off


def figures(side: Statement, chosen: Selection) -> Figures | None:
    """Return what a limit is about in each period of a selection, None where there is nothing of it.

    Of a percentile these are the requests over its limit.
    """
    metric = side.metric
    if metric.level is not None:
        return _over(side, chosen)
    column = chosen.recording.column
    if metric.figure == "rps":
        finished = chosen.by_period(column("n"), "ended_s")
        return Figures(finished, np.ones(len(finished)), max(float(finished.mean()), 1e-9), are_cases=False)
    if metric.figure == "mean":
        return _mean(side, chosen)
    n, failures = chosen.by_period(column("n")), chosen.by_period(column("failures"))
    return _cases(failures if metric.figure == "error_rate" else n - failures, n)


def _cases(amounts: Floats, weights: Floats) -> Figures | None:
    total = float(weights.sum())
    if not total:
        return None
    share = min(max(float(amounts.sum()) / total, 1 / (total + 1)), total / (total + 1))
    return Figures(amounts, weights, share * (1 - share) * len(weights) / total, are_cases=True)


def _over(side: Statement, chosen: Selection) -> Figures | None:
    limit_ms = side.recorded.first_value_outside
    limits_ms = chosen.recording.limits_ms
    if limit_ms not in limits_ms:
        return None
    over = chosen.by_period(chosen.latencies.over[:, limits_ms.index(limit_ms)])
    return _cases(over, chosen.by_period(chosen.latencies.histograms.counted()))


def _mean(side: Statement, chosen: Selection) -> Figures | None:
    counts = chosen.by_period(chosen.latencies.histograms.counted())
    n = float(counts.sum())
    if not n:
        return None
    scale = side.recorded.limit / side.limit if side.limit else 1.0
    merged = chosen.histogram(chosen.latencies.histograms).sum(axis=0)
    at_ms = middle_ms(np.arange(len(merged)))
    variance = float(np.average((at_ms - np.average(at_ms, weights=merged)) ** 2, weights=merged))
    sums = chosen.by_period(chosen.latencies.sum_ms)
    return Figures(sums / scale, counts, variance / scale**2 * len(counts) / n, are_cases=False)
