"""Estimate a percentile from the recorder's seconds, by the share of requests over the limit.

`pQ < T` says the same as "the share of requests at or over T is below 1 - Q". That share is counted exactly
where T is one of the recorded limits. Its interval is the wider of Wilson's and Student's t over ten blocks,
so that requests alike in a slow moment are not taken for independent. Requests cut off in flight when they
were as old as T count as over it; those that were younger, but older than what pQ says of the answers, must
not matter, nor must those of arrivals that were dropped: were they over it too, a PASS has to stand.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.exit_status import Outcome
from reports.estimates import intervals
from reports.estimates.cut_off import cut_off, hanging, hidden
from reports.estimates.dropped import dropped
from reports.estimates.estimate import Estimate, is_far
from reports.estimates.part import Part
from reports.estimates.step_change import find_step, with_step
from reports.load.intervals import PRECISION, Counts, bucket_of, lower_ms, percentile_ms
from reports.thresholds.statement import UPPER_LIMITS, Statement

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Over:
    """Hold how many requests out of n were at or over some latencies (columns) in each block (rows)."""

    at_ms: Floats
    k: Floats
    n: Floats


def percentile(statement: Statement, q: float, part: Part) -> Estimate | None:
    """Return the estimate of quantile q (0 < q < 1), None without a request that tells it."""
    edge_ms, allowed = statement.first_value_outside, 1 - q
    answered, late = part.histogram(part.latencies.histograms), hanging(part, edge_ms)
    exact = _counted(part, edge_ms, answered.sum(axis=1))
    shown = answered + late
    over = _with_counted(_over(shown), exact)
    n = int(over.n[:, 0].sum())
    if not n:
        return None
    low_share, high_share = _bounds(over, part)
    surely_over, surely_under = over.at_ms[low_share > allowed], over.at_ms[high_share < allowed]
    needed, value = intervals.smallest_n(q), percentile_ms(shown.sum(axis=0), 100 * q)
    found = Estimate(
        value=value,
        low=float(surely_over.max()) if len(surely_over) else 0.0,
        high=float(surely_under.min()) if len(surely_under) and n >= needed else None,
        n=n,
        method=_percentile_method(part, int(late.sum()), counted=exact is not None),
        needed_n=None if n >= needed else needed,
        caveat=part.length.caveat,
    )
    decided = _decided(found, statement, over, allowed, (low_share, high_share))
    if statement.operator not in UPPER_LIMITS:
        return decided
    if decided.outcome is not Outcome.PASS:
        return _with_change(decided, statement, part, over, allowed)
    young, lacking = cut_off(part, above_ms=value, below_ms=edge_ms), dropped(part)
    unseen = young + lacking
    if not unseen.any() or _most(over, part, edge_ms, unseen) < allowed:
        return decided
    return replace(decided, outcome=Outcome.INCONCLUSIVE, doubt=hidden(young, lacking=lacking))


def _with_change(found: Estimate, statement: Statement, part: Part, over: _Over, allowed: float) -> Estimate:
    """Return a limit that is open as broken where a step breaks it, or the figure is far beyond it."""
    above, edge_ms = _above(over, statement.first_value_outside), statement.first_value_outside
    k, n = (float(counts[:, above].sum()) for counts in (over.k, over.n))
    alone = intervals.share(k, n)
    share = Estimate(100 * k / n, None, None, int(n), "", independent=(100 * alone[0], 100 * alone[1]))
    step = find_step(*_over_by_second(part, edge_ms), are_shares=True)
    share = with_step(share, step, part.window.from_s, "% over the limit", 100)
    found = replace(found, change=share.change)
    if share.step is not None and share.step[0] > 100 * allowed:
        return replace(found, low=max(found.low or 0.0, edge_ms), outcome=Outcome.FAIL)
    if is_far(found.value, statement.operator, statement.limit) and alone[0] > allowed:
        return replace(found, low=max(found.low or 0.0, edge_ms), outcome=Outcome.FAIL)
    return found


def _over_by_second(part: Part, edge_ms: float) -> tuple[Floats, Floats]:
    """Return the requests that were surely at or over the limit, and all, of each second."""
    recording, answered = part.recording, part.latencies.histograms
    if edge_ms in recording.limits_ms:
        at = recording.limits_ms.index(edge_ms)
        late, over = recording.unfinished_over[:, at], part.latencies.over[:, at]
    else:
        first = bucket_of(edge_ms) + 1
        late, over = recording.unfinished.counted(first), answered.counted(first)
    return part.by_second(over + late), part.by_second(answered.counted() + late)


def _most(over: _Over, part: Part, edge_ms: float, unseen: Floats) -> float:
    """Return the upper end of the share over the limit if the requests of unknown outcome were over it."""
    at = _below(over, edge_ms)
    _, high = part.shares((over.k[:, at] + unseen)[:, None], (over.n[:, at] + unseen)[:, None])
    return float(high[0])


def _counted(part: Part, edge_ms: float, answered: Floats) -> _Over | None:
    """Return the exact counts at a limit, None where the recorder did not count at it.

    `answered` are the successes of each block that have the latency.
    """
    recording = part.recording
    if edge_ms not in recording.limits_ms:
        return None
    at = recording.limits_ms.index(edge_ms)
    late = part.sums(recording.unfinished_over[:, at], part.started)
    k = part.sums(part.latencies.over[:, at], part.started) + late
    return _Over(np.array([edge_ms]), k[:, None], (answered + late)[:, None])


def _over(counts: Counts) -> _Over:
    """Return the counts at and over the lower bounds of all buckets, to the one after the last in use."""
    used = np.flatnonzero(counts.sum(axis=0))
    first, last = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
    span = np.pad(counts[:, first : last + 1], ((0, 0), (0, 1)))
    k = np.cumsum(span[:, ::-1], axis=1)[:, ::-1]
    return _Over(lower_ms(np.arange(first, last + 2)), k, np.repeat(k[:, :1], k.shape[1], axis=1))


def _with_counted(over: _Over, exact: _Over | None) -> _Over:
    if exact is None or not exact.n.sum():
        return over
    at = int(np.searchsorted(over.at_ms, exact.at_ms[0]))
    return _Over(
        np.insert(over.at_ms, at, exact.at_ms[0]),
        np.insert(over.k, at, exact.k[:, 0], axis=1),
        np.insert(over.n, at, exact.n[:, 0], axis=1),
    )


def _bounds(over: _Over, part: Part) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of the shares over each latency, falling with the latency as the
    shares do.

    Blocks may differ more at a higher latency than at a lower one; a looser limit must not do worse for that.
    """
    low, high = part.shares(over.k, over.n)
    return np.minimum.accumulate(low), np.maximum.accumulate(high[::-1])[::-1]


def _decided(
    found: Estimate, statement: Statement, over: _Over, allowed: float, bounds: tuple[Floats, Floats]
) -> Estimate:
    """Return the estimate with its outcome: below its limit for sure, not below it for sure, or neither.

    Where the limit lies between two bounds of a bucket the less certain one of each side is taken.
    """
    above, below = _above(over, statement.first_value_outside), _below(over, statement.first_value_outside)
    low, high = float(bounds[0][above]), float(bounds[1][below])
    wanted, unwanted = high < allowed, low > allowed
    if statement.operator not in UPPER_LIMITS:
        wanted, unwanted = unwanted, wanted
    if unwanted:
        return replace(found, outcome=Outcome.FAIL)
    if wanted and found.needed_n is None:
        return replace(found, outcome=Outcome.PASS)
    share = float(over.k[:, below].sum() / over.n[:, below].sum())
    half, distance = (high - share if share < allowed else share - low), abs(share - allowed)
    longer = (half / distance) ** 2 if distance else math.inf
    return replace(found, outcome=Outcome.INCONCLUSIVE, longer=longer)


def _above(over: _Over, edge_ms: float) -> int:
    """Return the first column at or above a latency, the last where there is none."""
    return min(int(np.searchsorted(over.at_ms, edge_ms)), len(over.at_ms) - 1)


def _below(over: _Over, edge_ms: float) -> int:
    """Return the last column at or below a latency, the first where there is none."""
    return max(int(np.searchsorted(over.at_ms, edge_ms, side="right")) - 1, 0)


def _percentile_method(part: Part, late: int, *, counted: bool) -> str:
    histogram = f"read from the histogram {PRECISION}, as the run was recorded for other limits"
    share = "counted exactly" if counted else histogram
    unfinished = f"; {late} cut off in flight count as over the limit" if late else ""
    return f"share of requests over the limit, {share}, {part.words}; value {PRECISION}{unfinished}"
