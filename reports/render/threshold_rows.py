"""Thresholds as rows for people: how near to the limit, with a bar of the interval against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.render.charts import linear_axis
from reports.render.wording import UNKNOWN, count, figure, known, latency, plain, quantity

WORST_FIRST = ("FAIL", "INCONCLUSIVE", "PASS")


@dataclass(frozen=True)
class Bar:
    """Hold an interval bar; positions in per cent of its width, None for what is not known."""

    limit: float
    allowed_left: float
    allowed_width: float
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ThresholdRow:
    """Hold one threshold in words; `distance` is None where limit or value are 0 or not known."""

    source: str
    verdict: str
    level: str
    value: str
    limit: str
    margin: str
    distance: float | None
    interval: str
    n: str
    reason: str
    method: str
    bar: Bar | None


def threshold_rows(verdict: dict[str, Any]) -> list[ThresholdRow]:
    """Return all thresholds: failed, inconclusive, passed; within each the nearest to its limit first."""
    rows = [_row(entry) for entry in verdict["thresholds"]]
    return sorted(rows, key=lambda row: (WORST_FIRST.index(row.verdict), _nearness(row)))


def _nearness(row: ThresholdRow) -> float:
    """Return the distance that sorts the worst first: the largest among the failed, else the smallest."""
    distance = abs(row.distance or 0.0)
    return -distance if row.verdict == "FAIL" else distance


def _row(entry: dict[str, Any]) -> ThresholdRow:
    distance = relative_distance(entry["value"], entry["limit"])
    return ThresholdRow(
        source=plain(entry["source"], 200),
        verdict=entry["verdict"],
        level=entry["level"],
        value=_written(entry["value"], entry["unit"]),
        limit=f"{entry['operator']} {_written(entry['limit'], entry['unit'])}",
        margin=margin(distance),
        distance=distance,
        interval=_interval(entry["interval"], entry["unit"]),
        n=count(entry["n"]),
        reason=plain(entry["reason"]),
        method=plain(entry["method"]),
        bar=interval_bar(entry),
    )


def relative_distance(value: object, limit: object) -> float | None:
    """Return value / limit - 1: -0.58 is 58 % below the limit; None where that says nothing."""
    found, bound = known(value), known(limit)
    return found / bound - 1 if found is not None and bound else None


def margin(distance: float | None) -> str:
    """Write a relative distance: 58% below, 12% above, 3.2 times."""
    if distance is None:
        return UNKNOWN
    if distance >= 1:
        return f"{figure(round(distance + 1, 1))} times"
    return f"{figure(abs(round(100 * distance, 1)))}% {'above' if distance > 0 else 'below'}"


def _written(value: object, unit: str) -> str:
    return latency(value) if unit == "ms" else quantity(value, unit)


def _interval(interval: Sequence[float | None] | None, unit: str) -> str:
    low, high = interval or (None, None)
    if low is None and high is None:
        return UNKNOWN
    if low is None or high is None:
        return f"at most {_written(high, unit)}" if low is None else f"at least {_written(low, unit)}"
    return f"{figure(low)} to {_written(high, unit)}" if low != high else _written(low, unit)


def interval_bar(entry: dict[str, Any]) -> Bar | None:
    """Return the bar of one threshold, from 0 to past limit and interval; None without figures.

    An open end of the interval reaches the edge of the bar.
    """
    limit, value = known(entry["limit"]), known(entry["value"])
    low, high = map(known, entry["interval"] or (None, None))
    if limit is None or (value is None and low is None and high is None):
        return None
    scale, _ = linear_axis(1.15 * max(x for x in (limit, value, low, high) if x is not None))
    at, left, right = (None if x is None else 100 * scale.fraction(x) for x in (value, low, high))
    edge = 100 * scale.fraction(limit)
    below = entry["operator"].startswith("<")
    return Bar(
        limit=edge,
        allowed_left=0.0 if below else edge,
        allowed_width=edge if below else 100 - edge,
        value=at,
        low=0.0 if left is None and right is not None else left,
        high=100.0 if right is None and left is not None else right,
    )
