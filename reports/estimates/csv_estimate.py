"""Estimate a metric from Locust's CSV files, with the interval in which it lies."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from reports.estimates import intervals
from reports.estimates.chosen import Chosen
from reports.estimates.csv_percentile import csv_percentile
from reports.estimates.estimate import INDEPENDENT, SMALLEST_MEAN_N, Ends, Estimate, exact
from reports.estimates.levels import levels_of, rounding_ms
from reports.estimates.step_change import find_step, with_step
from reports.thresholds.metric import Metric


def estimate(metric: Metric, chosen: Chosen, duration_s: float | None) -> Estimate | None:
    """Return the estimate of a metric in its kind's unit, None where the files do not tell it.

    `chosen` must hold at least one request, and one success for a latency.
    """
    if metric.level is not None and metric.level < 100:  # p100 is the maximum
        return csv_percentile(metric.level, chosen)
    if metric.name == "rps":
        return _rps(chosen, duration_s)
    return ESTIMATORS.get(metric.name, _maximum)(chosen)


def _mean(chosen: Chosen) -> Estimate | None:
    rows = chosen.rows
    value = float((rows["mean_ms"] * rows["n"]).sum(skipna=False)) / chosen.n
    if math.isnan(value):
        return None
    half, method = _mean_halfwidth(chosen)
    below, above = _mix_of_failures(rows, value)
    spread_ms, successes = chosen.spread_ms, chosen.n - chosen.failures
    alone = intervals.Z * spread_ms / math.sqrt(chosen.n) if spread_ms is not None else math.inf
    few = successes < SMALLEST_MEAN_N
    endless = max(value - below, 0.0), value + above
    found = Estimate(
        value=value,
        low=None if half is None else max(value - half - below, 0.0),
        high=None if half is None or few else value + half + above,
        n=successes,
        method=method + chosen.mixed,
        independent=(value - alone - below, value + alone + above),
        endless=endless if chosen.failures else None,
        unsure=chosen.unsure(endless),
        needed_n=SMALLEST_MEAN_N if few else None,
        caveat=chosen.caveat,
    )
    if chosen.by_second is None or few:
        return found
    step = find_step(chosen.by_second.latency_ms, chosen.by_second.n)
    return with_step(found, step, 0.0, " ms")


def _mean_halfwidth(chosen: Chosen) -> tuple[float | None, str]:
    if chosen.blocks is not None and chosen.n >= SMALLEST_MEAN_N:
        half = chosen.blocks.halfwidth(chosen.blocks.latency_ms, chosen.blocks.n)
        return half, f"Student's t over {chosen.blocks.length.words}"
    spread_ms = chosen.spread_ms
    if spread_ms is None or chosen.n < 2:
        return None, "the spread is unknown"
    half = intervals.student(chosen.n - 1) * spread_ms / math.sqrt(chosen.n)
    return half, f"spread from Locust's percentiles, {INDEPENDENT}"


def _mix_of_failures(rows: pd.DataFrame, mean_ms: float) -> tuple[float, float]:
    """Return how far the mean of the successes may be below and above that of all requests."""
    n, failures = float(rows["n"].sum()), float(rows["failures"].sum())
    if not failures:
        return 0.0, 0.0
    slowest, fastest = float(rows["max_ms"].max(skipna=False)), float(rows["min_ms"].min(skipna=False))
    if math.isnan(slowest + fastest):
        return math.inf, math.inf
    above, below = max(slowest - mean_ms, 0.0), max(mean_ms - fastest, 0.0)
    per_success = failures / (n - failures)
    return min(above * per_success, below), min(below * per_success, above)


def _maximum(chosen: Chosen) -> Estimate | None:
    value = float(chosen.rows["max_ms"].max(skipna=False))
    known = _latencies_at(1 - chosen.rows["failures"] / chosen.rows["n"], chosen)
    surely = max((latency_ms - rounding_ms(latency_ms) for latency_ms, _ in known), default=0.0)
    return _extreme("slowest", value, (min(max(surely, 0.0), value), value), chosen)


def _minimum(chosen: Chosen) -> Estimate | None:
    value = float(chosen.rows["min_ms"].min(skipna=False))
    known = _latencies_at(chosen.rows["failures"] / chosen.rows["n"], chosen)
    surely = min((latency_ms + rounding_ms(latency_ms) for _, latency_ms in known), default=None)
    return _extreme("fastest", value, (value, surely), chosen)


def _extreme(which: str, value: float, ends: tuple[float, float | None], chosen: Chosen) -> Estimate | None:
    """Return the extreme of all requests; that of the successes alone lies between `ends`."""
    if math.isnan(value):
        return None
    if not chosen.failures:
        return exact(value, chosen.n, f"the {which} request")
    low, high = ends
    method = f"the {which} request, which may be one of {chosen.failures} failures"
    endless = low, math.inf if high is None else high
    unsure = chosen.unsure(endless)
    return Estimate(value, low, high, chosen.n, method, endless=endless, unsure=unsure)


def _latencies_at(shares: "pd.Series[float]", chosen: Chosen) -> list[Ends]:
    """Return the known latencies around its share of each row that has percentiles."""
    rows = [(levels_of(row), share) for (_, row), share in zip(chosen.rows.iterrows(), shares, strict=True)]
    return [points.around(share, share) for points, share in rows if points is not None]


def _error_rate(chosen: Chosen) -> Estimate:
    n, ratio = chosen.n, chosen.failures / chosen.n
    alone = intervals.share(chosen.failures, n)
    low, high = alone
    method = f"Wilson {INDEPENDENT}" if chosen.failures else "no failure seen: 1 - 0.05^(1/n)"
    if chosen.failures and chosen.blocks is not None:
        half = chosen.blocks.halfwidth(chosen.blocks.failures, chosen.blocks.n)
        low, high = min(low, max(ratio - half, 0.0)), max(high, min(ratio + half, 1.0))
        method = f"wider of Wilson and Student's t over {chosen.blocks.length.words}"
    found = Estimate(
        100 * ratio,
        100 * low,
        100 * high,
        n,
        method,
        independent=(100 * alone[0], 100 * alone[1]),
        caveat=chosen.caveat,
    )
    if chosen.by_second is None:
        return found
    step = find_step(chosen.by_second.failures, chosen.by_second.n, are_shares=True)
    return with_step(found, step, 0.0, "%", 100)


def _rps(chosen: Chosen, duration_s: float | None) -> Estimate | None:
    """Return the requests over the time up to the last, as Locust does; at least those over all of it."""
    if not duration_s:
        return None
    # A recorded duration is known, and that of Locust's history alone has no other beside it.
    requests_s = chosen.run.requests_s
    length_s = duration_s if requests_s is None or chosen.run.meta.ended else min(requests_s, duration_s)
    value, least = chosen.n / length_s, chosen.n / duration_s
    alone = intervals.Z * math.sqrt(chosen.n) / length_s
    half, method = alone, f"requests over seconds, {INDEPENDENT}"
    if chosen.blocks is not None:
        lengths = np.full(len(chosen.blocks.n), chosen.blocks.length.length_s)
        half = chosen.blocks.halfwidth(chosen.blocks.n, lengths)
        method = f"requests over seconds, Student's t over {chosen.blocks.length.words}"
    found = Estimate(
        value,
        max(least - half, 0.0),
        value + half,
        chosen.n,
        method,
        independent=(least - alone, value + alone),
        endless=(least, value) if least < value else None,
        unsure=f"the last request was answered after {length_s:.0f} of {duration_s:.0f} s",
        caveat=chosen.caveat,
    )
    if chosen.by_second is None:
        return found
    step = find_step(chosen.by_second.n, np.ones(len(chosen.by_second.n)))
    return with_step(found, step, 0.0, "/s")


ESTIMATORS: dict[str, Callable[[Chosen], Estimate | None]] = {
    "mean": _mean,
    "min": _minimum,
    "count": lambda chosen: exact(chosen.n, chosen.n, "counted"),
    "failures": lambda chosen: exact(chosen.failures, chosen.n, "counted"),
    "error_rate": _error_rate,
}
"""By metric; `max` and `p100` are the same, percentiles and rates need more than the chosen requests."""
