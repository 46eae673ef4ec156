"""Say how certain a mean over seconds is when neighbouring seconds are alike.

What a service does in one second is like what it did in the second before: its level swings, and twice as many
seconds are not twice the evidence. The seconds of a run are taken as a level, a swing around it and noise:
the swing an AR(1) process, the noise that of the requests which happened to fall into a second, whose variance
is known. How large and how slow a swing may be is not known, and a run of a minute cannot tell it well. So
none is estimated: every pair of a grid is weighed by how well it explains the seconds (Whittle's likelihood,
Whittle 1953: periodogram against spectral density) and by a prior, of which STILL is on "there is no swing".
Each pair has a variance of the mean; the interval is that of the mixture of normals. On seconds that are
independent it is a little wider than theirs, and where they may swing slowly it is as wide as that asks for.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from reports.estimates import intervals
from reports.estimates.intervals import CONFIDENCE, Z

Floats = NDArray[np.float64]

STILL = 0.8
"""The prior probability that a level does not swing at all."""
CORRELATIONS = np.array([0.0, 0.2, 0.4, 0.55, 0.67, 0.76, 0.83, 0.88, 0.92, 0.945, 0.965, 0.98, 0.99])
"""From one period to the next."""
SIZES = np.geomspace(0.05, 400.0, 22)
"""Variances of a swing, in those of the noise."""
MAX_PERIODS = 600
"""Longer runs are taken in longer periods than a second: a swing that ends within one is noise between them."""
WANTED_N = 20
FEWEST = 12
"""So many periods there are also of fewer requests, where a window has the seconds and the requests for it."""
MIN_PERIODS = 4
ATOMS = 16
STEPS = 30


@dataclass(frozen=True)
class Spread:
    """Hold what the variances of some means may be, a column each: ATOMS rows or more, each as likely.

    `correlation` is how alike two neighbouring periods are in their level, 0 where nothing swings.
    """

    variances: Floats
    correlation: Floats

    def plus(self, variance: Floats) -> "Spread":
        """Return the spread of the means with an independent variance added, which is known."""
        return Spread(self.variances + variance, self.correlation)

    def scaled(self, factor: Floats) -> "Spread":
        """Return the spread of the means times the root of a factor each."""
        return Spread(self.variances * factor, self.correlation)

    def with_other(self, other: "Spread") -> "Spread":
        """Return the spread of the sums of two independent means each."""
        together = self.variances[:, None] + other.variances[None]
        correlation = np.maximum(self.correlation, other.correlation)
        return Spread(together.reshape(-1, together.shape[-1]), correlation)

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
    """Hold what every pair of the grid says of n periods; the first row is "no swing"."""

    correlations: Floats
    inverse_density: Floats
    log_prior: Floats
    mean_variances: Floats
    ascending: NDArray[np.intp]


@lru_cache(maxsize=4)
def _grid(n: int) -> _Grid:
    correlations, sizes = (np.concatenate(([0.0], grid.ravel())) for grid in np.meshgrid(CORRELATIONS, SIZES))
    sizes[0] = 0.0
    rho = correlations[:, None]
    frequencies = 2 * np.pi * np.arange(1, n // 2 + 1) / n
    density = 1 + sizes[:, None] * (1 - rho**2) / (1 - 2 * rho * np.cos(frequencies) + rho**2)
    prior = np.full(len(sizes), (1 - STILL) / (len(sizes) - 1))
    prior[0] = STILL
    lags = np.arange(1, n)
    of_unit = (1 + 2 * (rho**lags * (1 - lags / n)).sum(axis=1)) / n
    log_prior = np.log(prior) - np.log(density).sum(axis=1)
    variances = sizes * of_unit
    return _Grid(correlations, 1 / density, log_prior, variances, np.argsort(variances))


def swings(values: Floats, noise: Floats) -> Spread:
    """Return what the variances of the means of columns may be by their swings, without that of the noise.

    `values` are figures of four or more neighbouring periods (rows) of equal length; `noise` is the variance
    that each figure of a column has by chance, above 0.
    """
    n = len(values)
    grid = _grid(n)
    transformed = np.fft.rfft(values - values.mean(axis=0), axis=0)[1 : n // 2 + 1]
    log_weights = grid.log_prior[:, None] - grid.inverse_density @ (np.abs(transformed) ** 2 / n / noise)
    weights = np.exp(log_weights - special.logsumexp(log_weights, axis=0))
    reached = np.cumsum(weights[grid.ascending], axis=0)
    at = (reached[None] < ((np.arange(ATOMS) + 0.5) / ATOMS)[:, None, None]).sum(axis=1)
    variances = grid.mean_variances[grid.ascending][np.minimum(at, len(reached) - 1)]
    return Spread(noise * variances, grid.correlations @ weights)


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
        """Return those of histograms: counts of periods (rows) by latencies (columns), whose logs are given."""
        n, total, squares = counts.sum(axis=1), counts @ logs, counts @ logs**2
        mean_n, within = n.mean(), float((squares - total**2 / np.maximum(n, 1)).sum())
        freedom = max(float(n.sum()) - np.count_nonzero(n), 1.0)
        return cls((total - total.sum() / n.sum() * n) / mean_n, within / freedom / mean_n)


def share_bounds(
    k: Floats, n: Floats, allowed: float = 0.0, levels: Levels | None = None, slopes: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of k cases in n over periods (rows), for columns; none below Wilson's.

    The variance is the larger of two: of the cases themselves, and of what follows from `levels` by `slopes`,
    the change of a share by its level, with that of the rest. A share below `allowed` gets the variance of
    that: a run that was lucky must not look certain.
    """
    total = n.sum(axis=0)
    share = k.sum(axis=0) / total
    low, high = intervals.shares(k.sum(axis=0), total)
    periods, mean_n = len(k), total / len(k)
    if periods < MIN_PERIODS:
        return low, high
    seen, at_limit = (np.clip(np.maximum(share, least), 1 / total, 1 - 1 / total) for least in (0.0, allowed))
    factor = at_limit * (1 - at_limit) / (seen * (1 - seen))
    chance = seen * (1 - seen) / mean_n
    off = (k - share * n) / mean_n
    half = swings(off, chance).plus(chance / periods).scaled(factor).half_widths(CONFIDENCE)
    if levels is not None and slopes is not None and levels.noise > 0:
        rest = swings(off - levels.values[:, None] * slopes, chance).plus(chance / periods).scaled(factor)
        level = swings(levels.values[:, None], np.array([levels.noise]))
        by_level = Spread(level.variances * (slopes * np.maximum(factor, 1.0)) ** 2, level.correlation)
        half = np.maximum(half, by_level.with_other(rest).half_widths(CONFIDENCE))
    # As in Wilson's upper end the variance taken is that of the end itself.
    independent_n = np.minimum(at_limit * (1 - at_limit) * (Z / half) ** 2, total)
    wilson = intervals.shares(share * independent_n, independent_n)
    low = np.minimum.reduce([low, wilson[0], share - half])
    high = np.maximum.reduce([high, np.where(k.any(axis=0), wilson[1], high), share + half])
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def half_width(amounts: Floats, weights: Floats, noise: float) -> float:
    """Return the half width of the interval of sum(amounts) / sum(weights) over periods.

    `noise` is the variance that the ratio of one period has by chance, at its mean weight.
    """
    ratio = amounts.sum() / weights.sum()
    off = ((amounts - ratio * weights) / weights.mean())[:, None]
    chance = np.array([max(noise, np.finfo(float).tiny)])
    return float(swings(off, chance).plus(chance / len(off)).half_widths(CONFIDENCE)[0])


def period_count(seconds: int, n: float) -> int:
    """Return into how many periods a window is cut that has n requests: WANTED_N in each, a second at least."""
    by_n = max(n / WANTED_N, min(FEWEST, n))
    return max(int(min(seconds, by_n, MAX_PERIODS)), 1)
