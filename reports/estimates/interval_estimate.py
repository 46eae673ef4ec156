"""Estimate a metric from the recorder's seconds: successes alone in latencies, intervals from blocks of time.

`pQ < T` says the same as "the share of requests at or over T is below 1 - Q". That share is counted exactly
where T is one of the recorded limits. Its interval is the wider of Wilson's and Student's t over ten blocks,
so that requests alike in a slow moment are not taken for independent. Requests cut off in flight when they
were as old as T count as over it. Latencies belong to the second in which the request started, rates to the
one in which it ended.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reports.estimates import intervals
from reports.estimates.estimate import INDEPENDENT, SMALLEST_MEAN_N, Estimate, exact
from reports.estimates.part import Part
from reports.load.histogram import PRECISION, Counts, bucket_of, lower_ms, middle_ms, percentile_ms
from reports.outcome import Outcome
from reports.thresholds.grammar import UPPER_LIMITS, Statement

Floats = NDArray[np.float64]


def estimate(statement: Statement, part: Part) -> Estimate | None:
    """Return the estimate of a statement's metric, None where nothing in the window tells it."""
    metric = statement.metric
    if metric.level is not None and metric.level < 100:  # p100 is the maximum
        return _percentile(statement, metric.level / 100, part)
    return {
        "mean": _mean,
        "min": _minimum,
        "count": _count,
        "failures": _failures,
        "error_rate": _error_rate,
        "rps": _rps,
    }.get(metric.name, _maximum)(statement, part)


@dataclass(frozen=True)
class _Over:
    """Hold how many requests out of n were at or over some latencies (columns) in each block (rows)."""

    at_ms: Floats
    k: Floats
    n: Floats


def _percentile(statement: Statement, q: float, part: Part) -> Estimate | None:
    edge_ms, allowed = statement.edge, 1 - q
    exact = _counted(part, edge_ms)
    shown = part.histogram(part.recording.successes) + _hanging(part, edge_ms)
    over = _with_counted(_over(shown), exact)
    n = int(over.n[:, 0].sum())
    if not n:
        return None
    low_share, high_share = _bounds(over)
    surely_over, surely_under = over.at_ms[low_share > allowed], over.at_ms[high_share < allowed]
    needed = intervals.smallest_n(q)
    found = Estimate(
        value=percentile_ms(shown.sum(axis=0), 100 * q),
        low=float(surely_over.max()) if len(surely_over) else 0.0,
        high=float(surely_under.min()) if len(surely_under) and n >= needed else None,
        n=n,
        method=_percentile_method(part, edge_ms, counted=exact is not None),
        needed_n=None if n >= needed else needed,
    )
    return _decided(found, statement, over, allowed, (low_share, high_share))


def _counted(part: Part, edge_ms: float) -> _Over | None:
    """Return the exact counts at a limit, None where the recorder did not count at it."""
    recording = part.recording
    if edge_ms not in recording.limits_ms:
        return None
    at = recording.limits_ms.index(edge_ms)
    hanging = part.sums(recording.unfinished_over[:, at], part.started)
    k = part.sums(recording.over[:, at], part.started) + hanging
    n = part.column("n") - part.column("failures") + hanging
    return _Over(np.array([edge_ms]), k[:, None], n[:, None])


def _hanging(part: Part, edge_ms: float) -> Counts:
    """Return the requests that were cut off when they were as old as the limit, by their age."""
    counts = part.histogram(part.recording.unfinished)
    counts[:, : bucket_of(edge_ms)] = 0
    return counts


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


def _bounds(over: _Over) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of the shares over each latency, falling with the latency as the
    shares do.

    Blocks may differ more at a higher latency than at a lower one; a looser limit must not do worse for that.
    """
    low, high = intervals.block_shares(over.k, over.n)
    return np.minimum.accumulate(low), np.maximum.accumulate(high[::-1])[::-1]


def _decided(
    found: Estimate, statement: Statement, over: _Over, allowed: float, bounds: tuple[Floats, Floats]
) -> Estimate:
    """Return the estimate with its outcome: below its limit for sure, not below it for sure, or neither.

    Where the limit lies between two bounds of a bucket the less certain one of each side is taken.
    """
    last = len(over.at_ms) - 1
    above = min(int(np.searchsorted(over.at_ms, statement.edge)), last)
    below = max(int(np.searchsorted(over.at_ms, statement.edge, side="right")) - 1, 0)
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


def _percentile_method(part: Part, edge_ms: float, *, counted: bool) -> str:
    histogram = f"read from the histogram {PRECISION}, as the run was recorded for other limits"
    share = "counted exactly" if counted else histogram
    hanging = int(_hanging(part, edge_ms).sum())
    unfinished = f"; {hanging} cut off in flight count as over the limit" if hanging else ""
    return f"share of requests over the limit, {share}, {part.words}; value {PRECISION}{unfinished}"


def _mean(_: Statement, part: Part) -> Estimate | None:
    successes, total_ms = part.column("n") - part.column("failures"), part.column("sum_ms")
    n = int(successes.sum())
    if not n:
        return None
    value, few = float(total_ms.sum()) / n, n < SMALLEST_MEAN_N
    if part.blocks > 1:
        half = intervals.block_halfwidth(total_ms, successes)
        method = f"Student's t over {part.blocks} blocks"
    else:
        half = intervals.Z * _spread_ms(part.histogram(part.recording.successes)[0]) / math.sqrt(n)
        method = f"spread of the histogram, {INDEPENDENT}"
    return Estimate(
        value=value,
        low=None if few else max(value - half, 0.0),
        high=None if few else value + half,
        n=n,
        method=method,
        needed_n=SMALLEST_MEAN_N if few else None,
    )


def _spread_ms(counts: Counts) -> float:
    """Return the standard deviation of the latencies of a histogram."""
    middles = middle_ms(np.arange(len(counts)))
    mean = np.average(middles, weights=counts)
    return math.sqrt(float(np.average((middles - mean) ** 2, weights=counts)))


def _maximum(statement: Statement, part: Part) -> Estimate | None:
    """Return the slowest success, or the age of a request that was cut off when it was over the limit."""
    n = part.n - part.failures
    slowest = part.recording.column("max_ms")[part.started >= 0]
    hanging = _hanging(part, statement.edge).sum(axis=0)
    if hanging.any():
        age_ms = float(lower_ms(int(np.flatnonzero(hanging)[-1])))
        low = float(np.nanmax(np.append(slowest, max(age_ms, statement.edge))))
        method = f"{int(hanging.sum())} requests were cut off when over the limit: at least their age"
        return Estimate(low, low, None, n, method)
    return exact(float(np.nanmax(slowest)), n, "the slowest successful request") if n else None


def _minimum(_: Statement, part: Part) -> Estimate | None:
    n = part.n - part.failures
    fastest = part.recording.column("min_ms")[part.started >= 0]
    return exact(float(np.nanmin(fastest)), n, "the fastest successful request") if n else None


def _count(_: Statement, part: Part) -> Estimate:
    n = int(part.recording.column("n")[part.rows].sum())
    return exact(float(n), n, "counted over the whole run")


def _failures(_: Statement, part: Part) -> Estimate:
    n = int(part.recording.column("n")[part.rows].sum())
    return exact(float(part.recording.column("failures")[part.rows].sum()), n, "counted over the whole run")


def _error_rate(_: Statement, part: Part) -> Estimate | None:
    if not part.n:
        return None
    failures, n = part.column("failures"), part.column("n")
    low, high = (float(end[0]) for end in intervals.block_shares(failures[:, None], n[:, None]))
    return Estimate(100 * part.failures / part.n, 100 * low, 100 * high, part.n, part.words)


def _rps(_: Statement, part: Part) -> Estimate:
    ended = part.sums(part.recording.column("n"), part.ended)
    n, length_s = float(ended.sum()), float(part.lengths_s.sum())
    half, method = intervals.Z * math.sqrt(n) / length_s, INDEPENDENT
    if part.blocks > 1:
        half = intervals.block_halfwidth(ended, part.lengths_s)
        method = f"Student's t over {part.blocks} blocks"
    value, method = n / length_s, f"requests ended over seconds, {method}"
    return Estimate(value, max(value - half, 0.0), value + half, int(n), method)
