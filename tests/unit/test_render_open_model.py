"""The report on a load with a schedule: what was started and when, how long those waited who arrived."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.load.run import HEALTH_COLUMNS, STAGE_COLUMNS, Arrivals, Run, Stage
from reports.render.html import report_html
from reports.render.terminal import terminal_text
from reports.render.time_charts import stated_limits, time_charts
from reports.render.timelines import recorded_failures, starts_timeline
from reports.thresholds.reading import parse_thresholds
from reports.verdict.verdict import reach_verdict
from tests.make_csv import START_S, empty_run
from tests.make_recorded import even, recorded, requests

THRESHOLDS = parse_thresholds(
    "thresholds: [p95 < 500 ms, corrected_p95 < 1 s, 'p95 of iteration:* < 2 s', dropped_iterations < 1%]"
)


def open_run(*more: pd.DataFrame, **meta: Any) -> Run:
    """Return twenty seconds of two arrivals a second, of which one a second came late in the first five."""
    made = even(40, 20.0, seconds=20, delay_ms=np.where(np.arange(40) < 10, 300.0, 0.0))
    tasks = even(40, 400.0, seconds=20, delay_ms=0.0, request_type="iteration", name="Shopper.<b>buy</b>")
    stage = (Stage("hold", 0, 20, 2, 2.5),)
    known: dict[str, Any] = {"load_model": "open", "stages": stage, "arrivals": Arrivals(40, "even")}
    run = recorded(pd.concat([made, tasks, *more]), 500.0, 1000.0, **(known | meta))
    seconds = np.arange(20, dtype=float)
    late = (seconds < 5).astype(float)
    counted = {
        "unix_s": START_S + 1.2 + seconds,
        "process": "local",
        "started": 2.0,
        "late": late,
        "dropped": 0.0,
    }
    planned = {"unix_s": START_S + seconds, "elapsed_s": seconds, "users": 4.0, "planned_rate": 2.0}
    return replace(
        run,
        health=pd.DataFrame(counted).reindex(columns=list(HEALTH_COLUMNS)),
        stages=pd.DataFrame(planned | {"stage": "hold"}).reindex(columns=list(STAGE_COLUMNS)),
    )


def test_starts_are_told_by_the_second() -> None:
    """A row of health.csv tells of the second before it, where the plan of that second stands beside it."""
    timeline = starts_timeline(open_run())
    assert timeline.elapsed_s.tolist() == list(range(20))
    assert timeline.columns["planned_rate"].tolist() == [2.0] * 20
    assert timeline.columns["started"].sum() == 40
    assert timeline.columns["late"].tolist()[:6] == [1, 1, 1, 1, 1, 0]


def test_without_a_schedule_there_are_no_starts() -> None:
    """A closed load has neither the charts nor the timeline."""
    run = open_run(load_model="closed")
    assert starts_timeline(run).end_s == 0
    assert not {"starts", "waits"} & {chart.key for chart in time_charts(run, reach_verdict(run, []))}


def test_charts_of_an_open_load() -> None:
    """Planned against started, late and dropped; response times beside service times, with their limits."""
    run = open_run()
    charts = {chart.key: chart for chart in time_charts(run, reach_verdict(run, THRESHOLDS))}
    assert list(charts) == ["users", "starts", "waits", "rates", "latency", "response"]
    assert charts["starts"].header == ["planned", "started"]
    assert charts["waits"].description.startswith("late between 0/s and 1/s, at the end 0/s")
    assert charts["response"].rows[0][1][2] == "321"
    assert charts["latency"].rows[0][1][2] == "20"
    assert charts["response"].limit_notes == ["1,000 ms (corrected_p95 < 1 s)"]
    assert charts["latency"].limit_notes == ["500 ms (p95 < 500 ms)"]


def test_health_that_tells_nothing_says_so() -> None:
    """Without health.csv the charts of the schedule say what is missing."""
    run = replace(open_run(), health=empty_run().health)
    charts = {chart.key: chart for chart in time_charts(run, reach_verdict(run, []))}
    assert charts["starts"].note == "health.csv has no iteration counts."
    assert not charts["waits"].lines


@pytest.mark.parametrize(("response", "limits"), [(False, [500.0]), (True, [1000.0])])
def test_limits_are_drawn_where_they_belong(limits: list[float], *, response: bool) -> None:
    """Limits of iterations are in no chart of requests, those of response times in their own."""
    verdict = reach_verdict(open_run(), THRESHOLDS)
    assert [limit.value for limit in stated_limits(verdict, "ms", is_corrected=response)] == limits


def test_report_of_an_open_load() -> None:
    """The report names the load model, what was planned and came, and iterations in a table of their own."""
    run = open_run()
    page = report_html(run, reach_verdict(run, THRESHOLDS))
    assert "open: iterations start at a given rate, whether or not the service keeps up" in page
    assert "40 planned, 40 started, 5 of them late, 0 dropped" in page
    assert "How long did users take as a whole?" in page
    assert "Shopper.&lt;b&gt;buy&lt;/b&gt;" in page
    assert '<th scope="col" class="number">iterations/s</th>' in page
    assert "2 → 2.5" in page
    assert page.count('<th scope="col" class="number">corrected</th>') == 6
    assert '<th scope="col" class="number">Locust</th>' not in page


def test_report_of_a_closed_load_has_none_of_it() -> None:
    """A closed load's report keeps Locust's figures beside its own, and says nothing of iterations."""
    run = recorded(even(40, 20.0, seconds=20), 500.0, load_model="closed")
    page = report_html(run, reach_verdict(run, []))
    assert "How long did users take as a whole?" not in page
    assert page.count('<th scope="col" class="number">Locust</th>') == 3


def test_terminal_counts_the_iterations() -> None:
    """One line says what became of the schedule; paced users have no plan."""
    run = open_run()
    assert "  iterations: 40 planned, 40 started, 5 late, 0 dropped\n" in terminal_text(
        reach_verdict(run, [])
    )
    paced = replace(run, meta=replace(run.meta, load_model="paced", arrivals=None))
    assert "  iterations: 40 started, 5 late, 0 dropped\n" in terminal_text(reach_verdict(paced, []))


def test_failures_over_time() -> None:
    """Each kind of failure has its own line, and in the table its count, first and last second."""
    made = requests(START_S + np.array([1.0, 1.5, 9.0]), [10.0] * 3, failed=True, kind="status 503")
    lost = requests([START_S + 4.0], [10.0], failed=True, kind="<i>reset</i>")
    run = open_run(made, lost)

    over_time = recorded_failures(run)[("GET", "a", "status 503")].columns["failures_per_s"]
    verdict = reach_verdict(run, [])
    page = report_html(run, verdict)

    assert np.flatnonzero(over_time).tolist() == [1, 9]
    assert over_time.sum() == 3
    assert verdict["errors"][0] == {
        "type": "GET",
        "name": "a",
        "error": "status 503",
        "occurrences": 3,
        "first_seen": "2027-01-15 08:00:01",
        "last_seen": "2027-01-15 08:00:09",
    }
    assert "&lt;i&gt;reset&lt;/i&gt;" in page
    assert page.count('<svg class="spark"') == 3
    assert recorded_failures(empty_run()) == {}
