"""A page's visit: the script that sees it in the page, and its vitals in ms and weight in bytes by kind.

The vitals are those of the web-vitals library, and TTI that of Lighthouse.
"""

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
    # What came from the cache weighs what it did when it came.
    cached = {url: size_bytes for url, _, _, size_bytes in report["requests"]}
    weights_bytes = dict.fromkeys([*KINDS.values(), "total"], 0)
    for load in report["loads"]:
        size_bytes = int(load["bytes"] or cached.get(load["url"], 0))
        weights_bytes["total"] += size_bytes
        if load["kind"] in KINDS:
            weights_bytes[KINDS[load["kind"]]] += size_bytes
    return Vitals(
        report["ttfb"],
        report["fcp"],
        report["lcp"],
        report["inp"],
        time_to_interactive(report["fcp"], report["ready"], report["tasks"], spans, report["left"]),
        max(end for _, end in spans),
        report["cls"],
        weights_bytes,
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


BINDING = "plimsollInteraction"
"""The function by which a page reports an interaction at once, as it may lead away from the page."""

SCRIPT = """
(() => {
  if (window !== window.top) return;
  const seen = { id: Math.random().toString(36).slice(2), lcp: null, fcp: null, cls: 0, tasks: [] };
  const interactions = new Map();
  const observers = [];
  let shift = { value: 0, first: -Infinity, last: -Infinity };

  function observe(type, take, options) {
    if (!PerformanceObserver.supportedEntryTypes.includes(type)) return;
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(take));
    observer.observe({ type, buffered: true, ...options });
    observers.push([observer, take]);
  }
  // Shifts less than 1 s apart and within 5 s belong together; the worst such window counts.
  function takeShift(entry) {
    if (entry.hadRecentInput) return;
    const goes_on = entry.startTime - shift.last < 1000 && entry.startTime - shift.first < 5000;
    shift = goes_on ? shift : { value: 0, first: entry.startTime };
    shift.value += entry.value;
    shift.last = entry.startTime;
    seen.cls = Math.max(seen.cls, shift.value);
  }
  function takeInteraction(entry) {
    if (!entry.interactionId && entry.entryType !== "first-input") return;
    const id = entry.interactionId || "first";
    interactions.set(id, Math.max(interactions.get(id) || 0, entry.duration));
    if (window.plimsollInteraction) window.plimsollInteraction(JSON.stringify({ id: seen.id, inp: inp() }));
  }
  observe("largest-contentful-paint", (entry) => { seen.lcp = entry.startTime; });
  observe("paint", (entry) => { if (entry.name === "first-contentful-paint") seen.fcp = entry.startTime; });
  observe("layout-shift", takeShift);
  observe("longtask", (entry) => seen.tasks.push([entry.startTime, entry.startTime + entry.duration]));
  observe("event", takeInteraction, { durationThreshold: 16 });
  observe("first-input", takeInteraction);

  // Of up to 50 interactions the slowest is the INP, of more the one that 1 in 50 exceeds.
  function inp() {
    const durations = [...interactions.values()].sort((one, other) => other - one);
    return durations.length ? durations[Math.floor(durations.length / 50)] : null;
  }
  function collect() {
    for (const [observer, take] of observers) observer.takeRecords().forEach(take);
    const page = performance.getEntriesByType("navigation")[0];
    const requests = performance.getEntriesByType("resource");
    return {
      ...seen, inp: inp(), ttfb: page.responseStart, ready: page.domContentLoadedEventEnd,
      left: performance.now(),
      requests: [page, ...requests].map(
        (one) => [one.name, one.startTime, one.responseEnd, one.encodedBodySize]),
    };
  }
  window.plimsoll = { collect };
})();
"""

COLLECT = "() => window.plimsoll && location.protocol !== 'about:' ? window.plimsoll.collect() : null"

# Two frames later the last paint is on the screen; then the time to the end of the load event, in ms.
SETTLE = """
() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(
  () => done(performance.getEntriesByType("navigation")[0].loadEventEnd)))))
"""
