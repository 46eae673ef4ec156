"""A verdict as people read it: its headline, and thresholds, steps, requests and errors in their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.render.charts import linear_axis
from reports.wording import (
    UNKNOWN,
    count,
    duration,
    finite_or_none,
    format_number,
    plural,
    quantity,
    sanitize,
)

GLYPHS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "?"}
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
    """Return all thresholds: failed, inconclusive, passed; within each the nearest to its limit first.

    Among the failed that which is farthest beyond its limit is first.
    """
    rows = []
    for entry in verdict["thresholds"]:
        unit, upper = entry["unit"], entry["upper_limit"]
        distance = None if upper is not None else relative_distance(entry["value"], entry["limit"])
        limit = f"{entry['operator']} {quantity(entry['limit'], unit)}"
        row = ThresholdRow(
            source=sanitize(f"{entry['name']}: {entry['source']}" if entry["name"] else entry["source"], 200),
            verdict=entry["verdict"],
            level=entry["level"],
            value=quantity(entry["value"], unit),
            limit=limit if upper is None else f"{limit} and {quantity(upper, unit)}",
            margin=margin(distance),
            distance=distance,
            interval=_interval(entry["interval"], unit),
            n=count(entry["n"]),
            reason=sanitize(entry["reason"]),
            method=sanitize(entry["method"]),
            bar=interval_bar(entry),
        )
        near = abs(distance or 0.0)
        rows.append((WORST_FIRST.index(row.verdict), -near if row.verdict == "FAIL" else near, row))
    return [row for *_, row in sorted(rows, key=lambda each: each[:2])]


def relative_distance(value: object, limit: object) -> float | None:
    """Return value / limit - 1: -0.58 is 58 % below the limit; None where that says nothing."""
    found, bound = finite_or_none(value), finite_or_none(limit)
    return found / bound - 1 if found is not None and bound else None


def margin(distance: float | None) -> str:
    """Write a relative distance: 58% below, 12% above, 3.2 times."""
    if distance is None:
        return UNKNOWN
    if distance >= 1:
        return f"{format_number(round(distance + 1, 1))} times"
    return f"{format_number(abs(round(100 * distance, 1)))}% {'above' if distance > 0 else 'below'}"


def _interval(interval: Sequence[float | None] | None, unit: str) -> str:
    """Write both ends in one unit; a lower end of under a thousandth of the upper one is as good as 0."""
    low, high = interval or (None, None)
    if low is None and high is None:
        return UNKNOWN
    if low is None or high is None:
        return f"at most {quantity(high, unit)}" if low is None else f"at least {quantity(low, unit)}"
    if low == high:
        return quantity(low, unit)
    factor = 1000 if unit == "ms" and high >= 10_000 else 1
    return f"{format_number(low / factor if low >= high / 1000 else 0)} to {quantity(high, unit)}"


def interval_bar(entry: dict[str, Any]) -> Bar | None:
    """Return the bar of one threshold, from 0 to past limit and interval; None without figures.

    An open end of the interval reaches the edge of the bar.
    """
    limit, value = finite_or_none(entry["limit"]), finite_or_none(entry["value"])
    low, high = map(finite_or_none, entry["interval"] or (None, None))
    # A figure that falls, as a slope may, is at the left edge.
    limit, value, low, high = (None if x is None else max(x, 0.0) for x in (limit, value, low, high))
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


def headline(verdict: dict[str, Any], rows: Sequence[ThresholdRow]) -> str:
    """Return the verdict as a sentence: how many limits hold, are broken or stay open."""
    deciding = [row for row in rows if row.level == "fail"]
    failed = sum(row.verdict == "FAIL" for row in deciding)
    undecided = sum(row.verdict == "INCONCLUSIVE" for row in deciding)
    doubts = sum(not check["ok"] for check in verdict["validity"])
    only = "the only limit" if len(deciding) == 1 else ""
    if verdict["verdict"] == "PASS":
        return f"Yes: {only} holds." if only else f"Yes: all {len(deciding)} limits hold."
    if verdict["verdict"] == "FAIL":
        decisive = [check for check in verdict["validity"] if not check["ok"] and check.get("is_decisive")]
        said = [f"{only or f'{failed} of {len(deciding)} limits'} {plural(failed, 'is', 'are')} broken"]
        return f"No: {'; '.join([*(said if failed else []), *(sanitize(c['reason']) for c in decisive)])}."
    if not deciding:
        return "Not decided: no threshold can fail this run."
    said = []
    if undecided:
        limits = only or f"{undecided} of {len(deciding)} limits"
        said.append(f"{limits} {plural(undecided, 'stays', 'stay')} open")
    if doubts:
        said.append(f"{doubts} {plural(doubts, 'check')} of the run failed")
    return f"Not decided: {' and '.join(said)}."


def deciding_row(rows: Sequence[ThresholdRow]) -> ThresholdRow | None:
    """Return the threshold that decides: the worst one, among passed ones the nearest to its limit."""
    deciding = [row for row in rows if row.level == "fail"]
    return deciding[0] if deciding else None


@dataclass(frozen=True)
class StepRow:
    """Hold one step in words."""

    load: str
    stage: str
    time: str
    verdict: str
    reason: str


def capacity_words(capacity: dict[str, Any]) -> str:
    """Return the interval that the capacity lies in, as far as the steps enclose it."""
    passed, failed = (quantity(capacity[end], capacity["unit"]) for end in ("passed", "failed"))
    if capacity["failed"] is None:
        return (
            "not known: no step passed"
            if capacity["passed"] is None
            else f"at least {passed}: no step failed"
        )
    if capacity["passed"] is None:
        return f"below {failed}, and no lower step passed"
    return f"at least {passed}, where all limits hold, and below {failed}, where one does not"


def step_rows(capacity: dict[str, Any]) -> list[StepRow]:
    """Return the steps by ascending load."""
    return [
        StepRow(
            load=quantity(step["load"], capacity["unit"]),
            stage=sanitize(step["stage"], 60),
            time=f"{duration(step['from_s'])} to {duration(step['to_s'])}",
            verdict=step["verdict"],
            reason=sanitize(step["reason"]),
        )
        for step in sorted(capacity["steps"], key=lambda step: float(step["load"]))
    ]


def failure_ratio(request: dict[str, Any]) -> float:
    """Return failures / n of one request of verdict.json, 0 where none was made."""
    n = finite_or_none(request["n"])
    return (finite_or_none(request["failures"]) or 0.0) / n if n else 0.0


def worst_first(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return requests by share of failures, then by p95, the largest first."""
    return sorted(requests, key=lambda r: (-failure_ratio(r), -(finite_or_none(r["p95"]) or 0.0)))


def most_frequent(errors: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return errors by number of occurrences, the largest first."""
    return sorted(errors, key=lambda e: -(finite_or_none(e["occurrences"]) or 0.0))
