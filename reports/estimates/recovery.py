"""Estimate how long a service needs after a stage until it is again as it was before that.

What was usual before the stage is its p95, which 5 % of requests exceed. In each second after the stage it is
looked at how many of the requests of the next LOOK_S exceed it, or fail. The service is back from the first
second on in which these are at most TOLERATED times as many. The interval ends where it is sure.
"""

import math

import numpy as np
from numpy.typing import NDArray

from reports.estimates import intervals
from reports.estimates.estimate import Estimate
from reports.estimates.selection import Selection
from reports.load.histograms import bucket_of, percentile_ms

Floats = NDArray[np.float64]

LOOK_S = 5
USUAL = 0.05
TOLERATED = 2.0
FEWEST_BEFORE = 59
FEWEST_LOOKED_AT = 10


def recovery_s(before: Selection, after: Selection) -> tuple[Estimate | None, str]:
    """Return the seconds that the requests of *after* take to be as those of *before*, or why it is not told.

    Both selections are cut into seconds.
    """
    usual = before.histogram(before.latencies.histograms)
    if usual.sum() < FEWEST_BEFORE:
        return None, f"only {usual.sum():.0f} successes before the stage tell what was usual, 59 are needed"
    bound = bucket_of(percentile_ms(usual.sum(axis=0), 100 * (1 - USUAL)))
    failed = before.failures / before.n
    slow = after.histogram(after.latencies.histograms)[:, bound + 1 :].sum(axis=1) + after.column("failures")
    k, n = (_next_seconds(values) for values in (slow, after.column("n")))
    allowed = TOLERATED * (USUAL * (1 - failed) + failed)
    known = n >= FEWEST_LOOKED_AT
    if not known.any():
        return None, f"fewer than {FEWEST_LOOKED_AT} requests in any {LOOK_S} s after the stage"
    low, high = intervals.shares(k, np.maximum(n, 1))
    is_back, is_away = known & (k <= allowed * n), known & (low > allowed)
    surely_back = known & (high <= 2 * allowed) & is_back
    count = len(k)
    # The last second that was surely not back: whatever looked like it before was chance.
    least = int(np.flatnonzero(is_away)[-1]) + 1 if is_away.any() else 0
    back = np.flatnonzero(is_back[least:])
    sure = np.flatnonzero(surely_back[least:])
    value = least + int(back[0]) if len(back) else None
    end = float(least + int(sure[0])) if len(sure) else None
    method = f"until of {LOOK_S} s at most {100 * allowed:.3g}% are as slow as 5% were before, or fail"
    if value is None:
        return Estimate(None, float(least), None, int(n.max()), f"{method}; not within {count} s"), ""
    return Estimate(float(value), float(least), end, int(n.max()), method), ""


def _next_seconds(values: Floats) -> Floats:
    """Return the sum of each second and the LOOK_S - 1 after it, as many as there are whole ones."""
    reached = np.concatenate(([0.0], np.cumsum(values)))
    found: Floats = reached[LOOK_S:] - reached[:-LOOK_S]
    return found if len(found) else np.full(1, math.nan)
