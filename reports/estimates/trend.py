"""Estimate how a figure changes over time: by the slope of Theil and Sen over BLOCKS equal parts.

Parts, and not seconds, as neighbouring seconds are alike: of the intervals over 12 parts 4 to 8 % miss the
truth, of those over seconds up to half (Theil 1950; Sen 1968 for the interval).
"""

import numpy as np
from numpy.typing import NDArray

from reports.estimates.estimate import Estimate
from reports.estimates.intervals import CONFIDENCE

Floats = NDArray[np.float64]

BLOCKS = 12
FEWEST_BLOCKS = 6
HOUR_S = 3600.0


def slope_per_hour(values: Floats, length_s: float, n: int) -> Estimate | None:
    """Return the slope of the values of equal parts of so many seconds together, per hour."""
    found = _theil_sen(values, length_s)
    if found is None:
        return None
    slope, low, high, _ = (HOUR_S * each for each in found)
    return Estimate(slope, low, high, n, _words(values))


def degradation(values: Floats, length_s: float, n: int) -> Estimate | None:
    """Return by how many per cent the values rise over their time, of what they begin with."""
    found = _theil_sen(values, length_s)
    if found is None:
        return None
    slope, low, high, middle = found
    began = middle - slope * length_s / 2
    if began <= 0:
        return None
    rise, least, most = (100 * each * length_s / began for each in (slope, low, high))
    return Estimate(rise, least, most, n, _words(values))


def _theil_sen(values: Floats, length_s: float) -> tuple[float, float, float, float] | None:
    """Return the slope a second with the ends of its interval, and the value in the middle of the time."""
    at_s = (np.arange(len(values)) + 0.5) * length_s / len(values)
    known = ~np.isnan(values)
    if known.sum() < FEWEST_BLOCKS:
        return None
    # Here, as it takes as long to import as all else together, and few limits are about a trend.
    from scipy import stats

    slope, intercept, low, high = stats.theilslopes(values[known], at_s[known], CONFIDENCE)
    return float(slope), float(low), float(high), float(intercept + slope * length_s / 2)


def _words(values: Floats) -> str:
    return f"slope of Theil and Sen over {int((~np.isnan(values)).sum())} parts"
