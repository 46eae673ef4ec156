"""What a page's visit was like: its vitals in ms, its weight in bytes by kind, and what it may weigh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

KINDS = {"Script": "script", "Stylesheet": "style", "Image": "image", "Font": "font"}
"""The kinds that have budgets, by Chromium's names for them."""
QUIET_MS = 5000.0
QUIET_REQUESTS = 2

Span = tuple[float, float]


class Vitals(NamedTuple):
    """How a visit went, in ms since the page was asked for; None is what the page did not come to.

    `weight_ms` is when all that the page is made of had come. `cls` has no unit.
    """

    ttfb_ms: float
    fcp_ms: float | None
    lcp_ms: float | None
    inp_ms: float | None
    tti_ms: float | None
    weight_ms: float
    cls: float
    weights_bytes: Mapping[str, int]


def read_vitals(report: Mapping[str, Any]) -> Vitals:
    """Make the vitals of a page out of what it said when it was left."""
    spans = [(start, end or report["left"]) for _, start, end, _ in report["requests"]]
    return Vitals(
        report["ttfb"],
        report["fcp"],
        report["lcp"],
        report["inp"],
        time_to_interactive(report["fcp"], report["ready"], report["tasks"], spans, report["left"]),
        max(end for _, end in spans),
        report["cls"],
        _weights_bytes(report),
    )


def time_to_interactive(
    fcp_ms: float | None,
    ready_ms: float,
    tasks: Sequence[Sequence[float]],
    requests: Sequence[Span],
    left_ms: float,
) -> float | None:
    """Return when the page had become quiet, as Lighthouse defines it, in ms; None without a first paint.

    That is the end of the last long task (over 50 ms) before the first 5 s, from the first contentful paint,
    with no long task and at most 2 requests under way; but not before that paint, nor before the DOM was
    ready (*ready_ms*). A page that is left sooner counts as quiet from when it was left.
    """
    if fcp_ms is None:
        return None
    quiet_from_ms = fcp_ms
    for start_ms, end_ms in sorted([*((task[0], task[1]) for task in tasks), *_busy_spans(requests)]):
        if start_ms - quiet_from_ms >= QUIET_MS or start_ms >= left_ms:
            break
        quiet_from_ms = max(quiet_from_ms, end_ms)
    last_task_ms = max((task[1] for task in tasks if task[1] <= quiet_from_ms), default=0.0)
    return max(fcp_ms, ready_ms, last_task_ms)


def over_budget(weights_bytes: Mapping[str, int], budgets_bytes: Mapping[str, int]) -> list[str]:
    """Return the kinds, in alphabetical order, that weigh more than they may."""
    return sorted(kind for kind, most in budgets_bytes.items() if weights_bytes.get(kind, 0) > most)


def _busy_spans(requests: Sequence[Span]) -> list[Span]:
    """Return when more than two requests were under way."""
    steps = sorted([(start, 1) for start, _ in requests] + [(end, -1) for _, end in requests])
    spans, under_way, since_ms = [], 0, 0.0
    for at_ms, step in steps:
        before, under_way = under_way, under_way + step
        if before == QUIET_REQUESTS and step > 0:
            since_ms = at_ms
        elif under_way == QUIET_REQUESTS and step < 0:
            spans.append((since_ms, at_ms))
    return spans


def _weights_bytes(report: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes by kind and in total; what came from the cache weighs what it did when it came."""
    cached = {url: size_bytes for url, _, _, size_bytes in report["requests"]}
    weights = dict.fromkeys([*KINDS.values(), "total"], 0)
    for load in report["loads"]:
        size_bytes = int(load["bytes"] or cached.get(load["url"], 0))
        weights["total"] += size_bytes
        if load["kind"] in KINDS:
            weights[KINDS[load["kind"]]] += size_bytes
    return weights
