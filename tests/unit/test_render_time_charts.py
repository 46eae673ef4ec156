"""The charts over time, laid out from runs with known numbers."""

from dataclasses import replace
from typing import Any

import numpy as np

from reports.load.run import AGGREGATED, Run, Stage
from reports.render.charts import HEIGHT_PX, Chart, Limit
from reports.render.time_charts import MAX_LIMITS, MAX_STAGES, stated_limits, time_charts
from tests.make_csv import empty_run, history_rows
from tests.make_verdicts import DEMO_STARTED, demo_run, make_verdict, threshold

QUIET = make_verdict(thresholds=[])


def charts(run: Run, verdict: dict[str, Any] = QUIET) -> dict[str, Chart]:
    """Return the charts of a run by key."""
    return {chart.key: chart for chart in time_charts(run, verdict)}


def short_run(**columns: Any) -> Run:
    """Return a run of four seconds with 0, 10, 30 and 30 requests counted."""
    history = history_rows("", AGGREGATED, [0, 10, 30, 30], **columns)
    return replace(empty_run(started=DEMO_STARTED), history=history)


def test_rates_are_drawn_on_a_scale_from_nothing() -> None:
    """0, 10, 20, 0 a second over 0…3 s on the scale 0…20."""
    chart = charts(short_run())["rates"]
    requests, failures = chart.lines

    assert requests.path == "M0 1000L333 500L667 0L1000 1000"
    assert failures.path == "M0 1000L333 1000L667 1000L1000 1000"
    assert chart.y_ticks == [(100, "0/s"), (75, "5/s"), (50, "10/s"), (25, "15/s"), (0, "20/s")]
    assert [word for _, word in chart.x_ticks] == ["0:00", "0:01", "0:02", "0:03"]
    assert chart.description.startswith("requests/s between 0/s and 20/s, at the end 0/s; failures/s")


def test_every_chart_has_its_numbers_as_a_table() -> None:
    """One row a second, one column a series, the same figures as in the lines."""
    chart = charts(short_run())["rates"]

    assert chart.header == ["requests/s", "failures/s"]
    assert chart.rows == [(0.0, ("0", "0")), (1.0, ("10", "0")), (2.0, ("20", "0")), (3.0, ("0", "0"))]


def test_all_charts_share_their_axis_and_stages() -> None:
    """What happened at the same time stands in the same place of every chart."""
    found = charts(demo_run(40)).values()

    assert {chart.end_s for chart in found} == {40}
    assert len({tuple(chart.bands) for chart in found}) == 1
    assert [(b.name, b.left, b.width) for b in next(iter(found)).bands] == [
        ("ramp up", 0, 12.5),
        ("hold", 12.5, 75),
        ("ramp down", 87.5, 12.5),
    ]


def test_stages_end_where_the_run_ended() -> None:
    """A run stopped at 3 s shows one stage in full, one in part, and none that never began."""
    stages = (Stage("up", 0, 2, 0, 9), Stage("hold", 2, 6, 9, 9), Stage("down", 6, 7, 9, 0))
    run = replace(short_run(), meta=replace(short_run().meta, stages=stages))

    bands = charts(run)["rates"].bands

    assert [(band.name, round(band.left), round(band.width)) for band in bands] == [
        ("up", 0, 67),
        ("hold", 67, 33),
    ]


def test_users_are_compared_with_the_plan_where_there_is_one() -> None:
    """Two lines with schedule.csv; one, and a sentence saying so, without."""
    planned, alone = charts(demo_run())["users"], charts(short_run(users=[0, 1, 2, 3]))["users"]

    assert [line.style for line in planned.lines] == ["planned", "users"]
    assert [line.style for line in alone.lines] == ["users"]
    assert "no plan" in alone.note


def test_latencies_say_what_their_points_cover() -> None:
    """Locust's history is a sliding window with full history and cumulative without."""
    assert "the 10 s before it" in charts(demo_run())["latency"].note
    assert "everything since the start" in charts(short_run())["latency"].note


def test_latencies_are_logarithmic_with_the_limits_in_them() -> None:
    """Percentiles 10, 40, 90 and the limit 1000 ms: the scale is 10…1000, the limit at the top."""
    chart = charts(short_run(), make_verdict(thresholds=[threshold(limit=1000.0)]))["latency"]

    assert [word for _, word in chart.y_ticks][:3] == ["10 ms", "20 ms", "50 ms"]
    assert [chart.y_ticks[i] for i in (3, -1)] == [(50, "100 ms"), (0, "1 s")]
    assert chart.limits == [0]
    assert chart.limit_notes == ["1,000 ms (p95 of careers.select < 500 ms)"]
    assert [label.text for label in chart.labels] == ["p50", "p95", "p99", "limit 1,000 ms"]


def test_latencies_of_nothing_but_zeros_are_drawn() -> None:
    """Locust rounds everything below half a millisecond to 0, which has no logarithm."""
    zeros = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), 0.0)
    history = history_rows("", AGGREGATED, [1, 2, 3, 4], **zeros)
    chart = charts(replace(empty_run(started=DEMO_STARTED), history=history))["latency"]

    assert chart.lines[0].path == "M0 1000L333 1000L667 1000L1000 1000"


def test_labels_never_touch() -> None:
    """Three lines that end at the same value are named one below the other."""
    columns = {"p50_ms": 10.0, "p95_ms": 10.0, "p99_ms": 10.0}
    heights = sorted(label.y_px for label in charts(short_run(**columns))["latency"].labels)

    assert heights == [HEIGHT_PX - 28, HEIGHT_PX - 14, HEIGHT_PX]


def test_limits_of_a_unit_are_gathered() -> None:
    """Equal limits are one line with two sources; other units and unknown limits are left out."""
    entries = [
        threshold(source="a", limit=500.0),
        threshold(source="b", limit=200.0),
        threshold(source="c", limit=500.0),
        threshold(source="d", limit=1.0, unit="%"),
        threshold(source="e", limit=None),
    ]

    assert stated_limits(make_verdict(thresholds=entries), "ms") == [
        Limit(200.0, ["b"]),
        Limit(500.0, ["a", "c"]),
    ]


def test_only_limits_on_all_requests_are_drawn_into_the_rate() -> None:
    """The rate of one name has no place in the chart of all of them."""
    entries = [
        threshold(source="one", limit=5.0, unit="/s"),
        threshold(source="all", limit=15.0, unit="/s", selector="*"),
    ]

    assert charts(short_run(), make_verdict(thresholds=entries))["rates"].limit_notes == ["15/s (all)"]


def test_limits_and_stages_are_bounded() -> None:
    """A hundred thresholds and a thousand stages still make a readable chart."""
    entries = [threshold(limit=float(i)) for i in range(1, 100)]
    run = demo_run()
    stages = tuple(Stage(f"s{i}", i / 25, (i + 1) / 25, 0, 0) for i in range(1000))
    chart = charts(replace(run, meta=replace(run.meta, stages=stages)), make_verdict(thresholds=entries))[
        "latency"
    ]

    assert len(chart.limits) == MAX_LIMITS
    assert len(chart.bands) == MAX_STAGES


def test_long_runs_are_thinned_with_bands() -> None:
    """1201 seconds are bins of three; the caption says so and the table shows least and most."""
    chart = charts(demo_run(1200))["rates"]

    assert len(chart.rows) == 401
    assert all(line.band for line in chart.lines)
    assert "1,201 rows are drawn as 401 means of 3 s" in chart.note
    assert "–" in chart.rows[100][1][0]


def test_nothing_known_is_a_sentence() -> None:
    """An empty run has three sentences instead of three broken charts."""
    found = charts(empty_run())

    assert [len(chart.lines) for chart in found.values()] == [0, 0, 0]
    assert all(chart.note.endswith(".") for chart in found.values())


def test_a_history_of_unknown_figures_is_a_sentence_too() -> None:
    """N/A in every percentile leaves nothing to draw."""
    unknown = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), np.nan)

    assert charts(short_run(**unknown))["latency"].lines == ()
