"""Formulas of 95 % confidence intervals, each on plain numbers.

Sources: Clopper and Pearson 1934 (ranks of a quantile), Wilson 1927 (a share), the rule of three (no case
seen), and the ratio estimator over time blocks with Student's t, which allows for requests that are alike
because they are near in time.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
Z = float(stats.norm.ppf(1 - ALPHA / 2))


def smallest_n(q: float) -> int:
    """Return the fewest samples that can bound quantile `q` from above: the least n with 1 - q^n >= 0.95.

    59 for p95, 299 for p99, 2995 for p99.9; 0 < q < 1.
    """
    return math.ceil(math.log(ALPHA) / math.log(q))


def quantile_ranks(q_low: float, q_high: float, n: float) -> tuple[float, float]:
    """Return the shares of the sorted sample between which the quantile lies (Clopper-Pearson around q * n).

    `q_low` and `q_high` differ where the quantile itself is only known to be between them; n is the number of
    independent samples, which need not be whole.
    """
    low = float(stats.beta.ppf(ALPHA / 2, q_low * n, n - q_low * n + 1)) if q_low > 0 else 0.0
    high = float(stats.beta.ppf(1 - ALPHA / 2, q_high * n + 1, n - q_high * n)) if q_high < 1 else 1.0
    return low, high


def share(k: float, n: float) -> tuple[float, float]:
    """Return the Wilson interval of k cases in n > 0, as ratios; without a case 1 - 0.05^(1/n) bounds it."""
    if k == 0:
        return 0.0, 1 - ALPHA ** (1 / n)
    p = k / n
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return max(centre - half, 0.0), 1.0 if k == n else min(centre + half, 1.0)


def block_halfwidth(amounts: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the half width of the interval of sum(amounts) / sum(weights) over m >= 2 blocks.

    se = sqrt(sum((a_i - r * w_i)^2) * m / (m - 1)) / sum(w) with r the ratio; times t with m - 1 degrees.
    """
    m = len(amounts)
    ratio = amounts.sum() / weights.sum()
    se = math.sqrt(float(((amounts - ratio * weights) ** 2).sum()) * m / (m - 1)) / float(weights.sum())
    return float(stats.t.ppf(1 - ALPHA / 2, m - 1)) * se
