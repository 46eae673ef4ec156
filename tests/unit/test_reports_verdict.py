"""Judging: each verdict with its reason, validity, scales, and wrong verdicts over runs of known truth."""

import json
import math
from dataclasses import asdict, replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.run_files.exit_status import Outcome
from reports.estimates.estimate import Estimate
from reports.load.run import (
    REQUEST_COLUMNS,
    STAGE_COLUMNS,
    LimitAbort,
    Run,
    RunMeta,
    Stage,
    empty_frame,
)
from reports.render.terminal import terminal_text
from reports.thresholds.limits import OPERATORS
from reports.thresholds.reading import parse_thresholds
from reports.verdict.checks import Check
from reports.verdict.judge import decide, judge_threshold
from reports.verdict.verdict import reach_verdict
from tests.judged import checks_of, reasons_of, thresholds
from tests.make_csv import csv_run, samples

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
RECORDED = RunMeta(
    "test",
    recorded=True,
    started="2026-11-21T00:00:00Z",
    ended="2026-11-21T00:01:00Z",
    end_reason="schedule ended",
    planned_duration_s=60.0,
    shape="RampShape",
)


def judged(run: Run, source: str) -> tuple[Outcome, str]:
    """Return the verdict on one threshold and its reason."""
    judgement = judge_threshold(thresholds(source)[0], run, None, run)
    return judgement.outcome, judgement.reason


def checks(run: Run) -> dict[str, Check]:
    """Return the validity checks of a run by name."""
    return checks_of(run, None)


def no_requests(meta: RunMeta | None = None) -> Run:
    """Return a run in which nothing was requested."""
    run = csv_run({}, meta=meta)
    return replace(run, requests=empty_frame(REQUEST_COLUMNS))


def plan(planned: list[float], users: list[float]) -> pd.DataFrame:
    """Return schedule.csv of these planned and achieved users, one a second."""
    seconds = [float(second) for second in range(len(users))]
    columns = dict.fromkeys(STAGE_COLUMNS, "hold") | {
        "unix_s": seconds,
        "elapsed_s": seconds,
        "planned_users": planned,
        "users": users,
    }
    return pd.DataFrame(columns)


FAILED_RUN = csv_run({"a": samples(1000, failures=1000)})
SHORT_RUN = csv_run({"a": samples(99, duration_s=4)}, duration_s=4)
CUT_RUN = csv_run({"a": samples(99)}, meta=replace(RECORDED, ended=None))


@pytest.mark.parametrize(
    ("operator", "limit", "outcome"),
    [
        ("<", 11, PASS),
        ("<", 10, INCONCLUSIVE),
        ("<=", 10, PASS),
        ("<", 9, INCONCLUSIVE),
        ("<=", 8, INCONCLUSIVE),
        ("<", 8, FAIL),
        ("<=", 7, FAIL),
        (">", 7, PASS),
        (">", 8, INCONCLUSIVE),
        (">=", 8, PASS),
        (">=", 10, INCONCLUSIVE),
        (">", 10, FAIL),
        (">=", 11, FAIL),
    ],
)
def test_whole_interval_decides(operator: str, limit: float, outcome: Outcome) -> None:
    """Of [8, 10] PASS needs the whole interval inside of the limit, FAIL the whole outside."""
    assert decide(Estimate(9, 8, 10, 100, "test"), operator, limit) is outcome


def test_open_interval_only_fails() -> None:
    """With too few requests nothing passes, but a lower end beyond the limit fails."""
    few = Estimate(9, 8, None, 10, "test", needed_n=59)
    assert decide(few, "<", 1000) is INCONCLUSIVE
    assert decide(few, ">", 1) is INCONCLUSIVE
    assert decide(few, "<", 7) is FAIL
    assert decide(Estimate(9, None, None, 10, "test"), "<", 7) is INCONCLUSIVE


RANK = {FAIL: 0, INCONCLUSIVE: 1, PASS: 2}


@given(
    ends=st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)),
    limits=st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)),
    operator=st.sampled_from(OPERATORS),
)
def test_verdict_is_monotone_in_the_limit(
    ends: tuple[float, float], limits: tuple[float, float], operator: str
) -> None:
    """A looser limit never makes a verdict worse."""
    found = Estimate(None, min(ends), max(ends), 100, "test")
    strict, loose = sorted(limits, reverse=operator.startswith(">"))
    assert RANK[decide(found, operator, strict)] <= RANK[decide(found, operator, loose)]


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("p95 < 120 ms", PASS),
        ("p95 < 90 ms", FAIL),
        ("p95 < 100 ms", FAIL),
        ("p99.9 < 1 s", INCONCLUSIVE),
        ("mean of a < 100.1 ms", PASS),
        ("mean of a < 99 ms", FAIL),
        ("max <= 100 ms", PASS),
        ("count >= 1000", PASS),
        ("count > 1000", FAIL),
        ("rps > 10", PASS),
        ("failures < 1", PASS),
        ("error_rate < 1%", PASS),
        ("error_rate < 0.1%", INCONCLUSIVE),
    ],
)
def test_thresholds_are_judged(source: str, outcome: Outcome) -> None:
    """1000 requests of 100 ms in 60 s, none failed, are judged as these limits say."""
    assert judged(csv_run({"a": samples(1000)}), source)[0] is outcome


@pytest.mark.parametrize(
    ("run", "source", "reason"),
    [
        (
            csv_run({"a": samples(1000, 104), "b": samples(10)}),
            "p95 < 101 ms",
            "Locust rounds response times: it is between 100 ms and 104 ms; Locust's CSV cannot",
        ),
        (
            csv_run({"a": samples(100)}),
            "p99 < 1 s",
            "100 successful requests are too few, 299 are needed; a run of",
        ),
        (csv_run({"a": samples(1)}), "p95 < 1 s", "1 successful request is too few, 59 are needed; a run of"),
        (csv_run({"a": samples(1000)}), "p95 of b < 1 s", "no request is named 'b'; there are 'a'"),
        (csv_run({"a": samples(100, failures=100)}), "p95 < 1 s", "no successful request to judge"),
        (
            csv_run({"a": samples(100, failures=100), "b": samples(9)}),
            "p95 of a < 1 s",
            "no successful request to judge",
        ),
        (csv_run({"a": samples(0), "b": samples(9)}), "error_rate of a < 1%", "no request to judge"),
        (no_requests(), "count < 5", "no request to judge"),
        (
            csv_run({"a": samples(9)}, meta=RunMeta("test", request_names=["b", "c"])),
            "p95 of b < 1 s",
            "no request to judge: 'b' is known but was never requested",
        ),
        (
            csv_run({"a.x": samples(999), "a.y": samples(999, 300), "b": samples(9)}),
            "p95 of a.* < 200 ms",
            "percentiles of several names cannot be merged (use one threshold per name): it is between",
        ),
        # Wilson's upper end of no failure in 1000 is 0.3 %: (0.3 / 0.1)^2 times 60 s are 9 minutes.
        (
            csv_run({"a": samples(1000)}),
            "error_rate < 0.1%",
            "the limit lies inside the interval; a run of about 9 min",
        ),
        (csv_run({"a": samples(1000)}), "error_rate < 0.001%", "a run of more than a day would decide"),
    ],
)
def test_inconclusive_says_why(run: Run, source: str, reason: str) -> None:
    """An INCONCLUSIVE names its reason, and the length of run that would decide where that is known."""
    outcome, said = judged(run, source)
    assert outcome is INCONCLUSIVE
    assert reason in said


def test_length_is_not_said_when_unknown() -> None:
    """Without a duration no longer run is promised, and there is no rate."""
    run = csv_run({"a": samples(100, failures=1)})
    run = replace(run, history=run.history.iloc[:0], total=run.total.assign(rps=math.nan))
    assert judged(run, "error_rate < 1%")[1].startswith("the figure is exactly at its limit; Locust's CSV")
    assert judged(run, "error_rate < 2%")[1].startswith("the limit lies inside the interval; Locust's CSV")
    assert judged(run, "rps > 1")[1] == "the CSV files lack this figure"


def test_limits_of_rates_and_counts_follow_the_scales() -> None:
    """At a tenth of the users 100/s are 10/s; counts follow the time too; latencies stay."""
    meta = RunMeta("test", user_scale=0.1, time_scale=0.5)
    run = csv_run({"a": samples(2400, duration_s=120)}, meta=meta, duration_s=120)
    rate = judge_threshold(thresholds("rps > 100")[0], run, None, run)
    assert (rate.limit, rate.outcome) == (10, PASS)
    assert rate.reason.startswith("limit 100/s × user scale 0.1; ")
    count = judge_threshold(thresholds("count > 20000")[0], run, None, run)
    assert (count.limit, count.outcome) == (1000, PASS)
    assert count.reason == "limit 20000 × user scale 0.1 × time scale 0.5"
    assert judge_threshold(thresholds("p95 < 200 ms")[0], run, None, run).limit == 200


def test_good_run_passes() -> None:
    """A valid run within its limits is PASS, with no reasons."""
    stages = plan([10.0] * 60, [10.0] * 60)
    run = csv_run({"a": samples(1000)}, meta=RECORDED, stages=stages)
    verdict = reach_verdict(run, thresholds("p95 < 200 ms", "error_rate < 1%"))
    assert (verdict["verdict"], verdict["reasons"]) == ("PASS", [])
    assert {check["check"] for check in verdict["validity"]} == {
        "any_requests", "any_success", "csv_totals_add_up", "load_reached", "run_completed", "not_aborted",
        "min_duration",
    }  # fmt: skip
    assert all(check["ok"] and check["reason"] == "" for check in verdict["validity"])


def test_one_failed_threshold_fails_the_run() -> None:
    """FAIL outweighs what is open; the reason quotes the statement with the measured value."""
    run = csv_run({"a": samples(1000)})
    verdict = reach_verdict(run, thresholds("p95 < 50 ms", "p99.9 < 1 s", "p95 < 1 s", "count < 9"))
    assert verdict["verdict"] == "FAIL"
    assert verdict["reasons"][0] == {"kind": "threshold", "subject": "p95 < 50 ms", "text": "measured 100 ms"}
    assert reasons_of(verdict)[1] == "count < 9: measured 1,000"
    assert reasons_of(verdict)[2].startswith("p99.9 < 1 s: 1000 successful requests are too few")


def test_failure_of_several_names_has_no_value() -> None:
    """Where each name is beyond the limit the run fails without a merged value."""
    run = csv_run({"a.x": samples(999), "a.y": samples(999, 300), "b": samples(9)})
    verdict = reach_verdict(run, thresholds("p95 of a.* < 10 ms"))
    assert reasons_of(verdict) == ["p95 of a.* < 10 ms: the whole interval is beyond the limit"]


def test_warnings_never_decide() -> None:
    """A failed `warn` threshold is shown, and alone it leaves nothing judged."""
    run = csv_run({"a": samples(1000)})
    warning = parse_thresholds("thresholds: [{expr: p95 < 50 ms, level: warn}]")
    assert reach_verdict(run, [*warning, *thresholds("p95 < 1 s")])["verdict"] == "PASS"
    alone = reach_verdict(run, warning)
    assert (alone["verdict"], alone["thresholds"][0]["verdict"]) == ("INCONCLUSIVE", "FAIL")
    assert reasons_of(alone) == ["no thresholds: nothing was judged"]


def test_interval_has_the_end_that_is_known() -> None:
    """An end that is not known is null beside the other; without both there is no interval."""
    run = csv_run({"a": samples(1000, failures=5)})
    run.total.loc[:, ["min_ms", "max_ms"]] = math.nan
    entries = reach_verdict(run, thresholds("mean < 1 s", "p99.9 < 1 s"))["thresholds"]
    assert [entry["interval"] for entry in entries] == [[0.0, None], None]


@pytest.mark.parametrize(
    ("run", "sources", "verdict"),
    [
        pytest.param(
            no_requests(),
            ["p95 < 1 s", "error_rate < 1%", "count < 5"],
            "INCONCLUSIVE",
            id="nothing requested",
        ),
        pytest.param(FAILED_RUN, ["p95 < 1 s"], "INCONCLUSIVE", id="no latency of failures"),
        pytest.param(FAILED_RUN, ["p95 < 1 s", "error_rate < 1%"], "FAIL", id="all failed"),
        pytest.param(FAILED_RUN, ["count > 5"], "INCONCLUSIVE", id="no count of failures alone passes"),
        pytest.param(SHORT_RUN, ["count < 9"], "FAIL", id="four seconds break a count"),
        pytest.param(SHORT_RUN, ["p95 < 10 ms"], "FAIL", id="four seconds break a latency"),
        pytest.param(SHORT_RUN, ["count < 999"], "INCONCLUSIVE", id="four seconds pass nothing"),
        pytest.param(CUT_RUN, ["count < 9"], "FAIL", id="what was counted stays counted"),
        pytest.param(CUT_RUN, ["count > 999"], "INCONCLUSIVE", id="the rest might have come"),
    ],
)
def test_doubtful_runs_never_pass_but_may_fail(run: Run, sources: list[str], verdict: str) -> None:
    """Runs without requests or successes, too short or cut off break limits for sure, or stay open."""
    assert reach_verdict(run, thresholds(*sources))["verdict"] == verdict


def test_runs_without_requests_or_successes_say_so() -> None:
    """The first reason is that there was nothing to judge."""
    nothing = reach_verdict(no_requests(), thresholds("error_rate < 1%"))
    assert reasons_of(nothing)[0] == "any_requests: no request was made"
    failed = reach_verdict(FAILED_RUN, thresholds("p95 < 1 s"))
    assert "any_success: all 1000 requests failed" in reasons_of(failed)


def test_threshold_without_data_is_never_a_pass() -> None:
    """A selector that matched nothing leaves the run open."""
    verdict = reach_verdict(csv_run({"a": samples(1000)}), thresholds("p95 < 1 s", "count of b < 5"))
    assert verdict["verdict"] == "INCONCLUSIVE"
    assert verdict["thresholds"][1]["n"] == 0


def test_failed_check_takes_the_ground_from_what_it_undermines() -> None:
    """Under half of the planned load latencies and rates are open, but errors are errors."""
    stages = plan([10.0] * 60, [5.0] * 60)
    meta = replace(RECORDED, stages=(Stage("hold", 0, 60, 10, 10),))
    run = csv_run({"a": samples(1000, failures=500)}, meta=meta, stages=stages)
    verdict = reach_verdict(run, thresholds("p95 < 1 ms", "rps > 1000", "error_rate < 1%"))
    # 2 s at either end are near to no users at all.
    assert [entry["verdict"] for entry in verdict["thresholds"]] == ["INCONCLUSIVE", "INCONCLUSIVE", "FAIL"]
    assert verdict["thresholds"][0]["reason"].startswith("only 7% of the seconds had the planned number")
    assert verdict["verdict"] == "FAIL"


RAMP = [float(second) for second in range(60)]
TEN = [10.0] * 60
REACHED = "the planned users were there from 10 s on"
NEVER = "the planned number of users was never reached; peak 59"


@pytest.mark.parametrize(
    ("planned", "users", "ok", "reason"),
    [
        pytest.param(RAMP, [0.0, 0.0, *RAMP[:-2]], True, "", id="two seconds late"),
        pytest.param(RAMP, [0.0] * 5 + RAMP[:-5], False, None, id="five seconds late"),
        pytest.param(RAMP, [*RAMP[1:], 59.0], True, "", id="a second early"),
        pytest.param(
            [100.0] * 100, [106.0] * 100, False, NEVER.replace("59", "106"), id="over the plan by 6 %"
        ),
        pytest.param([2.0] * 10, [2.0] * 4 + [1.0] + [2.0] * 5, True, "", id="one of ten seconds short"),
        pytest.param([2.0] * 10, [2.0] * 4 + [1.0] * 2 + [2.0] * 4, False, None, id="two of ten short"),
        # Where no shape plans the way, it is judged once the users are there.
        pytest.param(TEN, [min(second, 10.0) for second in RAMP], True, REACHED, id="on the way for 10 s"),
        pytest.param(TEN, [0.0, *TEN[1:]], True, "", id="there at once"),
        pytest.param(TEN, [10.0] * 20 + [5.0] * 40, False, None, id="lost on the way"),
        pytest.param([1000.0] * 60, RAMP, False, NEVER, id="never there"),
    ],
)
def test_load_is_reached_with_lag_and_tolerance(
    planned: list[float], users: list[float], ok: bool, reason: str | None
) -> None:
    """Users may be 2 s off the plan, and miss it by 5 %, for 95 % of the seconds, or for one of few."""
    check = checks(csv_run({"a": samples(99)}, stages=plan(planned, users)))["load_reached"]
    assert check.ok is ok
    assert reason is None or check.reason == reason


def test_share_of_the_seconds_with_the_planned_users() -> None:
    """The last 2 of 10 s without users are near to the end of the plan; without a plan there is no check."""
    nearly = plan([100.0] * 100, [95.0] * 90 + [0.0] * 10)
    assert checks(csv_run({"a": samples(99)}, stages=nearly))["load_reached"].value == 0.92
    assert "load_reached" not in checks(csv_run({"a": samples(99)}, stages=plan([math.nan] * 9, [5.0] * 9)))


@pytest.mark.parametrize("planned", [1.0, 2.0, 10.0, 19.0])
def test_one_user_of_few_is_missed(planned: float) -> None:
    """Of up to 19 users one may be missing for a second, or for 5 % of the time, and not for good."""
    reached = {
        name: checks(csv_run({"a": samples(99)}, stages=plan([planned] * 60, users)))["load_reached"].ok
        for name, users in {
            "off for 3 s": [planned] * 20 + [planned - 1] * 3 + [planned] * 37,
            "off for 4 s": [planned] * 20 + [planned - 1] * 4 + [planned] * 36,
            "one missing": [planned - 1] * 60,
            "one too many": [planned + 1] * 60,
        }.items()
    }
    assert [name for name, ok in reached.items() if ok] == ["off for 3 s"]


@pytest.mark.parametrize(
    ("first", "reached"),
    [
        ([6.0] * 20, True),
        ([0.0, 2.0, 3.0, 4.0, 5.0, *[6.0] * 15], True),  # Locust has yet to make them
        ([5.0] * 20, False),  # one is missing for good
        ([0.0] * 19 + [3.0], False),
    ],
)
def test_users_of_each_stage_of_a_shape_of_ones_own_must_get_there(first: list[float], reached: bool) -> None:
    """A stage counts since its users are there, as the next may, and wholly where they never come."""
    stages = plan([6.0] * 20 + [12.0] * 20, [*first, 7.0, 8.0, 9.0, 10.0, 11.0, *[12.0] * 15])
    assert checks(csv_run({"a": samples(99)}, stages=stages))["load_reached"].ok is reached


def test_journeys_that_break_off() -> None:
    """One exception in a hundred requests is borne, two say that the journeys were not made as written."""
    run = csv_run({"a": samples(100)})
    once = pd.DataFrame([[1.0, "boom", "line"]], columns=run.exceptions.columns)
    assert checks(replace(run, exceptions=once))["task_exceptions"].ok
    broken = checks(replace(run, exceptions=once.assign(count=2.0)))["task_exceptions"]
    assert broken.reason == "2 tasks raised an exception; first: 'boom'"
    assert not broken.ok


@pytest.mark.parametrize(("n", "verdict"), [(29, Outcome.INCONCLUSIVE), (30, Outcome.PASS)])
def test_extremes_need_some_requests(n: int, verdict: Outcome) -> None:
    """The slowest of a handful of requests is no maximum to ship on; one over the limit is one too many."""
    run = csv_run({"a": samples(n)})
    assert judged(run, "max < 1 s")[0] is verdict
    assert judged(run, "max < 10 ms")[0] is Outcome.FAIL


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        (RECORDED, ""),
        (
            replace(RECORDED, ended=None),
            "the run has no recorded end: its process died, or could not write run.json",
        ),
        (
            replace(RECORDED, ended="2026-11-21T00:00:57Z", end_reason="SIGTERM"),
            "the run ended after 57.0 s of 60.0 s planned (SIGTERM)",
        ),
        (replace(RECORDED, ended="2026-11-21T00:00:58.5Z"), ""),
        (
            replace(RECORDED, planned_duration_s=None, end_reason="stopped"),
            "the run was ended before its schedule (stopped)",
        ),
        (replace(RECORDED, planned_duration_s=None, end_reason="schedule ended"), ""),
        (replace(RECORDED, planned_duration_s=None, shape=None, end_reason="stopped"), ""),
    ],
)
def test_run_must_come_to_its_planned_end(meta: RunMeta, reason: str) -> None:
    """A dead process or a plan cut short is a failed check; an unplanned run may be stopped."""
    check = checks(csv_run({"a": samples(99)}, meta=meta))["run_completed"]
    assert (check.ok, check.reason) == (not reason, reason)


@pytest.mark.parametrize(
    ("shape", "set_up_s", "reason"),
    [
        (None, 10.0, "10.0 s of the run time were set-up by listeners of test_start, without load"),
        (None, 0.3, ""),
        ("RampShape", 10.0, ""),  # a shape is played in full
    ],
)
def test_set_up_in_the_run_time_is_told(shape: str | None, set_up_s: float, reason: str) -> None:
    """What listeners of test_start took of the run time is no fault, and is said."""
    meta = replace(RECORDED, shape=shape, set_up_s=set_up_s)
    check = checks(csv_run({"a": samples(99)}, meta=meta))["run_completed"]
    assert (check.ok, check.reason) == (True, reason)


def test_a_run_that_was_broken_off_never_passes() -> None:
    """A sys.exit() of the locustfile is named, also where the run came to its end; what failed has failed."""
    stages = plan([10.0] * 60, [10.0] * 60)
    aborted = replace(RECORDED, aborted="sys.exit(0) in shop.py, line 12, in buy")
    run = csv_run({"a": samples(1000)}, meta=aborted, stages=stages)
    verdict = reach_verdict(run, thresholds("p95 < 200 ms", "error_rate < 1%"))
    reason = "not_aborted: the run was broken off: sys.exit(0) in shop.py, line 12, in buy"
    assert (verdict["verdict"], reasons_of(verdict)) == ("INCONCLUSIVE", [reason])
    assert reach_verdict(run, thresholds("p95 < 50 ms"))["verdict"] == "FAIL"


def test_a_run_that_a_limit_has_aborted_fails() -> None:
    """The limit behind it is broken and the first reason, though the figures of the whole run keep it."""
    abort = LimitAbort("error_rate < 10%", "measured 48 %, broken since 40 s", 45.0)
    aborted = replace(RECORDED, ended="2026-11-21T00:00:45Z", end_reason="aborted", aborted_by=abort)
    run = csv_run({"a": samples(1000)}, meta=aborted)
    verdict = reach_verdict(run, thresholds("p95 < 200 ms", "error_rate < 10%"))
    text = "the load was aborted after 45 s: measured 48 %, broken since 40 s"

    assert (verdict["verdict"], verdict["run"]["aborted_by"]) == ("FAIL", asdict(abort))
    assert reasons_of(verdict) == [
        f"error_rate < 10%: {text}",
        "run_completed: the run ended after 45.0 s of 60.0 s planned (aborted)",
    ]
    assert [(each["verdict"], each["reason"]) for each in verdict["thresholds"]][1:] == [("FAIL", text)]
    assert verdict["thresholds"][0]["verdict"] == "PASS"
    lines = terminal_text(verdict).splitlines()
    assert lines[0] == "FAIL  No: 1 of 2 limits is broken."
    assert lines[2] == "  aborted after 45 s by error_rate < 10%"


def test_checks_that_cannot_be_made_are_left_out() -> None:
    """A plain Locust run has no plan and no recorded end; an unknown duration is not judged."""
    run = csv_run({"a": samples(99)})
    assert set(checks(run)) == {"any_requests", "any_success", "csv_totals_add_up", "min_duration"}
    assert set(checks(replace(run, history=run.history.iloc[:0], total=run.total.iloc[:0]))) == {
        "any_requests"
    }


def test_short_and_inconsistent_runs_are_named() -> None:
    """Less than 5 s, or parts that do not add up to the total, are failed checks."""
    assert checks(SHORT_RUN)["min_duration"].reason == "only 4.0 s were judged, at least 5 s are needed"
    run = csv_run({"a": samples(99)})
    run.total["n"] += 1
    assert checks(run)["csv_totals_add_up"].reason == (
        "the requests by name add up to 99 (0 failed), Locust's total says 100 (0 failed)"
    )


def test_unreadable_times_fall_back_to_the_history() -> None:
    """A start or end that is no time leaves the history's span as the duration."""
    assert csv_run({"a": samples(9)}, meta=replace(RECORDED, ended="soon")).duration_s == 60
    assert csv_run({"a": samples(9)}, meta=replace(RECORDED, ended="2026-11-21T00:01:00")).duration_s == 60


def test_verdict_has_the_keys_of_the_contract() -> None:
    """verdict.json has every key of its contract, counts are whole, unknown is null, never NaN."""
    run = csv_run({"a": samples(1000, failures=3)}, meta=RECORDED)
    failures = pd.DataFrame([["GET", "a", "boom", 3.0, "", ""]], columns=run.failures.columns)
    exceptions = pd.DataFrame([[2.0, "oops", "line"]], columns=run.exceptions.columns)
    run = replace(run, failures=failures, exceptions=exceptions)
    run.requests["rps"] = math.nan
    verdict = json.loads(
        json.dumps(reach_verdict(run, thresholds("p95 of a < 1 s", "p99.9 < 1 s")), allow_nan=False)
    )
    assert list(verdict) == [
        "schema_version", "verdict", "reasons", "run", "source", "validity", "steady_state", "capacity",
        "thresholds", "requests", "iterations", "transactions", "metrics", "errors", "exceptions",
    ]  # fmt: skip
    assert verdict["run"] == {
        "id": "test", "profile": None, "started": RECORDED.started, "duration_s": 60.0, "requests": 1000,
        "failures": 3, "unfinished": None, "host": None, "load_model": None, "arrivals": None,
        "user_scale": 1.0, "time_scale": 1.0, "end_reason": "schedule ended", "aborted_by": None,
    }  # fmt: skip
    decided, too_few = verdict["thresholds"]
    assert list(decided) == [
        "source", "name", "metric", "selector", "scope", "window_s", "value", "unit", "limit", "upper_limit",
        "operator", "interval", "method", "correlation_s", "n", "verdict", "reason", "level",
    ]  # fmt: skip
    assert (decided["value"], decided["unit"], decided["limit"], decided["n"]) == (100, "ms", 1000, 997)
    assert decided["interval"][0] <= 100 <= decided["interval"][1]
    assert "are too few" in too_few["reason"]
    assert verdict["requests"] == [
        {"type": "GET", "name": "a", "n": 1000, "failures": 3, "rps": None, "mean": 100.0, "p50": 100.0,
         "p95": 100.0, "p99": 100.0, "p99.9": 100.0, "max": 100.0},
    ]  # fmt: skip
    assert verdict["errors"] == [
        {"type": "GET", "name": "a", "error": "boom", "occurrences": 3, "first_seen": "", "last_seen": ""}
    ]
    assert verdict["exceptions"] == [{"count": 2, "message": "oops", "traceback": "line"}]
    assert verdict["steady_state"]["to_s"] == 60.0
