"""Estimate a percentile from the recorder's seconds, by the share of requests over the limit.

`pQ < T` says the same as "the share of requests at or over T is below 1 - Q". That share is counted exactly
where T is one of the recorded limits. Its interval allows for swings of the level, so that requests alike in a
slow moment are not taken for independent. Requests cut off in flight when they
were as old as T count as over it; those that were younger, but older than what pQ says of the answers, must
not matter, nor must those of arrivals that were dropped: were they over it too, a PASS has to stand.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.exit_status import Outcome
from reports.estimates import intervals
from reports.estimates.estimate import Estimate, is_far
from reports.estimates.selection import Selection, unknown_outcome_note
from reports.estimates.step_change import find_step, with_step
from reports.estimates.swings import Levels, share_bounds
from reports.load.intervals import PRECISION, bucket_of, lower_ms, middle_ms, percentile_ms
from reports.thresholds.statement import UPPER_LIMITS, Statement
from reports.wording import plural

Floats = NDArray[np.float64]

LOG_STEP = 0.1
"""How far to both sides of a latency, as a logarithm, is looked for how steeply the shares over it fall."""


@dataclass(frozen=True)
class SharesOver:
    """Hold how many requests out of n were at or over some latencies (columns) in each period (rows).

    `above` is the first column at or above the limit, `below` the last at or below it: the same one where
    requests were counted at the limit itself. `low` and `high` are the ends of the intervals of the shares.
    """

    at_ms: Floats
    k: Floats
    n: Floats
    low: Floats
    high: Floats
    above: int
    below: int
    is_counted: bool

    @classmethod
    def of(
        cls, chosen: Selection, limit_ms: float, allowed: float, answered: Floats, late: Floats
    ) -> "SharesOver | None":
        """Return the shares at and over the lower bounds of all buckets, to the one after the last in use.

        Where the recorder counted at the limit, that is one of them. Periods may differ more at a higher
        latency than at a lower one; a looser limit must not do worse for that, so the ends fall as shares do.
        """
        used = np.flatnonzero((answered + late).sum(axis=0))
        if not len(used):
            return None
        first, last = int(used[0]), int(used[-1])
        span = np.pad((answered + late)[:, first : last + 1], ((0, 0), (0, 1)))
        at_ms, k = lower_ms(np.arange(first, last + 2)), np.cumsum(span[:, ::-1], axis=1)[:, ::-1]
        n, recording = np.repeat(k[:, :1], k.shape[1], axis=1), chosen.recording
        is_counted = limit_ms in recording.limits_ms
        if is_counted:
            limit, column = recording.limits_ms.index(limit_ms), int(np.searchsorted(at_ms, limit_ms))
            unfinished = chosen.by_period(recording.unfinished_over[:, limit])
            n_counted = answered.sum(axis=1) + unfinished
            if n_counted.any():
                at_ms = np.insert(at_ms, column, limit_ms)
                k_counted = chosen.by_period(chosen.latencies.over[:, limit]) + unfinished
                k = np.insert(k, column, k_counted, axis=1)
                n = np.insert(n, column, n_counted, axis=1)
        logs = np.log(middle_ms(np.arange(first, last + 1)))
        levels = Levels.of(answered[:, first : last + 1], logs)
        shares, at_log = k.sum(axis=0) / n.sum(axis=0), np.log(np.maximum(at_ms, at_ms[at_ms > 0].min()))
        before, after = (np.interp(at_log + step, at_log, shares) for step in (-LOG_STEP, LOG_STEP))
        low, high = share_bounds(k, n, allowed, levels, (before - after) / (2 * LOG_STEP))
        low, high = np.minimum.accumulate(low), np.maximum.accumulate(high[::-1])[::-1]
        above = min(int(np.searchsorted(at_ms, limit_ms)), len(at_ms) - 1)
        below = max(int(np.searchsorted(at_ms, limit_ms, side="right")) - 1, 0)
        return cls(at_ms, k, n, low, high, above, below, is_counted)


def percentile(statement: Statement, q: float, chosen: Selection) -> Estimate | None:
    """Return the estimate of quantile q (0 < q < 1), None without a request that tells it."""
    limit_ms, allowed = statement.first_value_outside, 1 - q
    answered = chosen.histogram(chosen.latencies.histograms)
    late = chosen.unfinished_over(limit_ms)
    over = SharesOver.of(chosen, limit_ms, allowed, answered, late)
    if over is None:
        return None
    n, shown = int(over.n[:, 0].sum()), (answered + late).sum(axis=0)
    surely_over, surely_under = over.at_ms[over.low > allowed], over.at_ms[over.high < allowed]
    needed, value = intervals.smallest_n(q), percentile_ms(shown, 100 * q)
    histogram = f"read from the histogram {PRECISION}, as the run was recorded for other limits"
    share = "counted exactly" if over.is_counted else histogram
    count = plural(late.sum(), "counts", "count")
    cut_off = f"; {late.sum():.0f} cut off in flight {count} as over the limit" if late.any() else ""
    found = Estimate(
        value=value,
        low=float(surely_over.max()) if len(surely_over) else 0.0,
        high=float(surely_under.min()) if len(surely_under) and n >= needed else None,
        n=n,
        method=f"share of requests over the limit, {share}, {chosen.words}; value {PRECISION}{cut_off}",
        needed_n=None if n >= needed else needed,
    )
    decided = _decided(found, statement, over, allowed)
    if statement.operator not in UPPER_LIMITS:
        return decided
    if decided.outcome is not Outcome.PASS:
        return _broken(decided, statement, chosen, over, allowed)
    unfinished = chosen.unfinished_between(value, limit_ms)
    unseen = unfinished + chosen.missing
    if not unseen.any():
        return decided
    k, n_each = ((counts[:, over.below] + unseen)[:, None] for counts in (over.k, over.n))
    if share_bounds(k, n_each, allowed)[1][0] < allowed:
        return decided
    doubt = unknown_outcome_note(unfinished, chosen.missing)
    return replace(decided, outcome=Outcome.INCONCLUSIVE, doubt=doubt)


def _decided(found: Estimate, statement: Statement, over: SharesOver, allowed: float) -> Estimate:
    """Return the estimate with its outcome: below its limit for sure, not below it for sure, or neither.

    Where the limit lies between two bounds of a bucket the less certain one of each side is taken.
    """
    low, high = float(over.low[over.above]), float(over.high[over.below])
    wanted, unwanted = high < allowed, low > allowed
    if statement.operator not in UPPER_LIMITS:
        wanted, unwanted = unwanted, wanted
    if unwanted:
        return replace(found, outcome=Outcome.FAIL)
    if wanted and found.needed_n is None:
        return replace(found, outcome=Outcome.PASS)
    share = float(over.k[:, over.below].sum() / over.n[:, over.below].sum())
    half, distance = (high - share if share < allowed else share - low), abs(share - allowed)
    longer = (half / distance) ** 2 if distance else math.inf
    return replace(found, outcome=Outcome.INCONCLUSIVE, longer=longer)


def _broken(
    found: Estimate, statement: Statement, chosen: Selection, over: SharesOver, allowed: float
) -> Estimate:
    """Return a limit that is open as broken where a step breaks it, or the figure is far beyond it."""
    limit_ms, recording = statement.first_value_outside, chosen.recording
    answered = chosen.latencies.histograms
    if over.is_counted:
        limit = recording.limits_ms.index(limit_ms)
        late, late_answers = recording.unfinished_over[:, limit], chosen.latencies.over[:, limit]
    else:
        first = bucket_of(limit_ms) + 1
        late, late_answers = recording.unfinished.counted(first), answered.counted(first)
    by_second = chosen.by_second(late_answers + late), chosen.by_second(answered.counted() + late)
    k, n = (float(counts[:, over.above].sum()) for counts in (over.k, over.n))
    alone = intervals.share(k, n)
    share = Estimate(100 * k / n, None, None, int(n), "", independent=(100 * alone[0], 100 * alone[1]))
    step = find_step(*by_second, are_shares=True)
    share = with_step(share, step, chosen.window.from_s, "% over the limit", 100)
    is_step = share.step is not None and share.step[0] > 100 * allowed
    if is_step or (is_far(found.value, statement.operator, statement.limit) and alone[0] > allowed):
        low, outcome = max(found.low or 0.0, limit_ms), Outcome.FAIL
        return replace(found, change=share.change, low=low, outcome=outcome)
    return replace(found, change=share.change)
