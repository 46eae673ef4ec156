"""Judging a load with a schedule: response times, iterations, what came late or never, and overload."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from plimsoll.run_files.exit_status import Outcome
from reports.load.description import read_description
from reports.load.histograms import percentile_ms
from reports.load.interval_file import intervals_of, parted, read_intervals
from reports.load.run import Arrivals, Run, Stage
from reports.steady_state import steady_state
from reports.thresholds.known import Known, validate
from reports.thresholds.reading import limits_ms
from reports.verdict.checks import Check
from reports.verdict.checks.load import arrival_rate_kept, pace_kept
from reports.verdict.verdict import reach_verdict
from tests.judged import checks_of, judged, numbers, thresholds
from tests.make_recorded import (
    even,
    interval_table,
    open_health,
    open_run,
    open_schedule,
    recorded,
    write_intervals,
)

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def frozen() -> pd.DataFrame:
    """Return 600 requests of 20 ms, of which 60 started up to 3 s late because a server had frozen."""
    made = even(600, 20.0)
    return made.assign(delay_ms=np.where(np.arange(600) < 60, 3000.0 - 50.0 * np.arange(600), 0.0))


def check_of(run: Run) -> Check:
    """Return the check of the arrivals."""
    check = arrival_rate_kept(run, steady_state(run))
    assert check is not None
    return check


def test_response_times_count_from_the_intended_start() -> None:
    """60 of 600 arrivals waited up to 3 s: the service took 20 ms, and those who arrived waited for 3 s."""
    run = open_run(frozen())
    assert judged(run, "p95 < 500 ms").outcome is PASS
    stalled = judged(run, "corrected_p95 < 500 ms")
    assert stalled.outcome is FAIL
    assert "over the limit from second" in stalled.reason
    # Of 60 delays from 3000 down to 50 ms the 30 largest are over 1500 ms: p95 of 600 is the 570th.
    assert numbers(judged(run, "corrected_p95 < 500 ms"))[0] == pytest.approx(1520 + 20, rel=0.04)
    assert numbers(judged(run, "corrected_mean < 1 s"))[0] == pytest.approx(20 + 50 * 60 * 61 / 2 / 600)
    assert numbers(judged(run, "corrected_max < 1 s"))[0] == 3020
    assert judged(run, "corrected_max < 1 s").outcome is FAIL
    assert numbers(judged(run, "corrected_p50 < 500 ms"))[0] == pytest.approx(20, rel=0.004)


def test_response_times_are_counted_exactly_over_the_limit() -> None:
    """10 % of responses at exactly 120 ms: below 120 ms is broken, 120 ms or less is not."""
    made = even(600, 20.0).assign(delay_ms=np.where(np.arange(600) % 10 == 0, 100.0, 0.0))
    limits = thresholds("corrected_p95 < 120 ms", "corrected_p95 <= 120 ms")
    run = open_run(made, limits=tuple(limits_ms(limits)))
    assert judged(run, "corrected_p95 < 120 ms").outcome is FAIL
    assert judged(run, "corrected_p95 <= 120 ms").outcome is PASS


def test_what_was_cut_off_is_over_a_response_limit_too() -> None:
    """A request that was cut off at 9 s was answered no sooner, whenever it was to start."""
    run = open_run(even(540, 20.0, delay_ms=0.0), even(60, 9000.0, unfinished=True))
    assert judged(run, "corrected_p95 < 500 ms").outcome is FAIL
    assert numbers(judged(run, "corrected_p95 < 500 ms"))[3] == 600


@pytest.mark.parametrize("source", ["corrected_p95 < 1 s", "corrected_mean < 1 s", "corrected_max < 1 s"])
def test_without_a_schedule_there_is_no_response_time(source: str) -> None:
    """A closed load has no intended starts, and neither have Locust's CSV files: INCONCLUSIVE, said why."""
    for run in (
        recorded(even(600, 20.0), 1000.0),
        replace(recorded(even(9)), intervals=recorded(even(0)).intervals),
    ):
        judgement = judged(run, source)
        assert (judgement.outcome, judgement.estimate) == (INCONCLUSIVE, None)
        assert judgement.reason.startswith("the run had no schedule, so that there is no intended start")


def iterations(**columns: Any) -> pd.DataFrame:
    """Return 300 iterations of 400 ms beside which requests are made."""
    known: dict[str, Any] = {"request_type": "iteration", "name": "Shopper.browse", "delay_ms": 10.0}
    return even(300, **({"latency_ms": 400.0} | known | columns))


def test_iterations_are_no_requests() -> None:
    """600 requests beside 300 iterations are 600: in counts, rates, shares, percentiles and totals."""
    run = open_run(even(600, 20.0, delay_ms=0.0), iterations(failed=True), iterations(name="Shopper.buy"))
    assert run.made == (600, 0)
    assert run.names == ["a"]
    for source, value in (
        ("count > 599", 600),
        ("error_rate < 1%", 0),
        ("max < 1 s", 20),
        ("failures < 1", 0),
    ):
        assert numbers(judged(run, source))[0] == value
    assert judged(run, "count of *.buy > 0").reason.startswith("no request is named '*.buy'")
    counted = replace(run, meta=replace(run.meta, locust_totals=(600, 0)))
    assert checks_of(counted, steady_state(run))["locust_totals_match"].ok


def test_iterations_are_named_by_their_selector() -> None:
    """`iteration:` before a name or glob means iterations, of either latency, and nothing else."""
    run = open_run(
        even(600, 20.0), iterations(), iterations(name="Shopper.buy", latency_ms=900.0, failed=True)
    )
    assert numbers(judged(run, "p95 of iteration:Shopper.browse < 500 ms"))[0] == pytest.approx(
        400, rel=0.004
    )
    assert numbers(judged(run, "corrected_p95 of iteration:*browse < 500 ms"))[0] == pytest.approx(
        410, rel=0.004
    )
    assert numbers(judged(run, "count of iteration:* > 1"))[0] == 600
    assert numbers(judged(run, "error_rate of iteration:* < 60%"))[0] == 50
    missing = judged(run, "p95 of iteration:Shopper.brows < 1 s")
    assert missing.outcome is INCONCLUSIVE
    assert missing.reason.startswith("no iteration is named 'Shopper.brows'; did you mean 'Shopper.browse'")


def test_iterations_are_held_against_tasks() -> None:
    """Iterations are named after tasks; where those are known, a misspelt one is refused before the run."""
    limits = thresholds("p95 of iteration:Shopper.browse < 1 s", "p95 of b < 1 s")
    assert len(validate(limits, Known(["a"]))) == 1
    known = Known(["a", "b"], iterations=["Shopper.brows"])
    assert validate(limits, known) == [
        "threshold 'p95 of iteration:Shopper.browse < 1 s': no iteration is named 'Shopper.browse';"
        " did you mean 'Shopper.brows'?"
    ]
    assert validate(limits, Known(["b"], iterations=["Shopper.browse"])) == []


@pytest.mark.parametrize(
    ("source", "value", "limit", "outcome"),
    [
        ("dropped_iterations < 7", 6, 7, PASS),
        ("dropped_iterations < 1%", 1, 1, FAIL),
        ("dropped_iterations <= 1%", 1, 1, PASS),
        ("dropped_iterations < 0.5%", 1, 0.5, FAIL),
        ("late_iterations <= 30", 30, 30, PASS),
        ("late_iterations < 5%", 100 * 30 / 594, 5, FAIL),
        ("late_iterations < 6%", 100 * 30 / 594, 6, PASS),
    ],
)
def test_dropped_and_late(source: str, value: float, limit: float, outcome: Outcome) -> None:
    """Of 600 planned 594 were started, 30 late, and 6 dropped: 1 % of the planned, 5.05 % of the started."""
    run = open_run(even(600, 20.0), started=9.9, late=0.5, dropped=0.1)
    judgement = judged(run, source)
    assert numbers(judgement)[0] == pytest.approx(value)
    assert judgement.limit == limit
    assert judgement.outcome is outcome


def test_counts_of_a_schedule_follow_the_scales() -> None:
    """At a tenth of the users and half of the time 200 dropped are 10; a share is a share at any size."""
    run = open_run(even(600, 20.0), dropped=0.1)
    scaled = replace(run, meta=replace(run.meta, user_scale=0.1, time_scale=0.5))
    assert judged(scaled, "dropped_iterations < 200").limit == 10
    assert judged(scaled, "dropped_iterations < 2%").limit == 2


def test_dropped_and_late_need_a_schedule() -> None:
    """A closed load drops nothing, which is no pass; and without health.csv nothing tells."""
    closed = judged(recorded(even(600, 20.0)), "dropped_iterations < 1%")
    assert closed.outcome is INCONCLUSIVE
    assert closed.reason.startswith("the run had no schedule of iterations")
    untold = replace(open_run(even(600, 20.0)), health=open_health().assign(started=np.nan))
    assert judged(untold, "late_iterations < 1%").reason == "health.csv has no iteration counts"
    none = replace(open_run(even(600, 20.0)), health=open_health(started=0.0))
    assert judged(none, "late_iterations < 1%").reason == "no iteration was started"


def paced_run(delay_ms: NDArray[np.float64]) -> Run:
    """Return a minute of users at a pace whose 300 iterations of 400 ms started so late."""
    run = open_run(even(600, 20.0, delay_ms=0.0), iterations(delay_ms=delay_ms))
    return replace(run, meta=replace(run.meta, load_model="paced", arrivals=None, stages=()))


def pace_of(run: Run) -> Check:
    """Return the check of the pace, where no limit is on times from the intended start."""
    check = pace_kept(run, steady_state(run), ())
    assert check is not None
    return check


def test_slow_tasks_are_no_overload() -> None:
    """Tasks longer than their pacing make a closed load: latencies, rates and counts are judged as ever."""
    run = paced_run(np.linspace(0.0, 40_000.0, 300))

    behind = pace_of(run)

    assert behind.ok
    assert behind.value == pytest.approx(1 - 40 / 60, abs=0.01)
    assert behind.reason == (
        "tasks took longer than the pacing of their users, who made 33% of the iterations that it allows:"
        " they started 1.94 s late at first and 38.1 s in the end"
    )
    sources = ["p95 < 500 ms", "rps > 7", "error_rate < 2%"]
    assert reach_verdict(run, thresholds(*sources))["verdict"] == "PASS"


def test_times_from_the_intended_start_of_slow_tasks_never_pass() -> None:
    """They grow with the length of the run: within the limit is open, over it fails, and the rest stands."""
    run = paced_run(np.linspace(0.0, 40_000.0, 300))
    sources = [
        "corrected_p50 of iteration:* < 10 min",
        "corrected_p50 of iteration:* < 1 s",
        "p95 of iteration:* < 500 ms",
    ]
    verdict = reach_verdict(run, thresholds(*sources))
    assert [entry["verdict"] for entry in verdict["thresholds"]] == ["INCONCLUSIVE", "FAIL", "PASS"]
    only = reach_verdict(run, thresholds(sources[0]))
    assert only["verdict"] == "INCONCLUSIVE"
    assert "grow with the length of such a run" in only["thresholds"][0]["reason"]


def test_users_who_catch_up_keep_their_pace() -> None:
    """A stall of 3 s in between, made up for, leaves out nothing."""
    late = np.where(np.arange(300) // 50 == 2, 3000.0, 5.0)
    assert (pace_of(paced_run(late)).value, pace_of(paced_run(late)).reason) == (1, "")


def test_paced_users_have_no_plan_to_drop_from() -> None:
    """Users who keep a pace are never dropped, and what was late is a share of what they started."""
    run = open_run(even(600, 20.0), late=1.0)
    paced = replace(run, meta=replace(run.meta, load_model="paced", arrivals=None))
    assert judged(paced, "dropped_iterations < 1%").outcome is PASS
    assert numbers(judged(paced, "late_iterations < 50%"))[0] == 10
    assert arrival_rate_kept(paced, steady_state(paced)) is None


def test_arrivals_that_were_started_are_enough() -> None:
    """Of 10 a second 9.8 are 98 %, 9.7 are too few; the first and the last second may be cut in two."""
    assert check_of(open_run(even(588, 20.0), started=9.8, dropped=0.2)).ok
    assert not check_of(open_run(even(582, 20.0), started=9.7, dropped=0.3)).ok
    assert check_of(open_run(even(600, 20.0), started=9.8)).ok
    assert check_of(open_run(even(600, 20.0))).value == 1


def test_overload_is_no_latency_estimate() -> None:
    """Of 10 a second 2 dropped: latencies that hold are open, those that fail fail, and rates stand."""
    run = open_run(even(480, 20.0, delay_ms=0.0), limits=(10.0, 500.0), started=8.0, dropped=2.0)

    check = check_of(run)

    assert (check.ok, check.value) == (False, 0.8)
    assert check.reason == (
        "only 480 of 600 arrivals were started (120 dropped): overload, not a latency estimate"
    )
    sources = [
        "p50 < 500 ms",
        "corrected_p95 < 500 ms",
        "p95 < 10 ms",
        "rps > 7",
        "rps > 9.5",
        "dropped_iterations < 1%",
    ]
    verdict = reach_verdict(run, thresholds(*sources))
    assert [entry["verdict"] for entry in verdict["thresholds"]] == [
        *("INCONCLUSIVE", "INCONCLUSIVE", "FAIL", "PASS", "FAIL", "FAIL")
    ]
    assert verdict["thresholds"][0]["reason"].startswith(check.reason)
    only = reach_verdict(run, thresholds("p95 < 500 ms"))
    assert only["verdict"] == "INCONCLUSIVE"


def test_generator_that_starts_nothing_is_held_against_the_plan() -> None:
    """Arrivals that were neither started nor dropped are missing from the plan all the same."""
    assert check_of(open_run(even(300, 20.0), started=5.0)).value == pytest.approx(300 / 589)


def test_arrivals_by_chance_are_held_against_what_came() -> None:
    """Of a Poisson process with 30 planned 14 may come; of an even one they may not."""
    run = replace(open_run(even(14, 20.0), started=14 / 60), stages=open_schedule(rate=0.5))
    chance = replace(run.meta, arrivals=Arrivals(30, "poisson"))
    assert check_of(replace(run, meta=chance)).ok
    assert not check_of(run).ok


def test_arrivals_without_a_plan_or_without_any() -> None:
    """Without planned rates what was dropped still counts; with nothing due there is nothing to check."""
    untold = replace(open_run(even(60, 20.0), started=1.0, dropped=1.0), stages=open_schedule(rate=np.nan))
    assert check_of(untold).value == 0.5
    none = replace(untold, health=open_health(started=0.0))
    assert arrival_rate_kept(none, steady_state(none)) is None


def test_early_end_opens_what_more_arrivals_could_have_broken() -> None:
    """A run that ended early may have dropped more: few dropped do not pass, and too many fail."""
    run = open_run(even(600, 20.0), started=9.9, dropped=0.1)
    cut: dict[str, Any] = {"recorded": True, "planned_duration_s": 3600.0, "ended": "2027-01-15T08:01:00Z"}
    early = replace(run, meta=replace(run.meta, **cut))
    verdict = reach_verdict(
        early, thresholds("dropped_iterations < 3600", "dropped_iterations < 5", "late_iterations < 1%")
    )
    assert [entry["verdict"] for entry in verdict["thresholds"]] == ["INCONCLUSIVE", "FAIL", "INCONCLUSIVE"]


def test_open_load_is_not_held_against_planned_users() -> None:
    """Nobody plans the users of an open load."""
    run = open_run(even(600, 20.0))
    found = set(checks_of(run, steady_state(run)))
    assert {"arrival_rate_kept", "littles_law", "response_gap"} <= found
    assert not {"load_reached", "user_concurrency"} & found


def test_verdict_tells_of_arrivals_and_iterations() -> None:
    """verdict.json has the counts of the schedule, response percentiles, and iterations apart."""
    run = open_run(even(600, 20.0, delay_ms=5.0), iterations(), started=9.9, late=0.5, dropped=0.1)
    verdict = reach_verdict(run, thresholds("corrected_p95 < 500 ms"))
    assert verdict["run"]["load_model"] == "open"
    assert verdict["run"]["arrivals"] == {"planned": 600, "started": 594, "late": 30, "dropped": 6}
    (request,), (iteration,) = verdict["requests"], verdict["iterations"]
    assert request["corrected_p95"] == pytest.approx(25, rel=0.004)
    assert (iteration["type"], iteration["name"], iteration["n"]) == ("iteration", "Shopper.browse", 300)
    assert iteration["corrected_p99"] == pytest.approx(410, rel=0.004)
    closed = reach_verdict(recorded(even(600, 20.0)), [])
    assert (closed["run"]["arrivals"], closed["iterations"]) == (None, [])
    assert "corrected_p95" not in closed["requests"][0]


def test_files_of_before_the_open_model_are_read(tmp_path: Path) -> None:
    """A file without the response columns has no response times, and all else."""
    table = interval_table(even(60), [100.0])
    old = table.drop_columns(["response_sum_ms", "response_max_ms", "response_over_limit"])
    write_intervals(tmp_path / "intervals.arrow", old)

    found, notes = read_intervals(tmp_path / "intervals.arrow")

    assert (notes, found.total("n"), found.corrected) == ([], 60, None)


def test_response_columns_are_read_back(tmp_path: Path) -> None:
    """Rows with and without a schedule keep their own: histogram, sum, maximum, counts over the limits."""
    made = pd.concat([even(60, 20.0, delay_ms=80.0), even(60, 20.0, name="b")])
    write_intervals(tmp_path / "intervals.arrow", interval_table(made, [100.0, 101.0]))

    found, _ = read_intervals(tmp_path / "intervals.arrow")

    corrected = found.corrected
    assert corrected is not None
    assert corrected.over.sum(axis=0).tolist() == [60, 0]
    assert np.nansum(corrected.sum_ms) == 6000
    merged = found.merged(corrected.histograms, np.zeros(len(found.rows), dtype=np.int64), 1)[0]
    assert merged.sum() == 60
    assert percentile_ms(merged, 50) == pytest.approx(100, rel=0.004)


@pytest.mark.parametrize("column", ["response_over_limit", "failure_counts"])
def test_lists_that_do_not_fit_are_refused(column: str, tmp_path: Path) -> None:
    """A row that counts over one limit of two, or has a kind without a count, is damage."""
    rows = interval_table(even(60, failed=True), [100.0, 200.0]).to_pylist()
    rows[0][column] = [1] if column == "response_over_limit" else []
    table = interval_table(even(0), [100.0, 200.0]).schema.empty_table()
    write_intervals(tmp_path / "intervals.arrow", type(table).from_pylist(rows, table.schema))
    assert "cannot be read" in read_intervals(tmp_path / "intervals.arrow")[1][0]


def test_recording_is_parted() -> None:
    """Requests keep their rows and errors, iterations theirs; together they are all."""
    both = pd.concat([even(60, failed=True, kind="503"), iterations(failed=True, kind="gave up")])
    of_requests, of_iterations, own = parted(intervals_of(interval_table(both, [100.0])))
    assert (of_requests.total("n"), of_iterations.total("n")) == (60, 300)
    assert set(of_requests.errors["error"]) == {"503"}
    assert of_iterations.failed.counts.sum() == 300
    whole = intervals_of(interval_table(even(60), [100.0]))
    assert parted(whole)[0] is whole
    assert own == {}


def test_plan_of_an_open_load_is_read(tmp_path: Path) -> None:
    """Stages carry rates instead of users, and what was planned is known; nonsense is unknown."""
    path = tmp_path / "run.json"
    path.write_text(
        '{"load_model": "open", "arrivals": {"spacing": "poisson", "max_users": 50, "planned": 600.0},'
        ' "stages": [{"name": "hold", "from_s": 0, "to_s": 60, "from_rate": 0.5, "to_rate": 10},'
        ' {"name": "x", "from_s": 60, "to_s": 61, "from_rate": 1e999, "to_rate": 10}]}'
    )
    meta, notes = read_description(path, "x")
    assert notes == []
    assert meta.arrivals == Arrivals(600, "poisson")
    assert meta.stages == (Stage("hold", 0, 60, 0.5, 10),)
    path.write_text('{"arrivals": {"planned": "many"}}')
    assert read_description(path, "x")[0].arrivals is None


def test_ramps_of_arrivals_are_cut_like_those_of_users() -> None:
    """From 0 to 10 a second in 10 s is a ramp; from 5 to 10 is a load."""
    ramp = (Stage("up", 0, 10, 0, 10), Stage("hold", 10, 60, 10, 10))
    run = open_run(even(600, 20.0))
    assert steady_state(replace(run, meta=replace(run.meta, stages=ramp))).from_s == 10
    load = (Stage("up", 0, 10, 5, 10), Stage("hold", 10, 60, 10, 10))
    assert steady_state(replace(run, meta=replace(run.meta, stages=load))).from_s == 0
