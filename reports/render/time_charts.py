"""The charts over time: users, rates and latencies on one common axis of seconds since the start."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plimsoll.run_files.files import VERY_LATE_MS
from reports.load.run import Run
from reports.render.charts import NOTHING, Floats, linear_axis, log_axis
from reports.render.drawing import Axis, Band, Chart, Limit, Series, Sketch
from reports.render.recorded import (
    block_s,
    generator_timeline,
    recorded_percentiles,
    recorded_rates,
    starts_timeline,
)
from reports.render.timelines import PERCENTILES, Timeline, stage_bounds, total_timeline, users_timeline
from reports.thresholds.statement import ITERATIONS, TRANSACTIONS, Clock
from reports.verdict.checks.generator import CPU_RATIO
from reports.wording import finite_or_none, sanitize

MAX_LIMITS = 6
MAX_STAGES = 60
HEALTH_NOTES = {
    "cpu": "The busiest of the generator's processes, second by second, in per cent of one core.",
    "lag": "By how much the event loop woke late in each second (p99 of the worst process).",
    "flight": "Requests under way in all processes, as counted once a second.",
}


def time_charts(run: Run, verdict: dict[str, Any]) -> list[Chart]:
    """Return the charts of users, starts, rates and latencies, all ending at the last second known."""
    users, rates, latencies = users_timeline(run), _rates(run, verdict), _latencies(run, verdict)
    sketches = [_users(users), *_starts(run), rates, latencies, *_responses(run, verdict)]
    end_s = max(*(sketch.timeline.end_s for sketch in sketches), 1.0)
    bands = [
        Band(sanitize(name, 80), 100 * from_s / end_s, 100 * (to_s - from_s) / end_s)
        for name, from_s, to_s in stage_bounds(run, end_s)[:MAX_STAGES]
    ]
    return [sketch.drawn(end_s, bands) for sketch in sketches]


def generator_charts(run: Run) -> list[Chart]:
    """Return the charts of the generator's CPU, loop and requests in flight; none without health.csv."""
    if run.health.empty:
        return []
    timeline = generator_timeline(run)
    cpu, lag, in_flight = (timeline.columns[key] for key in ("cpu", "lag", "in_flight"))
    full = [Limit(100 * CPU_RATIO, ["generator_cpu, on average"])]
    late = [Limit(VERY_LATE_MS, ["generator_loop_lag: 5 % of all samples"])]
    sketches = [
        _health_sketch(
            "cpu", "Had the generator CPU to spare?", timeline, Series("CPU", "rps", cpu), "%", full
        ),
        _health_sketch("lag", "Was its clock on time?", timeline, Series("lag p99", "p95", lag), "ms", late),
        _health_sketch(
            "flight", "How much was under way?", timeline, Series("in flight", "p99", in_flight), "", []
        ),
    ]
    return [sketch.drawn(max(timeline.end_s, 1.0), ()) for sketch in sketches]


def _health_sketch(
    key: str, question: str, timeline: Timeline, series: Series, unit: str, limits: Sequence[Limit]
) -> Sketch:
    return Sketch(
        key=key,
        question=question,
        note=HEALTH_NOTES[key],
        nothing="health.csv does not tell.",
        timeline=timeline,
        series=[series],
        axis=_linear([series.y], limits, unit),
        limits=limits,
    )


def _users(timeline: Timeline) -> Sketch:
    columns = timeline.columns
    planned = not np.isnan(columns["planned_users"]).all()
    axis = _linear(list(columns.values()), (), "")
    return Sketch(
        key="users",
        question="Did the test apply the load I planned?",
        note="Users running, second by second"
        + (", against those the shape planned." if planned else ". There was no plan to compare with."),
        nothing="Neither schedule.csv nor Locust's history tells how many users ran.",
        timeline=timeline,
        series=[
            Series("planned", "planned", columns["planned_users"]),
            Series("users", "users", columns["users"]),
        ],
        axis=axis,
    )


def _starts(run: Run) -> list[Sketch]:
    """Return the charts of a schedule's iterations; none without one."""
    if not run.has_schedule:
        return []
    timeline = starts_timeline(run)
    planned, started, late, dropped = timeline.columns.values()
    return [
        Sketch(
            key="starts",
            question="Did everybody arrive when planned?",
            note="Iterations started a second, against those the schedule planned.",
            nothing="health.csv does not tell which iterations were started.",
            timeline=timeline,
            series=[Series("planned", "planned", planned), Series("started", "users", started)],
            axis=_linear([planned, started], (), "/s"),
        ),
        Sketch(
            key="waits",
            question="Who came late, or never?",
            note="Iterations a second that started over 10 ms after their intended start, and those dropped"
            " because no user was free.",
            nothing="health.csv does not tell which iterations were late or dropped.",
            timeline=timeline,
            series=[Series("late", "p95", late), Series("dropped", "failed", dropped)],
            axis=_linear([late, dropped], (), "/s"),
        ),
    ]


def _rates(run: Run, verdict: dict[str, Any]) -> Sketch:
    timeline = recorded_rates(run) if run.intervals else total_timeline(run)
    columns = [timeline.columns["rps"], timeline.columns["failures_per_s"]]
    limits = stated_limits(verdict, "/s", selector="*")
    counted = (
        "by the second in which they ended"
        if run.intervals
        else "from Locust's counts as they grew; its own rate column would stand still while the service does"
    )
    return Sketch(
        key="rates",
        question="How much got through, and when did it fail?",
        note=f"Requests and failures a second, {counted}.",
        nothing="There is no history of request counts (locust_stats_history.csv).",
        timeline=timeline,
        series=[Series("requests/s", "rps", columns[0]), Series("failures/s", "failed", columns[1])],
        axis=_linear(columns, limits, "/s"),
        limits=limits,
    )


def _latencies(run: Run, verdict: dict[str, Any]) -> Sketch:
    recorded = run.intervals
    timeline = recorded_percentiles(run, recorded.latencies) if recorded else total_timeline(run)
    return _percentiles_sketch(
        "latency",
        "When did it get slow?",
        f"How long all requests together took, {_covered(run)}, on a logarithmic scale.",
        timeline,
        stated_limits(verdict, "ms"),
    )


def _responses(run: Run, verdict: dict[str, Any]) -> list[Sketch]:
    """Return the chart of latencies from the intended start; none without a schedule."""
    if run.intervals.corrected is None:
        return []
    sketch = _percentiles_sketch(
        "response",
        "How long did those wait who arrived?",
        f"Latencies from the intended start of the iteration; {_covered(run)}, on a logarithmic scale.",
        recorded_percentiles(run, run.intervals.corrected),
        stated_limits(verdict, "ms", is_corrected=True),
    )
    return [sketch]


def _percentiles_sketch(
    key: str, question: str, note: str, timeline: Timeline, limits: Sequence[Limit]
) -> Sketch:
    columns = [timeline.columns[name] for name in PERCENTILES]
    return Sketch(
        key=key,
        question=question,
        note=note,
        nothing="There is no history of latencies (locust_stats_history.csv).",
        timeline=timeline,
        series=[Series(name, name, y) for name, y in zip(PERCENTILES, columns, strict=True)],
        axis=_logarithmic(columns, limits),
        limits=limits,
    )


def _covered(run: Run) -> str:
    """Say which requests each point of the latencies covers."""
    if run.intervals:
        return f"successes alone; each point covers those that started in the {block_s(run)} s before it"
    if run.has_named_history:
        return "failures included; each point covers the 10 s before it"
    return "failures included; each point covers everything since the start, for lack of --csv-full-history"


def stated_limits(
    verdict: dict[str, Any], unit: str, selector: str | None = None, *, is_corrected: bool = False
) -> list[Limit]:
    """Return the limits of all thresholds of requests in a unit, equal ones together, at most `MAX_LIMITS`.

    `is_corrected` chooses between those from an intended start and all others.
    """
    sources: dict[float, list[str]] = {}
    for entry in verdict["thresholds"]:
        limit = finite_or_none(entry["limit"])
        is_request = not any(prefix in entry["selector"] for prefix in (ITERATIONS, TRANSACTIONS))
        if entry["metric"].startswith(Clock.CORRECTED.value) != is_corrected or not is_request:
            continue
        if limit and entry["unit"] == unit and selector in (None, entry["selector"]):
            sources.setdefault(limit, []).append(sanitize(entry["source"], 80))
    return [Limit(value, sources[value]) for value in sorted(sources)[:MAX_LIMITS]]


def _linear(columns: Sequence[Floats], limits: Sequence[Limit], unit: str) -> Axis:
    scale, ticks = linear_axis(max(_known_values(columns, limits), default=1.0))
    return Axis(scale, ticks, unit)


def _logarithmic(columns: Sequence[Floats], limits: Sequence[Limit]) -> Axis:
    """Return an axis from the smallest value there is; Locust writes 0 for all below half a millisecond."""
    values = [v for v in _known_values(columns, limits) if v > NOTHING] or [1.0]
    scale, ticks = log_axis(min(values), max(values))
    return Axis(scale, ticks, "ms")


def _known_values(columns: Sequence[Floats], limits: Sequence[Limit]) -> list[float]:
    drawn = np.concatenate([*columns, [limit.value for limit in limits]])
    return [float(v) for v in drawn[np.isfinite(drawn)]]
