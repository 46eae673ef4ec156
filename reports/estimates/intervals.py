"""Formulas of 95 % confidence intervals, each on plain numbers.

Sources: Wilson 1927 (a share), the rule of three (no case seen), and the ratio estimator over blocks of time
with Student's t. `swings` allows for seconds that are alike because they are near in time.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
Z = float(special.ndtri(1 - ALPHA / 2))


def normal(confidence: float) -> float:
    """Return how many standard deviations a normal lies within to both sides."""
    return float(special.ndtri((1 + confidence) / 2))


def smallest_n(q: float) -> int:
    """Return the fewest samples that can bound quantile `q` from above: the least n with 1 - q^n >= 0.95.

    59 for p95, 299 for p99, 2995 for p99.9; 0 < q < 1.
    """
    return math.ceil(math.log(ALPHA) / math.log(q))


def share(k: float, n: float) -> tuple[float, float]:
    """Return the interval of k cases in n > 0, as ratios: see `shares`."""
    low, high = shares(np.array([float(k)]), np.array([float(n)]))
    return float(low[0]), float(high[0])


def shares(k: Floats, n: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Return the Wilson intervals of k cases in n > 0, as ratios; without a case up to 1 - 0.05^(1/n)."""
    p, z = k / n, normal(confidence)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1.0))
    return low, np.where(k == 0, 1 - (1 - confidence) ** (1 / n), high)


def student(freedom: int) -> float:
    """Return the quantile of Student's t that CONFIDENCE takes, for degrees of freedom of 1 or more."""
    return float(special.stdtrit(freedom, 1 - ALPHA / 2))


def block_halfwidth(amounts: Floats, weights: Floats) -> float:
    """Return the half width of the interval of sum(amounts) / sum(weights) over m >= 2 blocks.

    se = sqrt(sum((a_i - r * w_i)^2) * m / (m - 1)) / sum(w) with r the ratio; times t with m - 1 degrees.
    """
    m, weight = len(amounts), weights.sum()
    residual = amounts - amounts.sum() / weight * weights
    return student(m - 1) * math.sqrt(float((residual**2).sum()) * m / (m - 1)) / float(weight)
