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

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

STILL = 0.8
"""The prior probability that a level does not swing at all."""
CORRELATIONS = np.array([0.0, 0.2, 0.4, 0.55, 0.67, 0.76, 0.83, 0.88, 0.92, 0.945, 0.965, 0.98, 0.99])
"""From one period to the next."""
SIZES = np.geomspace(0.05, 400.0, 22)
"""Variances of a swing, in those of the noise."""
MAX_PERIODS = 600
"""Longer runs are taken in longer periods than a second: a swing that ends within one is noise between them."""
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


def period_s(seconds: int, n: float, wanted_n: float) -> int:
    """Return how many seconds a period should have for `wanted_n` of n requests in each, at least 1."""
    return max(math.ceil(seconds / MAX_PERIODS), math.ceil(wanted_n * seconds / max(n, 1.0)), 1)
