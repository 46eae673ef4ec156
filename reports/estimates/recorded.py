"""Estimate a metric from the recorder's seconds, with intervals that allow for swings of the level.

A latency is that of successes alone, and belongs to the second in which the request started; a rate to the
one in which it ended. Counts are of the whole run, and exact.
"""

import math
from dataclasses import replace

import numpy as np

from reports.estimates import intervals, spread
from reports.estimates.estimate import SMALLEST_MEAN_N, Estimate, exact
from reports.estimates.percentile import percentile
from reports.estimates.selection import METRIC, Selection, unknown_outcome_note
from reports.estimates.step_change import find_step, with_step
from reports.estimates.swings import (
    MIN_PERIODS,
    correlation_length,
    half_width,
    off_ratio,
    share_bounds,
)
from reports.load.histograms import lower_ms, middle_ms
from reports.load.run import Run
from reports.thresholds.metrics import SHARE, Metric
from reports.thresholds.statement import Statement


def estimate(statement: Statement, chosen: Selection) -> Estimate | None:
    """Return the estimate of a statement's metric, None where nothing in the window tells it.

    The limit is in ms, as the recorder has all values.
    """
    metric, whole_run_n = statement.metric, int(chosen.total("n"))
    if metric.satisfied_ms is not None:
        return spread.apdex(chosen, metric.satisfied_ms)
    if metric.level is not None and metric.level < 100:  # p100 is the maximum
        return percentile(statement, metric.level / 100, chosen)
    if metric.figure in {"count", "failures", "bytes"}:
        column = "sum_ms" if chosen.what == METRIC and metric.figure == "count" else metric.figure
        total = chosen.total("n" if column == "count" else column)
        how = "added up" if column in {"sum_ms", "bytes"} else "counted"
        return exact(total, whole_run_n, f"{how} over the {'part' if chosen.is_part else 'whole run'}")
    match metric.figure:
        case "rps":
            return _rate(chosen)
        case "error_rate" | "rate" | "checks":
            return _share(statement, chosen)
        case "stdev" | "variation":
            return spread.stdev(chosen, as_variation=metric.figure == "variation")
        case "bytes_per_s":
            return spread.bytes_per_s(chosen)
        case "mean":
            return _mean(statement, chosen)
        case "min":
            n, fastest = chosen.n - chosen.failures, chosen.recording.column("min_ms")[chosen.started >= 0]
            return exact(float(np.nanmin(fastest)), n, "the fastest successful request") if n else None
    return _maximum(statement, chosen)


def _mean(statement: Statement, chosen: Selection) -> Estimate | None:
    """Return the mean of the successes, left open where requests of unknown outcome could break its limit.

    One that was cut off took its age at least; one never made is taken to be as slow as the slowest.
    """
    latencies = chosen.latencies
    answered = chosen.histogram(latencies.histograms)
    successes, total_ms = answered.sum(axis=1), chosen.by_period(latencies.sum_ms)
    n, sum_ms = int(successes.sum()), float(total_ms.sum())
    if not n:
        return None
    value, middles_ms, counts = sum_ms / n, middle_ms(np.arange(answered.shape[1])), answered.sum(axis=0)
    spread_ms = math.sqrt(
        np.average((middles_ms - np.average(middles_ms, weights=counts)) ** 2, weights=counts)
    )
    half = alone = intervals.normal(chosen.confidence) * spread_ms / math.sqrt(n)
    noise = spread_ms**2 / float(successes.mean())
    if chosen.periods >= MIN_PERIODS:
        half = max(half, half_width(total_ms, successes, noise, chosen.confidence))
    correlation_s = chosen.period_s * correlation_length(off_ratio(total_ms, successes), noise)
    method = f"spread of the histogram, {chosen.words(correlation_s)}"
    found = Estimate(value, None, None, n, method, needed_n=SMALLEST_MEAN_N, correlation_s=correlation_s)
    if n < SMALLEST_MEAN_N:
        return found
    low, high, independent = max(value - half, 0.0), value + half, (value - alone, value + alone)
    found = replace(found, low=low, high=high, independent=independent, needed_n=None)
    step = find_step(*map(chosen.by_second, (latencies.sum_ms, latencies.histograms.counted())))
    found = with_step(found, step, chosen.window.from_s, "ms")
    ages, missing = chosen.unfinished.sum(axis=0), float(chosen.missing.sum())
    slowest_ms = float(np.nanmax(latencies.max_ms[chosen.started >= 0]))
    unseen_ms = float(ages @ lower_ms(np.arange(len(ages)))) + slowest_ms * missing
    least = (sum_ms + unseen_ms) / (n + float(ages.sum()) + missing)
    if not high < statement.first_value_outside <= least:
        return found
    return replace(found, high=max(high, least), doubt=unknown_outcome_note(ages, chosen.missing))


def _maximum(statement: Statement, chosen: Selection) -> Estimate | None:
    """Return the slowest success, or the age of a request that was cut off when it was over the limit."""
    n = int(chosen.histogram(chosen.latencies.histograms).sum())
    slowest = chosen.latencies.max_ms[chosen.started >= 0]
    late = chosen.unfinished_over(statement.first_value_outside).sum(axis=0)
    if late.any():
        age_ms = float(lower_ms(int(np.flatnonzero(late)[-1])))
        low = float(np.nanmax(np.append(slowest, max(age_ms, statement.first_value_outside))))
        method = f"{int(late.sum())} requests were cut off when over the limit: at least their age"
        return Estimate(low, low, None, n, method)
    if not n:
        return None
    found = exact(float(np.nanmax(slowest)), n, "the slowest successful request")
    unfinished = chosen.unfinished_between(float(np.nanmax(slowest)), statement.first_value_outside)
    if not (unfinished.any() or chosen.missing.any()):
        return found
    return replace(found, high=None, doubt=unknown_outcome_note(unfinished, chosen.missing))


def _share(statement: Statement, chosen: Selection) -> Estimate | None:
    """Return the share of failures; or of what did not fail: hits of a rate, checks that held.

    A request that was cut off later than any answer came may have been a failure.
    """
    if not chosen.n:
        return None
    recording, is_errors = chosen.recording, statement.metric.figure == "error_rate"
    columns = [recording.column(column) for column in ("n", "failures")]
    columns[1] = columns[1] if is_errors else columns[0] - columns[1]
    n, k = map(chosen.by_period, columns)
    limit = statement.limit / 100
    low, high = (
        100 * float(end[0])
        for end in share_bounds(k[:, None], n[:, None], limit, confidence=chosen.confidence)
    )
    share, alone = float(k.sum()) / chosen.n, intervals.share(float(k.sum()), chosen.n)
    length = correlation_length(off_ratio(k, n), share * (1 - share) / float(n.mean()))
    found = Estimate(
        100 * share,
        low,
        high,
        chosen.n,
        chosen.words(chosen.period_s * length),
        independent=(100 * alone[0], 100 * alone[1]),
        correlation_s=chosen.period_s * length,
    )
    n_by_second, k_by_second = map(chosen.by_second, columns)
    step = find_step(k_by_second, n_by_second, are_shares=True)
    found = with_step(found, step, chosen.window.from_s, "%", 100)
    if not is_errors:
        return found
    finished = chosen.histogram(recording.successes) + chosen.histogram(recording.failed)
    slowest_ms = float(lower_ms(int(np.flatnonzero(finished.sum(axis=0))[-1])))
    hung = chosen.unfinished_between(slowest_ms)
    most = 100 * float(
        share_bounds((k + hung)[:, None], (n + hung)[:, None], limit, confidence=chosen.confidence)[1][0]
    )
    if not (hung.any() and high < statement.limit <= most):
        return found
    return replace(found, high=most, doubt=unknown_outcome_note(hung, what="failures"))


def _rate(chosen: Selection) -> Estimate:
    """Return the requests a second, as they ended."""
    ended = chosen.by_period(chosen.recording.column("n"), "ended_s")
    n, window = float(ended.sum()), chosen.window
    seconds = window.blocks(np.arange(window.first_s, window.end_s), chosen.periods)
    lengths_s = np.bincount(seconds, minlength=chosen.periods).astype(np.float64)
    value = n / window.length_s
    alone = intervals.normal(chosen.confidence) * math.sqrt(n) / window.length_s
    half, length = alone, 0.0
    if chosen.periods >= MIN_PERIODS:
        # How much a rate varies by chance is not known: that of a paced load hardly does.
        noise = float((np.diff(ended / lengths_s) ** 2).mean()) / 2
        half = half_width(ended, lengths_s, noise, chosen.confidence)
        length = correlation_length(off_ratio(ended, lengths_s), noise)
    correlation_s = chosen.period_s * length
    found = Estimate(
        value,
        max(value - half, 0.0),
        value + half,
        int(n),
        f"requests ended over seconds, {chosen.words(correlation_s)}",
        independent=(value - alone, value + alone),
        correlation_s=correlation_s,
    )
    by_second = chosen.by_second(chosen.recording.column("n"), "ended_s")
    return with_step(found, find_step(by_second, np.ones(len(by_second))), window.from_s, "/s")


def estimate_of_starts(metric: Metric, run: Run) -> tuple[Estimate | None, str]:
    """Return the estimate of `dropped_iterations` or `late_iterations`, or None and why there is none.

    A share is of the planned iterations (dropped) or of those started (late), over the whole run. Those that
    came by chance may be more than were planned.
    """
    if not run.has_schedule:
        return None, "the run had no schedule of iterations, so that none could be late or dropped"
    counted = run.iterations_counted
    which = metric.name.removesuffix("_iterations")
    started, found = counted["started"], counted[which]
    if math.isnan(found + started):
        return None, "health.csv has no iteration counts"
    planned = run.meta.arrivals.planned if run.meta.arrivals is not None else 0
    of = int(max(planned, started + counted["dropped"]) if which == "dropped" else started)
    if metric.kind is SHARE:
        share = f"of {of} iterations"
        return (exact(100 * found / of, of, share), "") if of else (None, "no iteration was started")
    return exact(found, of, "counted"), ""
