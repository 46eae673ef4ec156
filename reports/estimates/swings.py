"""Say how certain a mean over seconds is when neighbouring seconds are alike.

What a service does in one second is like what it did in the second before: its level swings, and twice as
many seconds are not twice the evidence. The seconds of a run are taken as a level, a swing around it and
noise: the swing an AR(1) process, the noise that of the requests which happened to fall into a second, whose
variance is known. How large and how slow a swing may be is not known, and a run of a minute cannot tell it
well. So none is estimated: every pair of a grid is weighed by how well it explains the seconds (Whittle's
likelihood, Whittle 1953: periodogram against spectral density) and by a prior, of which STILL is on "there is
no swing". Each pair has a variance of the mean; the interval is that of the mixture of normals. On seconds
that are independent it is a little wider than theirs, and where they may swing slowly it is as wide as that
asks for. `make simulate` counts the wrong verdicts.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from reports.estimates import intervals
from reports.estimates.intervals import CONFIDENCE

Floats = NDArray[np.float64]

STILL = 0.8
"""The prior probability that a level does not swing at all."""
TREND = 0.001
"""That it rises or falls evenly, which leaves no doubt of its mean."""
CORRELATIONS = np.array([0.0, 0.2, 0.4, 0.55, 0.67, 0.76, 0.83, 0.88, 0.92, 0.945, 0.965, 0.98, 0.99])
"""From one period to the next."""
SIZES = np.geomspace(0.05, 400.0, 22)
"""Variances of a swing, in those of the noise."""
MAX_PERIODS = 600
"""Longer runs are taken in longer periods than a second: a swing that ends within one is noise then."""
PERIOD_N = 20
"""Requests that a period should have; FEW_PERIODS there are also of fewer, where there are the seconds."""
FEW_PERIODS = 12
MIN_PERIODS = 4
ATOMS = 12
STEPS = 20


@dataclass(frozen=True)
class Spread:
    """Hold what the variances of some means may be, a column each: ATOMS rows or more, each as likely."""

    variances: Floats

    def plus(self, variance: Floats) -> "Spread":
        """Return the spread of the means with an independent variance added, which is known."""
        return Spread(self.variances + variance)

    def scaled(self, factor: Floats) -> "Spread":
        """Return the spread of the means times the root of a factor each."""
        return Spread(self.variances * factor)

    def with_other(self, other: "Spread") -> "Spread":
        """Return the spread of the sums of two independent means each."""
        together = self.variances[:, None] + other.variances[None]
        return Spread(together.reshape(-1, together.shape[-1]))

    def half_widths(self, confidence: float) -> Floats:
        """Return the half widths of the intervals of the means, each that of a mixture of normals."""
        level = (1 + confidence) / 2
        deviations = np.sqrt(np.maximum(self.variances, np.finfo(float).tiny))
        high: Floats = special.ndtri(level) * deviations.max(axis=0)
        low = np.zeros_like(high)
        for _ in range(STEPS):
            middle = (low + high) / 2
            is_inside = special.ndtr(middle / deviations).mean(axis=0) < level
            low, high = np.where(is_inside, middle, low), np.where(is_inside, high, middle)
        return high


@dataclass(frozen=True)
class _Grid:
    """Hold what every pair of the grid says of n periods; the first rows are "no swing" and "a trend"."""

    correlations: Floats
    inverse_density: Floats
    log_prior: Floats
    mean_variances: Floats
    ascending: NDArray[np.intp]


@lru_cache(maxsize=4)
def _grid(n: int) -> _Grid:
    pairs = np.meshgrid(CORRELATIONS, SIZES)
    correlations, sizes = (np.concatenate(([0.0, 0.0], grid.ravel())) for grid in pairs)
    rho = correlations[:, None]
    frequencies = 2 * np.pi * np.arange(1, n // 2 + 1) / n
    density = 1 + sizes[:, None] * (1 - rho**2) / (1 - 2 * rho * np.cos(frequencies) + rho**2)
    prior = np.full(len(sizes), (1 - STILL - TREND) / (len(sizes) - 2))
    # The slope of a trend is fitted, which costs half the logarithm of n (Schwarz 1978).
    prior[:2] = STILL, TREND / math.sqrt(n)
    lags = np.arange(1, n)
    of_unit = (1 + 2 * (rho**lags * (1 - lags / n)).sum(axis=1)) / n
    log_prior = np.log(prior) - np.log(density).sum(axis=1)
    variances = sizes * of_unit
    return _Grid(correlations, 1 / density, log_prior, variances, np.argsort(variances))


def _periodogram(values: Floats) -> Floats:
    """Return the power of each frequency above 0 in the columns, that of white noise being its variance."""
    n = len(values)
    power: Floats = np.abs(np.fft.rfft(values, axis=0)[1 : n // 2 + 1]) ** 2 / n
    return power


def _weighed(values: Floats, noise: Floats) -> tuple[_Grid, Floats]:
    """Return the grid and how likely each of its rows is for the columns of *values*; as for `swings`."""
    n = len(values)
    grid = _grid(n)
    at = np.arange(n) - (n - 1) / 2
    trend = at[:, None] * (at @ values / (at @ at))
    power, rest = (_periodogram(each) / noise for each in (values, values - trend))
    log_weights = grid.log_prior[:, None] - grid.inverse_density @ power
    log_weights[1] = grid.log_prior[1] - rest.sum(axis=0)
    weights: Floats = np.exp(log_weights - special.logsumexp(log_weights, axis=0))
    return grid, weights


def swings(values: Floats, noise: Floats, periods: int | None = None) -> Spread:
    """Return what the variances of the means of columns may be by their swings, without that of the noise.

    `values` are figures of four or more neighbouring periods (rows) of equal length; `noise` is the variance
    that each figure of a column has by chance, above 0. The means are those of so many `periods`, where these
    are others that swing alike.
    """
    grid, weights = _weighed(values, noise)
    if periods is not None:
        grid = _grid(periods)
    reached = np.cumsum(weights[grid.ascending], axis=0)
    at = (reached[None] < ((np.arange(ATOMS) + 0.5) / ATOMS)[:, None, None]).sum(axis=1)
    return Spread(noise * grid.mean_variances[grid.ascending][np.minimum(at, len(reached) - 1)])


def correlation_length(values: Floats, noise: float) -> float:
    """Return after how many periods a swing is alike by 1/e only, 0 where there more likely is none.

    `values` are figures of neighbouring periods, `noise` the variance that each has by chance.
    """
    if len(values) < MIN_PERIODS or noise <= 0:
        return 0.0
    grid, weights = _weighed(values[:, None], np.array([noise]))
    swinging = 1 - float(weights[:2, 0].sum())
    correlation = float(grid.correlations @ weights[:, 0])
    return -1 / math.log(correlation / swinging) if swinging > 0.5 and correlation > 0 else 0.0


@dataclass(frozen=True)
class Levels:
    """Hold how far the mean log latency of each period is off that of all, times its share of the requests.

    `noise` is the variance that such a figure has by chance. Of few requests a second, 5 % of which are over
    a limit, chance hides a swing of that share; it shows in the logarithms of all of them.
    """

    values: Floats
    noise: float

    @classmethod
    def of(cls, counts: Floats, logs: Floats) -> "Levels":
        """Return those of histograms: counts of periods (rows) by latencies (columns) with these logs."""
        n, total, squares = counts.sum(axis=1), counts @ logs, counts @ logs**2
        if not n.any():
            return cls(np.zeros(len(counts)), 0.0)
        mean_n, within = n.mean(), float((squares - total**2 / np.maximum(n, 1)).sum())
        freedom = max(float(n.sum()) - np.count_nonzero(n), 1.0)
        return cls((total - total.sum() / n.sum() * n) / mean_n, within / freedom / mean_n)

    def shares(self, slopes: Floats, share: Floats, n: Floats) -> Floats:
        """Return what the levels make of shares of n cases, for columns; none leaves 0 or 1."""
        weight = n / n.mean(axis=0)
        return np.clip(self.values[:, None] * slopes, -share * weight, (1 - share) * weight)


def share_bounds(
    k: Floats,
    n: Floats,
    allowed: float = 0.0,
    levels: Levels | None = None,
    slopes: tuple[Floats, Floats] | None = None,
    confidence: float = CONFIDENCE,
) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of k cases in n over periods (rows), for columns; none below Wilson's.

    The variance is the larger of two: of the cases themselves, and of what follows from `levels` by `slopes`,
    the change of a share by its level, with that of the rest. A share below `allowed` gets the variance of
    that, and `slopes` holds that of it besides: a run that was lucky must not look certain.
    """
    total = n.sum(axis=0)
    share = k.sum(axis=0) / total
    low, high = intervals.shares(k.sum(axis=0), total, confidence)
    periods, mean_n = len(k), total / len(k)
    if periods < MIN_PERIODS:
        return low, high
    seen, at_limit = (np.clip(np.maximum(share, least), 1 / total, 1 - 1 / total) for least in (0.0, allowed))
    factor = at_limit * (1 - at_limit) / (seen * (1 - seen))
    chance = seen * (1 - seen) / mean_n
    off = (k - share * n) / mean_n
    half = swings(off, chance).plus(chance / periods).scaled(factor).half_widths(confidence)
    if levels is not None and slopes is not None and levels.noise > 0:
        rest = swings(off - levels.shares(slopes[0], share, n), chance).plus(chance / periods).scaled(factor)
        noise = np.maximum(levels.noise * slopes[1] ** 2, np.finfo(float).tiny)
        level = swings(levels.shares(slopes[1], at_limit, n), noise)
        half = np.maximum(half, level.with_other(rest).half_widths(confidence))
    # As in Wilson's upper end the variance taken is that of the end itself; without a case
    # nothing of it is known but what the levels tell.
    independent_n = np.minimum(at_limit * (1 - at_limit) * (intervals.normal(confidence) / half) ** 2, total)
    if levels is None or correlation_length(levels.values, levels.noise) == 0:
        independent_n = np.where(k.any(axis=0), independent_n, total)
    wilson = intervals.shares(share * independent_n, independent_n, confidence)
    low = np.minimum.reduce([low, wilson[0], share - half])
    high = np.maximum.reduce([high, wilson[1], np.where(k.any(axis=0), share + half, 0.0)])
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def off_ratio(amounts: Floats, weights: Floats) -> Floats:
    """Return how far each period is off the ratio of the sums, times its part of the weight."""
    off: Floats = (amounts - amounts.sum() / weights.sum() * weights) / weights.mean()
    return off


def half_width(amounts: Floats, weights: Floats, noise: float, confidence: float = CONFIDENCE) -> float:
    """Return the half width of the interval of sum(amounts) / sum(weights) over periods.

    `noise` is the variance that the ratio of one period has by chance, at its mean weight.
    """
    chance = np.array([max(noise, np.finfo(float).tiny)])
    off = off_ratio(amounts, weights)[:, None]
    return float(swings(off, chance).plus(chance / len(off)).half_widths(confidence)[0])


def period_count(seconds: int, n: float) -> int:
    """Return into how many periods a window is cut that has n requests: PERIOD_N each, a second at least."""
    by_n = max(n / PERIOD_N, min(FEW_PERIODS, n))
    return max(int(min(seconds, by_n, MAX_PERIODS)), 1)
