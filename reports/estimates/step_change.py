"""Find the change in the middle of a run that is no sampling noise: a service dies, or is down for a while.

Of all stretches of seconds the one is taken that differs most from the rest: the best fit, by least squares,
of a step up and down, or of a single one where the stretch begins or ends with the run. It is a step where
the levels are CONTRAST times as far apart as both parts scatter by themselves, in up to PARTS groups of
seconds each. Slow swings (AR(1) of any correlation) come to that in about 1 % of runs, and seldom over the
limit.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reports.estimates.estimate import Estimate
from reports.estimates.intervals import block_halfwidth
from reports.wording import quantity

Floats = NDArray[np.float64]

CONTRAST = 8.0
SMALLEST_RATIO = 0.05
"""Of the higher level; less is a step of nothing that a user would note, where nothing scatters."""
PARTS = 8
SHORTEST_S = 5
GRID = 240
"""Longer runs are searched at so many moments, and then second by second around the best."""


@dataclass(frozen=True)
class StepChange:
    """Hold the seconds from `first_s` to before `end_s` that differ, both levels, and bounds of the whole.

    `end_s` is None where they last to the end. The bounds of the ratio over all seconds, 95 %, take the step
    as given: they are from the scatter of the two parts alone.
    """

    first_s: int
    end_s: int | None
    level: float
    other: float
    low: float
    high: float


def find_step(amounts: Floats, weights: Floats, *, are_shares: bool = False) -> StepChange | None:
    """Return the step in the ratios of amounts to weights of each second, None where there is none.

    Of shares, k in n cases, the scatter is taken to be at least that of chance.
    """
    seconds = len(weights)
    stride = max(math.ceil(seconds / GRID), 1)
    grid = np.unique(np.append(np.arange(0, seconds, stride), seconds))
    found = _stretch(amounts, weights, grid, grid)
    if found is not None and stride > 1:
        near = [np.arange(max(at - stride, 0), min(at + stride, seconds) + 1) for at in found]
        found = _stretch(amounts, weights, *near)
    if found is None:
        return None
    first, end = found
    at, parts, squares, chance, freedom = np.arange(seconds), [], 0.0, 0.0, 0
    for mask in ((at >= first) & (at < end), (at < first) | (at >= end)):
        groups = [g for g in np.array_split(np.flatnonzero(mask & (weights > 0)), PARTS) if len(g)]
        if len(groups) < 2:
            return None
        a, w = (np.array([values[g].sum() for g in groups]) for values in (amounts, weights))
        squares += float((w / w.mean() * (a / w - a.sum() / w.sum()) ** 2).sum())
        # Of none, or all, in a few cases it is not known that it could not be another.
        likely = (a.sum() + 0.5) / (w.sum() + 1)
        chance += (len(groups) - 1) * float(likely * (1 - likely) / w.mean())
        freedom += len(groups) - 1
        parts.append((a, w))
    level, other = (float(a.sum() / w.sum()) for a, w in parts)
    # The standard deviation of the groups around the level of their part, pooled over both.
    scatter = math.sqrt(max(squares, chance if are_shares else 0.0) / freedom)
    if abs(level - other) <= max(CONTRAST * scatter, SMALLEST_RATIO * max(level, other)):
        return None
    total = float(weights.sum())
    ratio = float(amounts.sum()) / total
    half = math.hypot(*(block_halfwidth(a, w) * float(w.sum()) / total for a, w in parts))
    if first == 0:
        first, end, level, other = end, seconds, other, level
    return StepChange(first, end if end < seconds else None, level, other, ratio - half, ratio + half)


def with_step(
    found: Estimate, step: StepChange | None, from_s: float, unit: str, factor: float = 1.0
) -> Estimate:
    """Return the estimate with a step, if there is one: in words, and its interval in the unit of the figure.

    That is at least the one of independent requests. `from_s` is when the seconds begin in the run.
    """
    if step is None:
        return found
    alone = found.independent or (math.inf, -math.inf)
    ends = min(factor * step.low, alone[0]), max(factor * step.high, alone[1])
    level, other = (quantity(factor * ratio, unit) for ratio in (step.level, step.other))
    since = f"{level} from second {from_s + step.first_s:.0f}"
    if step.end_s is None:
        return replace(found, step=ends, change=f"{since} on, {other} before")
    until = f"{from_s + step.end_s:.0f}"
    return replace(found, step=ends, change=f"{since} to {until}, {other} before and after")


def _stretch(
    amounts: Floats, weights: Floats, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[int, int] | None:
    """Return the first second of the stretch that differs most from the rest, and the one after its last."""
    amount, weight = (np.concatenate(([0.0], np.cumsum(values))) for values in (amounts, weights))
    length = ends[None, :] - starts[:, None]
    inside, inside_weight = amount[ends] - amount[starts][:, None], weight[ends] - weight[starts][:, None]
    outside, outside_weight = amount[-1] - inside, weight[-1] - inside_weight
    fits = (length >= SHORTEST_S) & (length <= len(weights) - SHORTEST_S)
    fits &= (inside_weight > 0) & (outside_weight > 0)
    if not fits.any():
        return None
    apart = np.divide(inside, inside_weight, where=fits, out=np.zeros(fits.shape))
    apart -= np.divide(outside, outside_weight, where=fits, out=np.zeros(fits.shape))
    squares = np.where(fits, inside_weight * outside_weight * apart**2, -1.0)
    start, end = np.unravel_index(int(squares.argmax()), squares.shape)
    return int(starts[start]), int(ends[end])
