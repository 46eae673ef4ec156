"""Estimate a percentile from those that Locust wrote, which it rounded, and which failures are among."""

import math
from collections.abc import Callable, Sequence

from reports.estimates import intervals
from reports.estimates.chosen import Chosen
from reports.estimates.estimate import INDEPENDENT, Ends, Estimate
from reports.estimates.levels import Levels, levels_of, rounding_ms

MIXED_RATIO = 0.05
"""With more failures than that, latencies are not read between Locust's percentiles."""


def csv_percentile(level: float, chosen: Chosen) -> Estimate | None:
    """Return the estimate of a percentile in per cent; of several names the bounds over all of them."""
    members = [
        _percentile_of(level, Chosen(chosen.run, chosen.rows.iloc[[i]])) for i in range(len(chosen.rows))
    ]
    known = [member for member in members if member is not None]
    if not known or len(known) < len(members):
        return None
    if len(known) == 1:
        return known[0]
    values = {member.value for member in known}
    return Estimate(
        value=values.pop() if len(values) == 1 else None,
        low=_if_all(min, [member.low for member in known]),
        high=_if_all(max, [member.high for member in known]),
        n=chosen.n - chosen.failures,
        method=f"bounds over {len(known)} names, as percentiles cannot be averaged; {known[0].method}",
        needed_n=max((member.needed_n for member in known if member.needed_n is not None), default=None),
        caveat=chosen.caveat,
    )


def _percentile_of(level: float, member: Chosen) -> Estimate | None:
    points = levels_of(member.rows.iloc[0])
    if points is None:
        return None
    effect = _design_effect(member)
    q, n, failures = level / 100, member.n, member.failures
    successes = n - failures
    # The q of the successes, seen among all: every failure may have been slower, or every one faster.
    q_low, q_high = q * successes / n, (q * successes + failures) / n
    value = points.stated.get(level, points.read(q))
    needed = intervals.smallest_n(q)
    bounded = successes >= needed
    read = points.around if failures > MIXED_RATIO * n else points.between
    alike, alone = (intervals.quantile_ranks(q_low, q_high, number) for number in (n / effect, n))
    low, high = _rounded(value, read(*alike))
    endless = _rounded(value, read(q_low, q_high))
    return Estimate(
        value=value,
        low=low,
        high=high if bounded else None,
        n=successes,
        method=_percentile_method(level, points, effect) + member.mixed,
        independent=_rounded(value, read(*alone)),
        endless=endless,
        unsure=member.unsure(endless) if failures else "",
        needed_n=None if bounded else needed,
        caveat=member.caveat,
    )


def _rounded(value: float, ends: Ends) -> Ends:
    """Return the latencies around a value as they may have been before Locust rounded all three."""
    (low, high), half = ends, rounding_ms(value)
    return max(min(low - rounding_ms(low), value - half), 0.0), max(high + rounding_ms(high), value + half)


def _percentile_method(level: float, points: Levels, effect: float) -> str:
    read = "Locust's percentiles" if level in points.stated else "interpolated between Locust's percentiles"
    alike = f"with {effect:.2g} requests worth one (means of blocks)" if effect > 1 else INDEPENDENT
    return f"{read}, ranks by Clopper-Pearson {alike}, Locust's rounding"


def _design_effect(chosen: Chosen) -> float:
    """Return how many requests are worth one independent one (>= 1): near ones are alike in a slow moment.

    The squared ratio of the half width of the mean over blocks to the one of independent requests; 1 where
    the history does not tell. Means are more alike than shares over a high percentile, so this is cautious.
    """
    spread_ms = chosen.spread_ms
    if chosen.blocks is None or not spread_ms:
        return 1.0
    half = chosen.blocks.halfwidth(chosen.blocks.latency_ms, chosen.blocks.n)
    return max(1.0, (half / (intervals.Z * spread_ms / math.sqrt(chosen.n))) ** 2)


def _if_all(combine: Callable[[list[float]], float], ends: Sequence[float | None]) -> float | None:
    """Return the outermost end, None as soon as one is unknown."""
    known = [end for end in ends if end is not None]
    return combine(known) if len(known) == len(ends) else None
