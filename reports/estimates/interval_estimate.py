"""Estimate a metric from the recorder's seconds: successes alone in latencies, intervals from blocks of time.

Latencies belong to the second in which the request started, rates to the one in which it ended.
"""

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from reports.estimates import intervals
from reports.estimates.cut_off import cut_off, hanging, hidden
from reports.estimates.dropped import dropped
from reports.estimates.estimate import INDEPENDENT, SMALLEST_MEAN_N, Estimate, exact
from reports.estimates.part import Part
from reports.estimates.percentile import percentile
from reports.estimates.step_change import find_step, with_step
from reports.load.intervals import Counts, lower_ms, middle_ms
from reports.thresholds.statement import Statement


def estimate(statement: Statement, part: Part) -> Estimate | None:
    """Return the estimate of a statement's metric, None where nothing in the window tells it."""
    metric = statement.metric
    if metric.level is not None and metric.level < 100:  # p100 is the maximum
        return percentile(statement, metric.level / 100, part)
    return {
        "mean": _mean,
        "min": _minimum,
        "count": _count,
        "failures": _failures,
        "error_rate": _error_rate,
        "rate": _hit_rate,
        "checks": _hit_rate,
        "rps": _rps,
    }.get(metric.figure, _maximum)(statement, part)


def _mean(statement: Statement, part: Part) -> Estimate | None:
    """Return the mean of the successes."""
    answered = part.histogram(part.latencies.histograms)
    successes, total_ms = answered.sum(axis=1), part.sums(part.latencies.sum_ms, part.started)
    n = int(successes.sum())
    if not n:
        return None
    value, few = float(total_ms.sum()) / n, n < SMALLEST_MEAN_N
    alone = intervals.Z * _spread_ms(answered.sum(axis=0)) / math.sqrt(n)
    half, method = alone, f"spread of the histogram, {INDEPENDENT}"
    if part.blocks > 1:
        half, method = part.halfwidth(total_ms, successes), f"Student's t over {part.length.words}"
    found = Estimate(
        value=value,
        low=None if few else max(value - half, 0.0),
        high=None if few else value + half,
        n=n,
        method=method,
        independent=None if few else (value - alone, value + alone),
        needed_n=SMALLEST_MEAN_N if few else None,
        caveat=part.length.caveat,
    )
    if few:
        return found
    latencies = part.latencies
    step = find_step(*(part.by_second(x) for x in (latencies.sum_ms, latencies.histograms.counted())))
    found = with_step(found, step, part.window.from_s, " ms")
    return _with_unseen(found, statement, part, float(total_ms.sum()))


def _with_unseen(mean: Estimate, statement: Statement, part: Part, total_ms: float) -> Estimate:
    """Return a mean left open where it hides what would break it.

    What was cut off took its age at least; what was never made is taken to be as slow as the slowest.
    """
    ages, lacking = part.histogram(part.recording.unfinished).sum(axis=0), dropped(part)
    slowest_ms = float(np.nanmax(part.latencies.max_ms[part.started >= 0]))
    unseen_ms = float(ages @ lower_ms(np.arange(len(ages)))) + slowest_ms * float(lacking.sum())
    least = (total_ms + unseen_ms) / (mean.n + float(ages.sum()) + float(lacking.sum()))
    high = mean.high if mean.high is not None else math.inf
    if not high < statement.first_value_outside <= least:
        return mean
    return replace(mean, high=max(high, least), doubt=hidden(ages, lacking=lacking))


def _spread_ms(counts: Counts) -> float:
    """Return the standard deviation of the latencies of a histogram."""
    middles = middle_ms(np.arange(len(counts)))
    mean = np.average(middles, weights=counts)
    return math.sqrt(float(np.average((middles - mean) ** 2, weights=counts)))


def _maximum(statement: Statement, part: Part) -> Estimate | None:
    """Return the slowest success, or the age of a request that was cut off when it was over the limit."""
    n = int(part.histogram(part.latencies.histograms).sum())
    slowest = part.latencies.max_ms[part.started >= 0]
    late = hanging(part, statement.first_value_outside).sum(axis=0)
    if late.any():
        age_ms = float(lower_ms(int(np.flatnonzero(late)[-1])))
        low = float(np.nanmax(np.append(slowest, max(age_ms, statement.first_value_outside))))
        method = f"{int(late.sum())} requests were cut off when over the limit: at least their age"
        return Estimate(low, low, None, n, method)
    if not n:
        return None
    found = exact(float(np.nanmax(slowest)), n, "the slowest successful request")
    young = cut_off(part, above_ms=float(np.nanmax(slowest)), below_ms=statement.first_value_outside)
    lacking = dropped(part)
    hides = young.any() or lacking.any()
    return replace(found, high=None, doubt=hidden(young, lacking=lacking)) if hides else found


def _minimum(_: Statement, part: Part) -> Estimate | None:
    n = part.n - part.failures
    fastest = part.recording.column("min_ms")[part.started >= 0]
    return exact(float(np.nanmin(fastest)), n, "the fastest successful request") if n else None


def _hit_rate(_: Statement, part: Part) -> Estimate | None:
    """Return the share of values that were 1: of a rate the hits, of a check where it held."""
    if not part.n:
        return None
    return _share(part, "hits")


def _share(part: Part, of: Literal["hits", "failures"]) -> Estimate:
    """Return the share of the values that failed, or of those that did not."""
    n, k = (part.column(column)[:, None] for column in ("n", "failures"))
    n_by_second, k_by_second = (part.by_second(part.recording.column(c)) for c in ("n", "failures"))
    if of == "hits":
        k, k_by_second = n - k, n_by_second - k_by_second
    low, high = (100 * float(end[0]) for end in part.shares(k, n))
    alone = intervals.share(float(k.sum()), part.n)
    found = Estimate(
        100 * float(k.sum()) / part.n,
        low,
        high,
        part.n,
        part.words,
        independent=(100 * alone[0], 100 * alone[1]),
        caveat=part.length.caveat,
    )
    step = find_step(k_by_second, n_by_second, are_shares=True)
    return with_step(found, step, part.window.from_s, "%", 100)


def counter_total(part: Part) -> Estimate:
    """Return what a counter came to over the whole run; n is how often it was added to."""
    n = int(part.recording.column("n")[part.rows].sum())
    total = float(np.nansum(part.recording.column("sum_ms")[part.rows]))
    return exact(total, n, "added up over the whole run")


def _count(_: Statement, part: Part) -> Estimate:
    n = int(part.recording.column("n")[part.rows].sum())
    return exact(float(n), n, "counted over the whole run")


def _failures(_: Statement, part: Part) -> Estimate:
    n = int(part.recording.column("n")[part.rows].sum())
    return exact(float(part.recording.column("failures")[part.rows].sum()), n, "counted over the whole run")


def _error_rate(statement: Statement, part: Part) -> Estimate | None:
    """Return the share of failures; what was cut off later than any answer came may have been one."""
    if not part.n:
        return None
    failures, n = part.column("failures")[:, None], part.column("n")[:, None]
    found = _share(part, "failures")
    hung = cut_off(part, above_ms=_slowest_ms(part))
    most = 100 * float(part.shares(failures + hung[:, None], n + hung[:, None])[1][0])
    hides = hung.any() and found.high is not None and found.high < statement.limit <= most
    return replace(found, high=most, doubt=hidden(hung, "failures")) if hides else found


def _slowest_ms(part: Part) -> float:
    """Return how long the slowest finished request took, whether it failed or not."""
    finished = part.histogram(part.recording.successes) + part.histogram(part.recording.failed)
    return float(lower_ms(int(np.flatnonzero(finished.sum(axis=0))[-1])))


def _rps(_: Statement, part: Part) -> Estimate:
    ended = part.sums(part.recording.column("n"), part.ended)
    n, length_s = float(ended.sum()), float(part.lengths_s.sum())
    value, alone = n / length_s, intervals.Z * math.sqrt(n) / length_s
    half, method = alone, INDEPENDENT
    if part.blocks > 1:
        half = part.halfwidth(ended, part.lengths_s)
        method = f"Student's t over {part.length.words}"
    found = Estimate(
        value,
        max(value - half, 0.0),
        value + half,
        int(n),
        f"requests ended over seconds, {method}",
        independent=(value - alone, value + alone),
        caveat=part.length.caveat,
    )
    by_second = part.by_second(part.recording.column("n"), "ended_s")
    return with_step(found, find_step(by_second, np.ones(len(by_second))), part.window.from_s, "/s")
