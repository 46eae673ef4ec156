"""The charts over time: users, rates and latencies on one common axis of seconds since the start."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plimsoll.run_files.files import VERY_LATE_MS
from reports.load.run import Run
from reports.render.charts import NOTHING, Axis, Band, Chart, Limit, Series, Sketch, linear_axis, log_axis
from reports.render.timelines import (
    PERCENTILES,
    Floats,
    Timeline,
    block_s,
    generator_timeline,
    recorded_percentiles,
    recorded_rates,
    starts_timeline,
    total_timeline,
    users_timeline,
)
from reports.thresholds.metrics import Clock
from reports.thresholds.selectors import ITERATIONS, TRANSACTIONS
from reports.verdict.checks.generator import CPU_RATIO
from reports.wording import finite_or_none, sanitize

MAX_LIMITS = 6
MAX_STAGES = 60
HEALTH_NOTES = {
    "cpu": "The busiest of the generator's processes, second by second, in per cent of one core.",
    "lag": "By how much the event loop woke late in each second (p99 of the worst process).",
    "flight": "Requests in flight in all processes, as counted once a second.",
}


def time_charts(run: Run, verdict: dict[str, Any]) -> list[Chart]:
    """Return the charts of users, starts, rates and latencies, all ending at the last second known."""
    recorded, corrected = run.intervals, run.intervals.corrected
    latencies = recorded_percentiles(run, recorded.latencies) if recorded else total_timeline(run)
    sketches = [
        _users(run),
        *_starts(run),
        _rates(run, stated_limits(verdict, "/s", selector="*")),
        _percentiles(
            "latency",
            "When did it get slow?",
            f"How long all requests together took, {_covered(run)}, on a logarithmic scale.",
            latencies,
            stated_limits(verdict, "ms"),
        ),
    ]
    if corrected is not None:
        sketches.append(
            _percentiles(
                "response",
                "How long was the wait from the intended start?",
                f"Latencies from the intended start; {_covered(run)}, on a logarithmic scale.",
                recorded_percentiles(run, corrected),
                stated_limits(verdict, "ms", is_corrected=True),
            )
        )
    end_s = max(*(sketch.timeline.end_s for sketch in sketches), 1.0)
    bands = []
    for stage in run.meta.stages[:MAX_STAGES]:
        if stage.from_s < end_s:
            width = 100 * (min(stage.to_s, end_s) - stage.from_s) / end_s
            bands.append(Band(sanitize(stage.name, 80), 100 * stage.from_s / end_s, width))
    return [sketch.drawn(end_s, bands) for sketch in sketches]


def generator_charts(run: Run) -> list[Chart]:
    """Return the charts of the generator's CPU, loop and requests in flight; none without health.csv."""
    if run.health.empty:
        return []
    timeline = generator_timeline(run)
    sketches = [
        _sketch(
            key, question, HEALTH_NOTES[key], "health.csv has no such column.", timeline, names, unit, limits
        )
        for key, question, names, unit, limits in (
            (
                "cpu",
                "Had the generator CPU to spare?",
                {"cpu": ("CPU", "rps")},
                "%",
                [Limit(100 * CPU_RATIO, ["generator_cpu, on average"])],
            ),
            (
                "lag",
                "Was the generator's event loop on time?",
                {"lag": ("lag p99", "p95")},
                "ms",
                [Limit(VERY_LATE_MS, ["generator_loop_lag: 5 % of all samples"])],
            ),
            ("flight", "How many requests were in flight?", {"in_flight": ("in flight", "p99")}, "", []),
        )
    ]
    return [sketch.drawn(max(timeline.end_s, 1.0), ()) for sketch in sketches]


def _sketch(
    key: str,
    question: str,
    note: str,
    nothing: str,
    timeline: Timeline,
    names: Mapping[str, tuple[str, str]],
    unit: str,
    limits: Sequence[Limit] = (),
) -> Sketch:
    """Return a chart of some columns of a timeline, named and styled, on a linear axis."""
    columns = [timeline.columns[column] for column in names]
    series = [Series(name, style, y) for (name, style), y in zip(names.values(), columns, strict=True)]
    scale, ticks = linear_axis(max(_known_values(columns, limits), default=1.0))
    return Sketch(key, question, note, nothing, timeline, series, Axis(scale, ticks, unit), limits)


def _users(run: Run) -> Sketch:
    timeline = users_timeline(run)
    is_planned = not np.isnan(timeline.columns["planned_users"]).all()
    plan = ", against those the shape planned." if is_planned else ". There was no plan to compare with."
    return _sketch(
        "users",
        "Did the test apply the load I planned?",
        f"Users running, second by second{plan}",
        "Neither schedule.csv nor Locust's history has the number of users.",
        timeline,
        {"planned_users": ("planned", "planned"), "users": ("users", "users")},
        "",
    )


def _starts(run: Run) -> list[Sketch]:
    """Return the charts of a schedule's iterations; none without one."""
    if not run.has_schedule:
        return []
    timeline = starts_timeline(run)
    return [
        _sketch(
            "starts",
            "Did iterations start when planned?",
            "Iterations started a second, against those the schedule planned.",
            "health.csv has no iteration counts.",
            timeline,
            {"planned_rate": ("planned", "planned"), "started": ("started", "users")},
            "/s",
        ),
        _sketch(
            "waits",
            "Which iterations were late or dropped?",
            "Iterations a second that started over 10 ms after their intended start, and those dropped"
            " because no user was free.",
            "health.csv has no counts of late and dropped iterations.",
            timeline,
            {"late": ("late", "p95"), "dropped": ("dropped", "failed")},
            "/s",
        ),
    ]


def _rates(run: Run, limits: Sequence[Limit]) -> Sketch:
    counted = (
        "by the second in which they ended"
        if run.intervals
        else "from Locust's counts as they grew; its own rate column would stand still while the service does"
    )
    return _sketch(
        "rates",
        "How much got through, and when did it fail?",
        f"Requests and failures a second, {counted}.",
        "There is no history of request counts (locust_stats_history.csv).",
        recorded_rates(run) if run.intervals else total_timeline(run),
        {"rps": ("requests/s", "rps"), "failures_per_s": ("failures/s", "failed")},
        "/s",
        limits,
    )


def _percentiles(key: str, question: str, note: str, timeline: Timeline, limits: Sequence[Limit]) -> Sketch:
    columns = [timeline.columns[name] for name in PERCENTILES]
    # Locust writes 0 for all below half a millisecond.
    values = [v for v in _known_values(columns, limits) if v > NOTHING] or [1.0]
    scale, ticks = log_axis(min(values), max(values))
    return Sketch(
        key=key,
        question=question,
        note=note,
        nothing="There is no history of latencies (locust_stats_history.csv).",
        timeline=timeline,
        series=[Series(name, name, y) for name, y in zip(PERCENTILES, columns, strict=True)],
        axis=Axis(scale, ticks, "ms"),
        limits=limits,
    )


def _covered(run: Run) -> str:
    """Say which requests each point of the latencies covers."""
    if run.intervals:
        return f"successes alone; each point covers those that started in the {block_s(run)} s before it"
    if run.has_named_history:
        return "failures included; each point covers the 10 s before it"
    return "failures included; each point covers everything since the start, for lack of --csv-full-history"


LATENCY_METRIC = re.compile(r"(?:corrected_|cumulated_)?(?:p[0-9.]+|mean|max|min)")


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
        if unit == "ms" and not LATENCY_METRIC.fullmatch(entry["metric"]):
            continue  # a spread or a sum is no latency of the chart
        if entry["metric"].startswith(Clock.CORRECTED.value) != is_corrected or not is_request:
            continue
        if limit and entry["unit"] == unit and selector in (None, entry["selector"]):
            sources.setdefault(limit, []).append(sanitize(entry["source"], 80))
    return [Limit(value, sources[value]) for value in sorted(sources)[:MAX_LIMITS]]


def _known_values(columns: Sequence[Floats], limits: Sequence[Limit]) -> list[float]:
    drawn = np.concatenate([*columns, [limit.value for limit in limits]])
    return [float(v) for v in drawn[np.isfinite(drawn)]]
