"""Estimate a percentile from the recorder's seconds, by the share of requests over the limit.

`pQ < T` says the same as "the share of requests at or over T is below 1 - Q". That share is counted exactly
where T is one of the recorded limits. Its interval allows for swings of the level, so that requests alike in
a slow moment are not taken for independent. Requests cut off in flight when they were as old as T count as
over it; those that were younger, but older than what pQ says of the answers, must not matter, nor must those
of arrivals that were dropped: were they over it too, a PASS has to stand.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.exit_status import Outcome
from reports.estimates import intervals
from reports.estimates.estimate import Estimate, is_far
from reports.estimates.selection import Selection, unknown_outcome_note
from reports.estimates.step_change import find_step, with_step
from reports.estimates.swings import Levels, correlation_length, share_bounds
from reports.load.histograms import PRECISION, Numbers, bucket_of, lower_ms, middle_ms, percentile_ms
from reports.thresholds.statement import UPPER_LIMITS, Statement
from reports.wording import plural

Floats = NDArray[np.float64]

LOG_STEP = 0.1
"""How far to both sides of a latency, as a logarithm, is looked for how steeply the shares over it fall."""
COLUMNS = 16
BEYOND = 1.1 ** np.arange(1, 41)
"""Times the slowest request: how much slower a run might have been whose level swings."""


@dataclass(frozen=True)
class SharesOver:
    """Hold how many requests out of n were at or over some latencies (columns) in each period (rows).

    `above` is the first column at or above the limit, `below` the last at or below it: the same one where
    requests were counted at the limit itself.
    """

    at_ms: Floats
    k: Floats
    n: Floats
    allowed: float
    levels: Levels
    above: int
    below: int
    is_counted: bool
    confidence: float

    @classmethod
    def of(
        cls, chosen: Selection, limit_ms: float, allowed: float, answered: Floats, late: Floats
    ) -> "SharesOver | None":
        """Return the shares at and over the lower bounds of all buckets in use, and BEYOND the last.

        Where the recorder counted at the limit, that is one of them.
        """
        used = np.flatnonzero((answered + late).sum(axis=0))
        if not len(used):
            return None
        first, last = int(used[0]), int(used[-1])
        span = np.pad((answered + late)[:, first : last + 1], ((0, 0), (0, 1 + len(BEYOND))))
        at_ms, k = lower_ms(np.arange(first, last + 2)), np.cumsum(span[:, ::-1], axis=1)[:, ::-1]
        at_ms = np.append(at_ms, at_ms[-1] * BEYOND)
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
        levels = Levels.of(answered[:, first : last + 1], np.log(middle_ms(np.arange(first, last + 1))))
        above = min(int(np.searchsorted(at_ms, limit_ms)), len(at_ms) - 1)
        below = max(int(np.searchsorted(at_ms, limit_ms, side="right")) - 1, 0)
        return cls(at_ms, k, n, allowed, levels, above, below, is_counted, chosen.confidence)

    def interval(self) -> tuple[int, int]:
        """Return the last column whose share is above the allowed one for sure, and the first surely below.

        They are -1 and the number of columns where there is none.
        """
        last = self.k.shape[1] - 1
        last_over = _last(lambda columns: self.bounds(columns)[0] > self.allowed, last)
        return last_over, last - _last(lambda columns: self.bounds(last - columns)[1] < self.allowed, last)

    def bounds(self, columns: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return the ends of the intervals of the shares of some columns."""
        shares = self.k.sum(axis=0) / self.n.sum(axis=0)
        at_log = np.log(np.maximum(self.at_ms, self.at_ms[self.at_ms > 0].min()))

        here = at_log[columns]
        before, after = (np.interp(here + step, at_log, shares) for step in (-LOG_STEP, LOG_STEP))
        seen = (before - after) / (2 * LOG_STEP)
        # As much as the level would have to rise for the allowed share, on the way from there to here.
        allowed_at = at_log[np.abs(shares - self.allowed).argmin()]
        rise = (self.allowed - shares[columns]) / np.maximum(here - allowed_at, LOG_STEP)
        at_limit = np.where(here > allowed_at, np.maximum(seen, rise), seen)
        k, n = self.k[:, columns], self.n[:, columns]
        return share_bounds(k, n, self.allowed, self.levels, (seen, at_limit), self.confidence)


def _last(holds: Callable[[NDArray[np.intp]], NDArray[np.bool_]], most: int) -> int:
    """Return the last number up to which something holds from 0 on, at most *most*, and -1 for none.

    COLUMNS numbers are looked at, then as many between the last that holds and the next, and so on.
    """
    last, not_held = -1, most + 1
    while not_held - last > 1:
        numbers = np.unique(np.linspace(last + 1, not_held - 1, COLUMNS).astype(np.intp))
        held = int(np.logical_and.accumulate(holds(numbers)).sum())
        last, not_held = int(numbers[held - 1]) if held else last, int([*numbers, not_held][held])
    return last


def percentile(statement: Statement, q: float, chosen: Selection) -> Estimate | None:
    """Return the estimate of quantile q (0 < q < 1), None without a request that tells it."""
    limit_ms, allowed = statement.first_value_outside, 1 - q
    answered = chosen.histogram(chosen.latencies.histograms)
    late = chosen.unfinished_over(limit_ms)
    over = SharesOver.of(chosen, limit_ms, allowed, answered, late)
    if over is None:
        return None
    n, shown = int(over.n[:, 0].sum()), (answered + late).sum(axis=0)
    last_over, first_under = over.interval()
    needed, value = intervals.smallest_n(q), percentile_ms(shown, 100 * q)
    histogram = f"read from the histogram {PRECISION}, as the run was recorded for other limits"
    share = "counted exactly" if over.is_counted else histogram
    count = plural(late.sum(), "counts", "count")
    cut_off = f"; {late.sum():.0f} cut off in flight {count} as over the limit" if late.any() else ""
    correlation_s = chosen.period_s * correlation_length(over.levels.values, over.levels.noise)
    words = chosen.words(correlation_s)
    found = Estimate(
        value=value,
        low=float(over.at_ms[last_over]) if last_over >= 0 else 0.0,
        high=float(over.at_ms[first_under]) if first_under < len(over.at_ms) and n >= needed else None,
        n=n,
        method=f"share of requests over the limit, {share}, {words}; value {PRECISION}{cut_off}",
        needed_n=None if n >= needed else needed,
        correlation_s=correlation_s,
    )
    decided = _decided(found, statement, over, (over.above <= last_over, over.below >= first_under))
    if statement.operator not in UPPER_LIMITS:
        return decided
    if decided.outcome is not Outcome.PASS:
        return _broken(decided, statement, chosen, over, allowed)
    unfinished = chosen.unfinished_between(value, limit_ms)
    unseen = unfinished + chosen.missing
    if not unseen.any():
        return decided
    k, n_each = ((counts[:, over.below] + unseen)[:, None] for counts in (over.k, over.n))
    if share_bounds(k, n_each, allowed, confidence=chosen.confidence)[1][0] < allowed:
        return decided
    doubt = unknown_outcome_note(unfinished, chosen.missing)
    return replace(decided, outcome=Outcome.INCONCLUSIVE, doubt=doubt)


def _decided(found: Estimate, statement: Statement, over: SharesOver, surely: tuple[bool, bool]) -> Estimate:
    """Return the estimate with its outcome; *surely* says whether it is above its limit, and whether below.

    Where the limit lies between two bounds of a bucket the less certain one of each side is taken.
    """
    unwanted, wanted = surely if statement.operator in UPPER_LIMITS else surely[::-1]
    if unwanted:
        return replace(found, outcome=Outcome.FAIL)
    if wanted and found.needed_n is None:
        return replace(found, outcome=Outcome.PASS)
    low, high = (float(end[0]) for end in over.bounds(np.array([over.below])))
    share, allowed = float(over.k[:, over.below].sum() / over.n[:, over.below].sum()), over.allowed
    half, distance = (high - share if share < allowed else share - low), abs(share - allowed)
    longer = (half / distance) ** 2 if distance else math.inf
    return replace(found, outcome=Outcome.INCONCLUSIVE, longer=longer)


def _broken(
    found: Estimate, statement: Statement, chosen: Selection, over: SharesOver, allowed: float
) -> Estimate:
    """Return a limit that is open as broken where a step breaks it, or the figure is far beyond it."""
    limit_ms, recording = statement.first_value_outside, chosen.recording
    answered = chosen.latencies.histograms
    late: Numbers
    late_answers: Numbers
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
