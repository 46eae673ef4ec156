"""Estimate the spread of latencies, apdex and bytes from the recorder's seconds.

Each is a ratio of sums, or nearly one: of a standard deviation the influence of every request is added up
(Hampel 1974), so that `half_width` gives its interval as that of a mean.
"""

import math

import numpy as np
from numpy.typing import NDArray

from reports.estimates import intervals
from reports.estimates.estimate import SMALLEST_MEAN_N, Estimate, exact
from reports.estimates.selection import Selection
from reports.estimates.swings import MIN_PERIODS, correlation_length, half_width, off_ratio
from reports.load.histograms import bucket_of, middle_ms

Floats = NDArray[np.float64]

TOLERATED = 4
"""Times the target of apdex: so slow an answer counts half (Apdex Technical Specification 1.1)."""


def stdev(chosen: Selection, *, as_variation: bool) -> Estimate | None:
    """Return the standard deviation of the successes in ms, or in per cent of their mean."""
    answered = chosen.histogram(chosen.latencies.histograms)
    counts, at_ms = answered.sum(axis=0), middle_ms(np.arange(answered.shape[1]))
    n = float(counts.sum())
    if n < 2:
        return None
    mean_ms = float(counts @ at_ms) / n
    off_ms = at_ms - mean_ms
    stdev_ms = math.sqrt(float(counts @ off_ms**2) / (n - 1))
    if not stdev_ms or not mean_ms:
        return exact(0.0, int(n), "all latencies are alike")
    value, influence = stdev_ms, (off_ms**2 - stdev_ms**2) / (2 * stdev_ms)
    if as_variation:
        value, influence = 100 * stdev_ms / mean_ms, 100 * (influence - stdev_ms / mean_ms * off_ms) / mean_ms
    return _ratio(chosen, answered @ influence, answered.sum(axis=1), float(counts @ influence**2) / n, value)


def apdex(chosen: Selection, satisfied_ms: float) -> Estimate | None:
    """Return the apdex: 1 for each success of up to *satisfied_ms*, 1/2 up to four times that, else 0."""
    answered, n = chosen.histogram(chosen.latencies.histograms), chosen.column("n")
    if not n.any():
        return None
    buckets = np.arange(answered.shape[1])
    score = (buckets <= bucket_of(satisfied_ms)) / 2 + (buckets <= bucket_of(TOLERATED * satisfied_ms)) / 2
    value = float((answered @ score).sum() / n.sum())
    squares = float((answered @ score**2).sum() / n.sum())
    found = _ratio(chosen, answered @ score, n, squares - value**2, value)
    low, high = (None if end is None else min(max(end, 0.0), 1.0) for end in (found.low, found.high))
    return Estimate(value, low, high, found.n, found.method, needed_n=found.needed_n)


def bytes_per_s(chosen: Selection) -> Estimate:
    """Return the bytes of the answers a second, as they ended."""
    received = chosen.by_period(chosen.recording.column("bytes"), "ended_s")
    lengths_s = np.full(len(received), chosen.period_s)
    noise = float((np.diff(received / lengths_s) ** 2).mean()) / 2 if len(received) > 1 else 0.0
    value = float(received.sum()) / chosen.window.length_s
    return _ratio(chosen, received, lengths_s, noise * chosen.period_s, value, chosen.n)


def _ratio(
    chosen: Selection, amounts: Floats, weights: Floats, variance: float, value: float, n: float | None = None
) -> Estimate:
    """Return the estimate of a value whose noise is that of the ratio of amounts to weights.

    `variance` is that of what one unit of weight adds.
    """
    n = float(weights.sum()) if n is None else n
    half = intervals.normal(chosen.confidence) * math.sqrt(max(variance, 0.0) / float(weights.sum()))
    noise = max(variance, 0.0) / float(weights.mean())
    if chosen.periods >= MIN_PERIODS:
        half = max(half, half_width(amounts, weights, noise, chosen.confidence))
    correlation_s = chosen.period_s * correlation_length(off_ratio(amounts, weights), noise)
    needed_n = None if n >= SMALLEST_MEAN_N else SMALLEST_MEAN_N
    low, high = (None, None) if needed_n else (max(value - half, 0.0), value + half)
    words = chosen.words(correlation_s)
    return Estimate(value, low, high, int(n), words, needed_n=needed_n, correlation_s=correlation_s)
