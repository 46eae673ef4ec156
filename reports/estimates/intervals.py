"""Formulas of 95 % confidence intervals, each on plain numbers.

Sources: Wilson 1927 (a share), the rule of three (no case seen), and the ratio estimator over time blocks
with Student's t, which allows for requests that are alike because they are near in time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
Z = float(special.ndtri(1 - ALPHA / 2))

BLOCKS = 10
SHORTEST_S = 10.0
"""Shorter blocks may be alike only because they are near in time. At the limit of a p95, of 30 s of latencies
whose level has an autocorrelation of 0.8 from second to second, 14 % pass over ten blocks, and 4 % where the
widest interval over ten, five and three is taken; at 0.95 still 11 %, which is why it is said."""
COARSER = (5, 3)


@dataclass(frozen=True)
class BlockLength:
    """Hold how long each of the blocks is, and what follows from it."""

    count: int
    length_s: float

    @property
    def is_short(self) -> bool:
        """Tell whether blocks may be alike only because they are near in time."""
        return self.length_s < SHORTEST_S

    @property
    def coarser(self) -> tuple[int, ...]:
        """Return into how many longer blocks they are merged besides."""
        return COARSER if self.is_short else ()

    @property
    def words(self) -> str:
        """Describe the blocks for the method of an estimate."""
        more = f", or {' or '.join(map(str, COARSER))} longer ones if wider" if self.is_short else ""
        return f"{self.count} blocks of {round(self.length_s, 1):g} s{more}"

    @property
    def caveat(self) -> str:
        """Say what short blocks leave open."""
        shown = f"blocks of {round(self.length_s, 1):g} s, under {SHORTEST_S:.0f} s, may miss slow swings"
        return shown if self.is_short else ""


def smallest_n(q: float) -> int:
    """Return the fewest samples that can bound quantile `q` from above: the least n with 1 - q^n >= 0.95.

    59 for p95, 299 for p99, 2995 for p99.9; 0 < q < 1.
    """
    return math.ceil(math.log(ALPHA) / math.log(q))


def share(k: float, n: float) -> tuple[float, float]:
    """Return the interval of k cases in n > 0, as ratios: see `shares`."""
    low, high = shares(np.array([float(k)]), np.array([float(n)]))
    return float(low[0]), float(high[0])


def shares(k: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Return the Wilson intervals of k cases in n > 0, as ratios; without a case up to 1 - 0.05^(1/n)."""
    p = k / n
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1.0))
    return low, np.where(k == 0, 1 - ALPHA ** (1 / n), high)


def student(freedom: int) -> float:
    """Return the quantile of Student's t that CONFIDENCE takes, for degrees of freedom of 1 or more."""
    return float(special.stdtrit(freedom, 1 - ALPHA / 2))


def block_shares(k: Floats, n: Floats, coarser: Sequence[int] = ()) -> tuple[Floats, Floats]:
    """Return the wider of Wilson's interval and Student's t over blocks, a column of k cases in n each.

    The rows are blocks of time; of a single block there is Wilson's interval alone. Columns need a case in n.
    `coarser` is as for `block_halfwidths`.
    """
    low, high = shares(k.sum(axis=0), n.sum(axis=0))
    if len(k) > 1:
        ratio, half = k.sum(axis=0) / n.sum(axis=0), block_halfwidths(k, n, coarser)
        # Fewer cases swing less: as in Wilson's upper end the variance taken is that of the end itself.
        swing = np.divide(half**2, ratio, out=np.zeros_like(half), where=ratio > 0)
        upper = ratio + swing / 2 + np.sqrt(swing * (ratio + swing / 4))
        low, high = np.minimum(low, ratio - half), np.maximum(high, upper)
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def block_halfwidth(amounts: Floats, weights: Floats, coarser: Sequence[int] = ()) -> float:
    """Return the half width of the interval of sum(amounts) / sum(weights) over blocks."""
    return float(block_halfwidths(amounts[:, None], weights[:, None], coarser)[0])


def block_halfwidths(amounts: Floats, weights: Floats, coarser: Sequence[int] = ()) -> Floats:
    """Return the half widths of the intervals of the ratios of sums, a column each, over m >= 2 blocks.

    se = sqrt(sum((a_i - r * w_i)^2) * m / (m - 1)) / sum(w) with r the ratio; times t with m - 1 degrees.
    `coarser` are fewer blocks to merge them into, as nearly equal as can be: the widest of all is returned.
    """
    widths, rows = [], len(amounts)
    residual = amounts - amounts.sum(axis=0) / weights.sum(axis=0) * weights
    for m in (rows, *coarser):
        merged = np.add.reduceat(residual, np.arange(m) * rows // m, axis=0)
        widths.append(student(m - 1) * np.sqrt((merged**2).sum(axis=0) * m / (m - 1)) / weights.sum(axis=0))
    widest: Floats = np.max(widths, axis=0)
    return widest
