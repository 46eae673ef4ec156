"""Estimate a metric of the chosen requests, with the interval in which it lies."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

import numpy as np
import pandas as pd

from reports.estimates import intervals
from reports.estimates.blocks import Blocks, blocks_of
from reports.estimates.estimate import INDEPENDENT, SMALLEST_MEAN_N, Estimate, exact
from reports.estimates.levels import Levels, levels_of, rounding_ms
from reports.estimates.selecting import selected
from reports.load.run import Run
from reports.thresholds.metric import Metric
from reports.thresholds.selector import Selector


@dataclass(frozen=True)
class Chosen:
    """Hold the requests a threshold is about: their rows of the statistics of a run."""

    run: Run
    rows: pd.DataFrame

    @cached_property
    def blocks(self) -> Blocks | None:
        """Return the requests by blocks of time, None where the history does not tell."""
        return blocks_of(self.run, self.rows)

    @property
    def caveat(self) -> str:
        """Say what blocks leave open that are short."""
        return self.blocks.length.caveat if self.blocks is not None else ""

    @property
    def n(self) -> int:
        """Return how many requests were made."""
        return int(self.rows["n"].sum())

    @property
    def failures(self) -> int:
        """Return how many of them failed."""
        return int(self.rows["failures"].sum())


def choose(run: Run, selector: Selector, metric: Metric) -> Chosen:
    """Return the requests of a selector; Locust's own total where that is all of them.

    For a latency those that never succeeded are left out.
    """
    rows = run.requests[selected(selector, run.requests)]
    if len(rows) == len(run.requests) and len(run.total):
        return Chosen(run, run.total)
    if metric.is_latency:
        rows = rows.loc[rows["n"] > rows["failures"]]
    return Chosen(run, rows)


def estimate(metric: Metric, chosen: Chosen, duration_s: float | None) -> Estimate | None:
    """Return the estimate of a metric in its kind's unit, None where the files do not tell it.

    `chosen` must hold at least one request, and one success for a latency.
    """
    if metric.level is not None and metric.level < 100:  # p100 is the maximum
        return _percentile(metric.level, chosen)
    if metric.name == "rps":
        return _rps(chosen, duration_s)
    return ESTIMATORS.get(metric.name, _maximum)(chosen)


def _percentile(level: float, chosen: Chosen) -> Estimate | None:
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
        fixed=max(member.fixed for member in known),
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
    low, high = (points.read(share) for share in intervals.quantile_ranks(q_low, q_high, n / effect))
    needed = intervals.smallest_n(q)
    bounded = successes >= needed
    return Estimate(
        value=value,
        low=max(min(low - rounding_ms(low), value - rounding_ms(value)), 0.0),
        high=max(high + rounding_ms(high), value + rounding_ms(value)) if bounded else None,
        n=successes,
        method=_percentile_method(level, points, effect) + _mixed(failures),
        fixed=rounding_ms(value) + (points.read(q_high) - points.read(q_low)) / 2,
        needed_n=None if bounded else needed,
        caveat=member.caveat,
    )


def _percentile_method(level: float, points: Levels, effect: float) -> str:
    read = "Locust's percentiles" if level in points.stated else "interpolated between Locust's percentiles"
    alike = f"with {effect:.2g} requests worth one (means of blocks)" if effect > 1 else INDEPENDENT
    return f"{read}, ranks by Clopper-Pearson {alike}, Locust's rounding"


def _design_effect(chosen: Chosen) -> float:
    """Return how many requests are worth one independent one (>= 1): near ones are alike in a slow moment.

    The squared ratio of the half width of the mean over blocks to the one of independent requests; 1 where
    the history does not tell. Means are more alike than shares over a high percentile, so this is cautious.
    """
    spread_ms = _spread_ms(chosen.rows)
    if not _has_blocks(chosen.blocks) or not spread_ms:
        return 1.0
    half = chosen.blocks.halfwidth(chosen.blocks.latency_ms, chosen.blocks.n)
    return max(1.0, (half / (intervals.Z * spread_ms / math.sqrt(chosen.n))) ** 2)


def _mean(chosen: Chosen) -> Estimate | None:
    rows = chosen.rows
    value = float((rows["mean_ms"] * rows["n"]).sum(skipna=False)) / chosen.n
    if math.isnan(value):
        return None
    half, method = _mean_halfwidth(chosen)
    below, above = _mix_of_failures(rows, value)
    successes = chosen.n - chosen.failures
    few = successes < SMALLEST_MEAN_N
    return Estimate(
        value=value,
        low=None if half is None or few else max(value - half - below, 0.0),
        high=None if half is None or few else value + half + above,
        n=successes,
        method=method + _mixed(chosen.failures),
        fixed=max(below, above),
        needed_n=SMALLEST_MEAN_N if few else None,
        caveat=chosen.caveat,
    )


def _mean_halfwidth(chosen: Chosen) -> tuple[float | None, str]:
    if _has_blocks(chosen.blocks):
        half = chosen.blocks.halfwidth(chosen.blocks.latency_ms, chosen.blocks.n)
        return half, f"Student's t over {chosen.blocks.length.words}"
    spread_ms = _spread_ms(chosen.rows)
    if spread_ms is None:
        return None, "no history and no percentiles to tell the spread"
    half = intervals.Z * spread_ms / math.sqrt(chosen.n)
    return half, f"spread from Locust's percentiles, {INDEPENDENT}"


def _spread_ms(rows: pd.DataFrame) -> float | None:
    """Return the standard deviation of all latencies of the rows, None where one has no percentiles."""
    points = [levels_of(row) for _, row in rows.iterrows()]
    spreads = np.array([point.spread_ms() for point in points if point is not None])
    if len(spreads) < len(rows):
        return None
    weights, means = rows["n"].to_numpy(dtype=float), rows["mean_ms"].to_numpy(dtype=float)
    mean = np.average(means, weights=weights)
    return float(np.sqrt(np.average(spreads**2 + (means - mean) ** 2, weights=weights)))


def _has_blocks(blocks: Blocks | None) -> TypeGuard[Blocks]:
    return blocks is not None and blocks.n.sum() > 0


def _mix_of_failures(rows: pd.DataFrame, mean_ms: float) -> tuple[float, float]:
    """Return how far the mean of the successes may be below and above that of all requests."""
    n, failures = float(rows["n"].sum()), float(rows["failures"].sum())
    if not failures:
        return 0.0, 0.0
    slowest, fastest = float(rows["max_ms"].max(skipna=False)), float(rows["min_ms"].min(skipna=False))
    if math.isnan(slowest + fastest):
        return math.inf, math.inf
    per_success = failures / (n - failures)
    return max((slowest - mean_ms) * per_success, 0.0), max((mean_ms - fastest) * per_success, 0.0)


def _maximum(chosen: Chosen) -> Estimate | None:
    value = float(chosen.rows["max_ms"].max(skipna=False))
    known = _latencies_at(1 - chosen.rows["failures"] / chosen.rows["n"], chosen)
    surely = max((latency_ms - rounding_ms(latency_ms) for latency_ms in known), default=0.0)
    return _extreme("slowest", value, (min(max(surely, 0.0), value), value), chosen)


def _minimum(chosen: Chosen) -> Estimate | None:
    value = float(chosen.rows["min_ms"].min(skipna=False))
    known = _latencies_at(chosen.rows["failures"] / chosen.rows["n"], chosen)
    surely = min((latency_ms + rounding_ms(latency_ms) for latency_ms in known), default=None)
    return _extreme("fastest", value, (value, surely), chosen)


def _extreme(which: str, value: float, ends: tuple[float, float | None], chosen: Chosen) -> Estimate | None:
    """Return the extreme of all requests; that of the successes alone lies between `ends`."""
    if math.isnan(value):
        return None
    if not chosen.failures:
        return exact(value, chosen.n, f"the {which} request")
    low, high = ends
    method = f"the {which} request, which may be one of {chosen.failures} failures"
    return Estimate(value, low, high, chosen.n, method, fixed=0.0 if high is None else high - low)


def _latencies_at(shares: "pd.Series[float]", chosen: Chosen) -> list[float]:
    """Return the latency at its share of each row that has percentiles."""
    rows = [(levels_of(row), share) for (_, row), share in zip(chosen.rows.iterrows(), shares, strict=True)]
    return [points.read(share) for points, share in rows if points is not None]


def _error_rate(chosen: Chosen) -> Estimate:
    n, ratio = chosen.n, chosen.failures / chosen.n
    low, high = intervals.share(chosen.failures, n)
    method = f"Wilson {INDEPENDENT}" if chosen.failures else "no failure seen: 1 - 0.05^(1/n)"
    if chosen.failures and _has_blocks(chosen.blocks):
        half = chosen.blocks.halfwidth(chosen.blocks.failures, chosen.blocks.n)
        low, high = min(low, max(ratio - half, 0.0)), max(high, min(ratio + half, 1.0))
        method = f"wider of Wilson and Student's t over {chosen.blocks.length.words}"
    return Estimate(100 * ratio, 100 * low, 100 * high, n, method, caveat=chosen.caveat)


def _rps(chosen: Chosen, duration_s: float | None) -> Estimate | None:
    """Return the requests over the time up to the last, as Locust does; at least those over all of it."""
    if not duration_s:
        return None
    # A recorded duration is known, and that of Locust's history alone has no other beside it.
    requests_s = chosen.run.requests_s
    length_s = duration_s if requests_s is None or chosen.run.meta.ended else min(requests_s, duration_s)
    value, least = chosen.n / length_s, chosen.n / duration_s
    half, method = intervals.Z * math.sqrt(chosen.n) / length_s, f"requests over seconds, {INDEPENDENT}"
    if chosen.blocks is not None:
        lengths = np.full(len(chosen.blocks.n), chosen.blocks.length.length_s)
        half = chosen.blocks.halfwidth(chosen.blocks.n, lengths)
        method = f"requests over seconds, Student's t over {chosen.blocks.length.words}"
    return Estimate(
        value, max(least - half, 0.0), value + half, chosen.n, method, value - least, caveat=chosen.caveat
    )


def _if_all(combine: Callable[[list[float]], float], ends: Sequence[float | None]) -> float | None:
    """Return the outermost end, None as soon as one is unknown."""
    known = [end for end in ends if end is not None]
    return combine(known) if len(known) == len(ends) else None


def _mixed(failures: int) -> str:
    return f"; {failures} failures are among them" if failures else ""


ESTIMATORS: dict[str, Callable[[Chosen], Estimate | None]] = {
    "mean": _mean,
    "min": _minimum,
    "count": lambda chosen: exact(chosen.n, chosen.n, "counted"),
    "failures": lambda chosen: exact(chosen.failures, chosen.n, "counted"),
    "error_rate": _error_rate,
}
"""By metric; `max` and `p100` are the same, percentiles and rates need more than the chosen requests."""
