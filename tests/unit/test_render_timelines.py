"""What happened over time, by seconds since the start: of Locust's history, and of a recording."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.load.interval_file import intervals_of
from reports.load.run import AGGREGATED, HEALTH_COLUMNS, Run
from reports.render.html import report_html
from reports.render.time_charts import generator_charts, time_charts
from reports.render.timelines import (
    block_s,
    generator_timeline,
    rates_by_request,
    recorded_percentiles,
    recorded_rates,
    recorded_rates_by_request,
    total_timeline,
    users_timeline,
)
from reports.verdict.verdict import reach_verdict
from tests.make_csv import DEMO_START_S, START_S, empty_run, history_rows
from tests.make_recorded import interval_table, requests
from tests.make_verdicts import DEMO_STARTED, demo_run


def run_with(history: pd.DataFrame, started: str | None = DEMO_STARTED) -> Run:
    """Return a run of which only a history is known."""
    return replace(empty_run(started=started), history=history)


def total(n: list[float], **columns: object) -> Run:
    """Return a run whose only history is Locust's row over all requests."""
    return run_with(history_rows("", AGGREGATED, n, **columns))


def test_the_start_is_the_recorded_one_or_the_first_row() -> None:
    """run.json knows best; without it, or with nonsense in it, the history does; without both it is 0."""
    history = history_rows("", AGGREGATED, [0, 1], unix_s=[5000, 5001])

    assert (run_with(history)).started_unix_s == DEMO_START_S
    assert (run_with(history, None)).started_unix_s == 5000
    assert (run_with(history, "yesterday")).started_unix_s == 5000
    assert (empty_run()).started_unix_s == 0


@pytest.mark.parametrize(
    ("n", "at_s", "rps"),
    [
        # A stall is 0 a second, unlike Locust's own rate.
        pytest.param([0, 10, 30, 30], [0, 1, 2, 3], [0, 10, 20, 0], id="increments of the counts"),
        pytest.param([0, 10, 50], [0, 1, 5], [0, 10, 10], id="a gap of four seconds is no spike"),
        pytest.param([50, 60, 8], [0, 1, 2], [50, 10, 8], id="reset statistics start a new count"),
        pytest.param([7, 0, 10], [1, 0, 1], [0, 10], id="the last row of a second counts, in order"),
    ],
)
def test_rates_are_increments_of_the_counts(n: list[float], at_s: list[int], rps: list[float]) -> None:
    """Requests a second are how much the count grew, by the time that it took."""
    timeline = total_timeline(total(n, failures=n, unix_s=DEMO_START_S + np.array(at_s)))

    assert timeline.columns["rps"].tolist() == timeline.columns["failures_per_s"].tolist() == rps
    assert timeline.elapsed_s.tolist() == sorted(set(at_s))
    assert timeline.end_s == max(at_s)


def test_a_skipped_second_does_not_halve_the_rate() -> None:
    """Ticks last 1.0x s and are stamped in whole seconds: the skip is shared by the ticks around it."""
    seconds = DEMO_START_S + np.array([*range(10), *range(11, 21)])
    rates = total_timeline(total(list(range(0, 200, 10)), unix_s=seconds)).columns["rps"]

    # Twenty ticks cover 21 s, so each is about 1.05 s long: 10 / 1.05 = 9.5 a second, and 5 nowhere.
    assert rates[0] == 0
    assert rates[1:].min() > 9
    assert rates[1:].max() < 10


def test_percentiles_of_an_idle_window_are_unknown() -> None:
    """Locust writes 0 where nothing answered; a true 0 ms while requests flow stays."""
    p50 = total_timeline(total([10, 10, 20], p50_ms=[5.0, 0.0, 0.0])).columns["p50"]

    assert p50[0] == 5
    assert np.isnan(p50[1])
    assert p50[2] == 0


def test_users_come_from_the_schedule() -> None:
    """schedule.csv knows plan and achievement second by second."""
    timeline = users_timeline(demo_run(40))

    assert timeline.end_s == 40
    assert timeline.columns["planned_users"][20] == 100


def test_without_a_schedule_users_come_from_the_history() -> None:
    """A plain Locust CSV has users but no plan."""
    timeline = users_timeline(total([0, 1, 2], users=[1, 2, 3]))

    assert timeline.columns["users"].tolist() == [1, 2, 3]
    assert np.isnan(timeline.columns["planned_users"]).all()


def test_rates_by_request_are_kept_apart_by_type_and_name() -> None:
    """The same name by GET and without a type are two requests."""
    rows = [
        history_rows("GET", "a", [1, 3]),
        history_rows("", "a", [5, 5]),
        history_rows("", AGGREGATED, [6, 8]),
    ]
    rows[1]["request_type"] = np.nan
    rates = rates_by_request(run_with(pd.concat(rows)))

    assert {key: t.columns["rps"].tolist() for key, t in rates.items()} == {
        ("GET", "a"): [1, 2],
        ("", "a"): [5, 0],
    }
    assert rates_by_request(empty_run()) == {}


def test_an_empty_history_is_an_empty_timeline() -> None:
    """Nothing known, nothing drawn, nothing raised."""
    timeline = total_timeline(empty_run())

    assert timeline.end_s == 0
    assert all(len(column) == 0 for column in timeline.columns.values())


def run_of(*parts: pd.DataFrame, health: pd.DataFrame | None = None, **meta: object) -> Run:
    """Return a run with these requests, which began half a second before the first of them."""
    run = empty_run(started="2027-01-15T07:59:59.500Z", **meta)
    run = replace(run, intervals=intervals_of(interval_table(pd.concat(parts))))
    return run if health is None else replace(run, health=health)


def two_processes() -> pd.DataFrame:
    """Return two seconds of two processes, one busier, one later."""
    columns = ["unix_s", "process", "cpu_ratio", "rss_bytes", "lag_p99_ms", "lag_samples", "lag_late"]
    columns += ["lag_very_late", "users", "in_flight", "wait_ratio"]
    rows = [
        (START_S + 0.2, "w1", 0.5, 1e8, 2.0, 50.0, 0.0, 0.0, 5.0, 3.0, 0.01),
        (START_S + 0.7, "w2", 0.25, 1e8, 30.0, 50.0, 2.0, 2.0, 5.0, 4.0, 0.01),
        (START_S + 1.2, "w1", 0.75, 1e8, np.nan, 0.0, 0.0, 0.0, 5.0, 1.0, 0.01),
    ]
    return pd.DataFrame(rows, columns=columns).reindex(columns=list(HEALTH_COLUMNS))


def slow_then_fast() -> pd.DataFrame:
    """Return one request a second for ten seconds: five of 1.5 s, then five of 10 ms."""
    return requests(START_S + np.arange(10.0), np.repeat([1500.0, 10.0], 5))


def test_rates_are_by_end() -> None:
    """Requests of 1.5 s count one second after they began: none in the first, two in the sixth."""
    timeline = recorded_rates(run_of(slow_then_fast()))

    assert timeline.elapsed_s.tolist() == list(range(1, 11))
    assert timeline.columns["rps"].tolist() == [0, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    assert timeline.columns["failures_per_s"].sum() == 0


def test_percentiles_are_by_start() -> None:
    """Blocks of five seconds hold what started in them, drawn at their ends."""
    run = run_of(slow_then_fast())
    timeline = recorded_percentiles(run, run.intervals.latencies)

    assert timeline.elapsed_s.tolist() == [6, 11]
    assert timeline.columns["p95"].tolist() == pytest.approx([1500, 10], rel=0.004)


def test_long_runs_have_longer_blocks() -> None:
    """Of two hours each point covers 12 s, so that there are 600."""
    long = requests([START_S, START_S + 7199.0], [1.0, 1.0])

    assert block_s(run_of(long)) == 12
    run = run_of(long)
    assert len(recorded_percentiles(run, run.intervals.latencies).elapsed_s) == 600


def test_rates_of_each_request() -> None:
    """Each type and name has its own line over the same seconds."""
    run = run_of(slow_then_fast(), requests([START_S + 3.0], [1.0], name="b", request_type="POST"))

    rates = recorded_rates_by_request(run)

    assert set(rates) == {("GET", "a"), ("POST", "b")}
    assert rates["POST", "b"].columns["rps"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert rates["GET", "a"].columns["rps"].sum() == 10


def test_generator_is_drawn_by_its_worst_process() -> None:
    """CPU and lag are those of the worst process, requests in flight those of all."""
    timeline = generator_timeline(run_of(slow_then_fast(), health=two_processes()))

    assert timeline.elapsed_s.tolist() == [1, 2]
    assert timeline.columns["cpu"].tolist() == [50, 75]
    assert timeline.columns["lag"][0] == 30
    assert timeline.columns["in_flight"].tolist() == [7, 1]


def test_generator_panel_draws_its_limits() -> None:
    """CPU and lag are drawn against the limits of their checks; without health.csv there is no panel."""
    run = run_of(slow_then_fast(), health=two_processes())

    cpu, lag, in_flight = generator_charts(run)

    assert cpu.limit_notes == ["80% (generator_cpu, on average)"]
    assert lag.limit_notes == ["20 ms (generator_loop_lag: 5 % of all samples)"]
    assert not in_flight.limits
    assert generator_charts(run_of(slow_then_fast())) == []


def test_charts_say_what_their_points_cover() -> None:
    """Recorded rates are by end, recorded percentiles of successes by blocks of their starts."""
    run = run_of(slow_then_fast())

    _, rates, latency = time_charts(run, reach_verdict(run, []))

    assert "by the second in which they ended" in rates.note
    assert "successes alone; each point covers those that started in the 5 s before it" in latency.note


def test_report_names_lost_workers_and_unfinished_requests() -> None:
    """What makes a run doubtful is said in the report, escaped, with Locust's figures beside ours."""
    cut_off = requests([START_S + 2.0], [700.0], unfinished=True)
    run = run_of(slow_then_fast(), cut_off, health=two_processes(), lost_workers=("<b>w2</b>",))

    html = report_html(run, reach_verdict(run, []))

    assert "&lt;b&gt;w2&lt;/b&gt;" in html
    assert "1 cut off in flight" in html
    assert html.count(">Locust</th>") == 3
    assert "Had the generator CPU to spare?" in html
