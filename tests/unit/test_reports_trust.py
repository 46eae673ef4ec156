"""The judged time, and the checks of the generator and of what was recorded."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plimsoll.run_files.exit_status import Outcome
from plimsoll.run_files.files import HEALTH_FILE, SCHEDULE_FILE, Invariant
from reports.load.interval_file import intervals_of
from reports.load.run import HEALTH_COLUMNS, STAGE_COLUMNS, ClockStep, Run, Stage
from reports.steady_state import SteadyState, steady_state
from reports.thresholds.reading import parse_thresholds
from reports.verdict.checks import Check
from reports.verdict.checks.requests import error_rate_unchecked
from reports.verdict.verdict import reach_verdict
from tests.judged import checks_of, judged, numbers, reasons_of, thresholds
from tests.make_csv import START_S, csv_run, empty_run, samples
from tests.make_recorded import interval_table, recorded, requests

RAMPS = (Stage("up", 0, 10, 0, 100), Stage("hold", 10, 50, 100, 100), Stage("down", 50, 60, 100, 0))


def run_of(seconds: int = 60, unfinished: int = 0, age_ms: float = 200.0, **meta: Any) -> Run:
    """Return a run of ten requests of 100 ms a second, and some that were cut off at an age."""
    at_s = START_S + np.arange(10 * seconds) / 10
    late = START_S + np.full(unfinished, 30.0)
    made = pd.concat(
        [
            requests(at_s, np.full(len(at_s), 100.0)),
            requests(late, np.full(unfinished, age_ms), unfinished=True),
        ]
    )
    return recorded(made, 500.0, **meta)


def stages(users: list[float]) -> pd.DataFrame:
    """Return schedule.csv of a run without a plan, one row a second."""
    seconds = np.arange(len(users), dtype=float)
    columns = {"unix_s": START_S + seconds, "elapsed_s": seconds, "stage": "", "planned_users": np.nan}
    return pd.DataFrame(columns | {"users": users}).reindex(columns=list(STAGE_COLUMNS))


def health(process: str = "local", **columns: Any) -> pd.DataFrame:
    """Return health.csv of one process with nothing to complain of, changed as told."""
    sound: dict[str, object] = {
        "unix_s": START_S + np.arange(60) + 0.5,
        "process": process,
        "cpu_ratio": 0.3,
        "rss_bytes": 1e8,
        "lag_p99_ms": 1.0,
        "lag_max_ms": 1.0,
        "lag_samples": 50.0,
        "lag_late": 0.0,
        "lag_very_late": 0.0,
        "users": 10.0,
        "in_flight": 1.0,
        "wait_ratio": 0.01,
    }
    return pd.DataFrame(sound | columns).reindex(columns=list(HEALTH_COLUMNS))


def checks(run: Run) -> dict[str, Check]:
    """Return the checks of a run by name."""
    return checks_of(run, steady_state(run))


STEPS = (Stage("low", 0, 20, 10, 10), Stage("rise", 20, 30, 10, 50), Stage("high", 30, 60, 50, 50))
SHORT = (Stage("up", 0, 28, 0, 9), Stage("hold", 28, 32, 9, 9), Stage("down", 32, 60, 9, 0))


@pytest.mark.parametrize(
    ("run", "from_s", "to_s", "method"),
    [
        pytest.param(run_of(stages=RAMPS), 10, 50, "", id="of 10 s up, 40 s hold and 10 s down the hold"),
        pytest.param(run_of(stages=STEPS), 0, 60, "no warm-up sought, as the load changes", id="steps"),
        pytest.param(
            # Only whole seconds are judged: the hold ends at 8:00:50.4.
            run_of(stages=RAMPS, started="2027-01-15T08:00:00.400Z"), 10.6, 49.6, "", id="within a second"
        ),
        pytest.param(
            run_of(stages=SHORT), 0, 61, "whole run: less than 5 s remain without the planned ramps",
            id="a hold of 4 s is too short to cut out",
        ),
        pytest.param(
            replace(run_of(), stages=stages([0, 1, 2, 3, 4, *[5.0] * 55])), 5, 61,
            "no warm-up sought in less than 100 s", id="without a plan from the most users on",
        ),
        pytest.param(run_of(), 0, 61, "", id="unknown users from the start"),
        pytest.param(run_of(warm_up_s=25.0), 25, 61, "25 s of planned warm-up", id="planned warm-up"),
        pytest.param(run_of(stages=RAMPS, warm_up_s=5.0), 10, 50, "", id="the longer of ramp and warm-up"),
    ],
)  # fmt: skip
def test_judged_time(run: Run, from_s: float, to_s: float, method: str) -> None:
    """Planned ramps and warm-up are cut, and the time until the users are there; the method says so."""
    found = steady_state(run)
    assert (found.from_s, found.to_s) == pytest.approx((from_s, to_s))
    assert method in found.method


def test_warm_up_of_a_constant_load_is_cut() -> None:
    """Of 200 s in which 25 are three times as slow MSER-5 cuts 30 s: what began slowly ends later."""
    at_s = START_S + np.arange(2000) / 10
    slow = np.where(np.arange(2000) < 250, 300.0, 100.0 + np.arange(2000) % 3).astype(np.float64)
    hold = (Stage("hold", 0, 200, 10, 10),)
    run = replace(run_of(stages=hold), intervals=intervals_of(interval_table(requests(at_s, slow))))
    found = steady_state(run)
    assert (found.from_s, found.cut_s, found.max_cut_s) == (30, 30, 100)
    assert checks(run)["steady_state"].ok
    assert found.method.endswith("MSER-5 on p50 and requests/s cut 30 s of warm-up")


def test_drift_is_not_steady() -> None:
    """A latency that grows all the time has no steady part: nothing passes, and no latency fails."""
    at_s = START_S + np.arange(2000) / 10
    hold = (Stage("hold", 0, 200, 10, 10),)
    made = requests(at_s, np.arange(100.0, 2100.0))
    run = replace(run_of(stages=hold), intervals=intervals_of(interval_table(made, [50.0])))
    check = checks(run)["steady_state"]
    assert (check.ok, check.value, check.limit) == (False, 100, 100)
    verdict = reach_verdict(run, thresholds("p95 < 50 ms"))
    assert verdict["verdict"] == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("columns", "check", "value"),
    [
        ({"cpu_ratio": 0.85}, "generator_cpu", 0.85),
        ({"cpu_ratio": [0.5] * 50 + [1.0] * 10}, "generator_cpu_peak", 1.0),
        ({"lag_very_late": 3.0}, "generator_loop_lag", 0.06),
        ({"wait_ratio": 0.25}, "generator_cpu_wait", 0.25),
    ],
)
def test_exhausted_generator_is_named(columns: dict[str, Any], check: str, value: float) -> None:
    """A generator out of CPU or late makes a broken limit INCONCLUSIVE, and is named with its process."""
    run = replace(run_of(), health=pd.concat([health(), health(process="w2", **columns)]))
    found = checks(run)[check]
    assert not found.ok
    assert found.value == pytest.approx(value)
    verdict = reach_verdict(run, thresholds("p95 < 50 ms", "rps > 99"))
    assert verdict["verdict"] == "INCONCLUSIVE"
    assert any(
        reason.startswith(f"{check}: the load generator (process 'w2')") for reason in reasons_of(verdict)
    )


@pytest.mark.parametrize(
    ("columns", "ok"),
    [
        ({"lag_late": 24.0, "lag_very_late": 2.4}, True),
        # A loop without rest: half of the turns are late, though none by 20 ms.
        ({"lag_p50_ms": [5.0] * 4 + [1.0] * 56}, False),
        ({"lag_p50_ms": [5.0] * 2 + [1.0] * 58}, True),
        ({"lag_very_late": 2.5}, False),
        # Older files count only those over 10 ms.
        ({"lag_late": 2.5, "lag_very_late": np.nan}, False),
    ],
)
def test_a_saturated_generator_is_late_in_5_per_cent_of_its_turns(columns: dict[str, Any], ok: bool) -> None:
    """Of 50 turns a second, 2.5 over 20 ms late are a generator that loads the service less than planned."""
    run = replace(run_of(), health=health(**columns))

    assert checks(run)["generator_loop_lag"].ok is ok


def test_sound_generator_passes_its_checks() -> None:
    """Only the judged seconds count: a busy ramp is no fault, and unknown lag is left out."""
    busy = health(cpu_ratio=[1.0] * 10 + [0.3] * 50, lag_samples=0.0)
    found = checks(replace(run_of(stages=RAMPS), health=busy))
    assert found["generator_cpu"].value == pytest.approx(0.3)
    assert found["generator_cpu"].ok
    assert "generator_loop_lag" not in found
    assert "generator_cpu" not in checks(run_of())


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        ("p95 < 101 ms", "PASS"),
        ("p95 < 80 ms", "INCONCLUSIVE"),
        ("p95 < 65 ms", "FAIL"),
        ("p95 > 65 ms", "PASS"),
        ("p95 > 80 ms", "INCONCLUSIVE"),
        ("p95 > 101 ms", "FAIL"),
        ("mean < 80 ms", "INCONCLUSIVE"),
        ("mean < 65 ms", "FAIL"),
        ("max < 80 ms", "INCONCLUSIVE"),
        ("max < 65 ms", "FAIL"),
        ("min > 80 ms", "INCONCLUSIVE"),
        ("min > 65 ms", "PASS"),
        ("rps > 100", "FAIL"),
    ],
)
def test_lag_lowers_the_lower_end_of_a_latency(limit: str, verdict: str) -> None:
    """100 ms by a loop up to 30 ms late are 70 to 100 ms; the lag of other processes is not theirs."""
    late = pd.concat([health(lag_max_ms=30.0), health("master", lag_max_ms=50.0)])
    found = judged(replace(run_of(), health=late), limit)

    assert found.outcome.name == verdict, found.reason
    assert ("event-loop lag" in found.reason) is (verdict == "INCONCLUSIVE")
    assert found.estimate is not None
    assert found.estimate.low is not None
    assert "rps" in limit or found.estimate.low == pytest.approx(70, rel=0.01)
    assert "rps" in limit or found.estimate.value == pytest.approx(100, rel=0.01)


def test_lag_excuses_only_its_own_seconds() -> None:
    """A loop that stood still for one second of sixty does not make 100 ms of the others less."""
    lag_ms = [1.0] * 60
    lag_ms[30] = 1000.0
    run = replace(run_of(), health=health(lag_max_ms=lag_ms))

    assert judged(run, "p95 < 95 ms").outcome is Outcome.FAIL
    # All that were under way in that second may have been fast, and this one was.
    assert judged(run, "min > 1 ms").outcome is Outcome.INCONCLUSIVE


def test_unknown_lag_fails_nothing() -> None:
    """A second of which no lag is known may have been the worst."""
    unknown = replace(run_of(), health=health(lag_max_ms=np.nan, lag_p99_ms=np.nan, lag_samples=0.0))

    assert judged(unknown, "p95 < 90 ms").outcome is Outcome.INCONCLUSIVE
    assert judged(run_of(), "p95 < 90 ms").outcome is Outcome.FAIL


def test_lag_counts_from_the_start_to_the_end_of_a_request() -> None:
    """Of requests of 3 s each is lowered by the worst lag in its seconds; without a maximum by their p99."""
    slow = recorded(requests(START_S + np.arange(0.2, 60.0, 10), np.full(6, 3000.0)))
    late = [500.0 if second % 10 == 2 else 1.0 for second in range(60)]
    for column in ({"lag_max_ms": late}, {"lag_max_ms": np.nan, "lag_p99_ms": late}):
        found = judged(replace(slow, health=health(**column)), "max < 2600 ms")
        assert numbers(found)[:2] == pytest.approx((3000, 2500))


@pytest.mark.parametrize(
    ("limit", "low_ms"),
    [
        ("max < 1 ms", 70),
        ("corrected_max < 1 ms", 90),
        ("max of iteration:* < 1 ms", 340),
        ("max of transaction:flow < 1 ms", 340),
    ],
)
def test_lag_adds_up_over_many_waits(limit: str, low_ms: float) -> None:
    """An intended start waits for the loop too; 400 ms of two requests may hold two lags of 30 ms."""
    at_s = START_S + np.arange(600) / 10
    one = requests(at_s, np.full(600, 100.0), delay_ms=50.0)
    two = [
        requests(at_s[::2], np.full(300, 400.0), request_type=kind, name="flow", delay_ms=50.0)
        for kind in ("iteration", "transaction")
    ]
    run = replace(recorded(pd.concat([one, *two]), load_model="paced"), health=health(lag_max_ms=30.0))

    assert numbers(judged(run, limit))[1] == pytest.approx(low_ms)


@pytest.mark.parametrize(
    ("columns", "of_vitals", "of_pages"),
    [
        ({"lag_max_ms": 90.0}, "FAIL", "INCONCLUSIVE"),
        ({"lag_very_late": 5.0}, "FAIL", "INCONCLUSIVE"),
        ({"cpu_ratio": 0.85}, "INCONCLUSIVE", "INCONCLUSIVE"),
    ],
)
def test_a_late_loop_does_not_time_a_browser(columns: dict[str, Any], of_vitals: str, of_pages: str) -> None:
    """What a browser timed stands whatever the loop did, unless the browser itself had no CPU to spare."""
    at_s = START_S + np.arange(600) / 10
    made = [
        requests(at_s, np.full(600, 100.0), name=name, request_type=kind)
        for name, kind in (("home.lcp", "VITAL"), ("home", "PAGE"))
    ]
    run = replace(recorded(pd.concat(made), 50.0), health=health(**columns))
    limits = 'thresholds: ["p95 of home.lcp < 50 ms", "p95 of home < 50 ms", "p10 of home* < 50 ms"]'
    verdict = reach_verdict(run, parse_thresholds(limits))

    assert [each["verdict"] for each in verdict["thresholds"]] == [of_vitals, of_pages, of_pages]


def test_failures_that_nothing_limits_do_not_pass() -> None:
    """Half of all requests failed, the other half was fast: a limit on latency alone is no pass for that."""
    at_s = START_S + np.arange(600) / 10
    half = recorded(requests(at_s, np.full(600, 100.0), failed=np.arange(600) % 2 == 0), 500.0)
    alone = reach_verdict(half, thresholds("p95 < 500 ms"))
    limited = reach_verdict(half, thresholds("p95 < 500 ms", "error_rate < 60%"))

    assert alone["thresholds"][0]["verdict"] == "PASS"
    assert alone["verdict"] == "INCONCLUSIVE"
    assert reasons_of(alone)[0].startswith(
        "error_rate_unchecked: 50.0% of the requests failed, and no threshold"
    )
    assert "error_rate_unchecked" not in {check["check"] for check in limited["validity"]}


def failing(n: int, failures: int, **columns: Any) -> pd.DataFrame:
    """Return n requests of 100 ms over a minute, of which some failed, evenly among them."""
    failed = np.zeros(n, dtype=bool)
    failed[np.linspace(0, n - 1, failures).astype(int)] = True
    return requests(START_S + np.arange(n) * 60 / n, np.full(n, 100.0), failed=failed, **columns)


CHECKOUT = {"name": "checkout", "request_type": "POST", "user_class": "Buyer", "tags": "shop,pay"}
COVERED, LEFT = True, False


@pytest.mark.parametrize(
    ("limit", "is_covered"),
    [
        ("error_rate < 20%", COVERED),
        ("error_rate of checkout < 20%", COVERED),
        ("error_rate of check* <= 20%", COVERED),
        ("error_rate of tag:pay < 20%", COVERED),
        ("error_rate of type:POST < 20%", COVERED),
        ("error_rate of user:Buyer < 20%", COVERED),
        ("error_rate of not browse < 20%", COVERED),
        ("failures of checkout < 100", COVERED),
        ("error_rate of browse < 20%", LEFT),
        ("error_rate of tag:other < 20%", LEFT),
        ("error_rate of user:Browser < 20%", LEFT),
        ("error_rate of transaction:checkout < 20%", LEFT),
        ("error_rate of checkout > 1%", LEFT),
        ("failures of checkout >= 1", LEFT),
        ("count of checkout > 100", LEFT),
        ("rate of checkout < 20%", LEFT),
        ("checks of checkout > 20%", LEFT),
    ],
)
def test_a_limit_on_failures_covers_only_what_it_selects(limit: str, is_covered: bool) -> None:
    """Failures of a request are limited only by an upper limit on failures that selects the request."""
    made = [failing(5000, 0, name="browse", user_class="Browser"), failing(182, 27, **CHECKOUT)]
    own = [failing(60, 1, name="checkout", request_type=kind) for kind in ("rate", "check", "transaction")]
    run = recorded(pd.concat([*made, *own]), 500.0)
    verdict = reach_verdict(run, thresholds("p95 < 500 ms", limit))

    found = {check["check"]: check for check in verdict["validity"]}.get("error_rate_unchecked")
    assert (found is None or found["ok"]) is is_covered
    if not is_covered:
        assert found is not None
        assert found["reason"].startswith("14.8% of the 182 requests 'checkout' failed")
        assert "'error_rate of \"checkout\" < 1%'" in found["reason"]
        assert verdict["verdict"] != "PASS"


def test_a_warning_covers_no_failures() -> None:
    """A limit that cannot fail the run leaves the failures it selects without a limit."""
    run = recorded(failing(600, 90), 500.0)
    verdict = reach_verdict(
        run, parse_thresholds("thresholds: [p95 < 500 ms, {expr: error_rate < 20%, level: warn}]")
    )
    assert verdict["verdict"] == "INCONCLUSIVE"
    assert reasons_of(verdict)[0].startswith("error_rate_unchecked: 15.0% of the requests failed")


@pytest.mark.parametrize(
    ("n", "failures", "others", "reason"),
    [
        (1000, 10, 0, ""),
        (1000, 11, 0, "1.1% of the 1000 requests 'left' failed"),
        (50, 1, 0, ""),
        (50, 2, 0, "4.0% of the 50 requests 'left' failed"),
        (1000, 10, 9, "1.2% of the other 1560 requests failed"),
    ],
)
def test_requests_without_a_limit_are_held_to_one_per_cent(
    n: int, failures: int, others: int, reason: str
) -> None:
    """Requests that nothing covers may fail by 1 % together and, with two failures or more, name by name."""
    made = [
        failing(1000, 500, name="covered"),
        failing(200, 0, name="sound"),
        failing(n, failures, name="left"),
    ]
    made += [failing(40, 1, name=f"other{i}") for i in range(others)]
    limits = thresholds("p95 < 500 ms", "error_rate of covered < 60%")
    check = error_rate_unchecked(recorded(pd.concat(made)), limits)
    assert check is not None
    assert check.ok is (not reason)
    assert check.reason.startswith(reason)


def test_selectors_that_the_files_cannot_tell_cover_nothing() -> None:
    """Locust's CSV files know no tags: a limit on the failures of a tag covers none of their requests."""
    run = csv_run({"a": samples(1000, failures=15), "b": samples(9000)})
    by_tag = error_rate_unchecked(run, thresholds("error_rate of tag:x < 5%"))
    assert by_tag is not None
    assert by_tag.reason.startswith("1.5% of the 1000 requests 'a' failed")
    assert error_rate_unchecked(run, thresholds("error_rate < 5%")) is None
    others = error_rate_unchecked(run, thresholds("failures of b < 5"))
    assert others is not None
    assert others.reason.startswith("1.5% of the 1000 requests 'a' failed")


@pytest.mark.parametrize(
    ("meta", "check", "ok", "reason"),
    [
        ({"recorded": True, "workers": ("w1",), "lost_workers": ("w2",)}, "workers_lost", False,
         "1 worker was lost: 'w2'"),
        ({"recorded": True, "workers": ("w1",)}, "workers_lost", True, ""),
        ({"invariants": [Invariant("money", holds=False, text="9 of 10"), Invariant("rows", None, "")]},
         "invariants_hold", False, "'money' does not hold: 9 of 10; 'rows' was not verified"),
        ({"invariants": [Invariant("money", holds=True, text="")]}, "invariants_hold", True, ""),
        ({"clock_offsets_s": {"w1": 0.2, "w2": -2.0}}, "clock_skew", False,
         "the clock of worker 'w2' is -2.0 s off the master's"),
        ({"recording_errors": 3}, "recording_errors", False,
         "3 errors while recording: requests are missing"),
        ({"recording_errors": 3, "recording_fault": "health.csv: No space left on device"},
         "recording_errors", False,
         "3 errors while recording, the first was of health.csv: No space left on device"),
        ({"locust_totals": (606, 0)}, "locust_totals_match", False,
         "the intervals hold 600 requests (0 failed), Locust counted 606 (0 failed)"),
        ({"locust_totals": (605, 0)}, "locust_totals_match", True, ""),
        # As in older runs no clock says how long a machine was suspended: any step may be a suspension.
        ({"clock_steps": [ClockStep("w1", 30.0, 5.0)]}, "clock_steps", False,
         "the wall clock of process 'w1' was set forward by 5 s, 30 s after the start,"
         " or its machine was paused with its clocks: which of them is not known"),
    ],
)  # fmt: skip
def test_what_run_json_says_is_checked(meta: dict[str, Any], check: str, ok: bool, reason: str) -> None:
    """A lost worker, a clock 2 s off, an error while recording, and counts unlike Locust's are named."""
    found = checks(run_of(**meta))[check]
    assert (found.ok, found.reason) == (ok, reason)


def test_totals_since_a_reset_are_not_compared() -> None:
    """After a reset Locust's totals are those of the time since."""
    assert "locust_totals_match" not in checks(run_of(locust_totals=(9, 0), stats_reset=True))


@pytest.mark.parametrize(
    ("forward_s", "suspended_s", "lost_s"), [(5.0, None, 5.0), (5.0, 0.0, 5.0), (-5.0, 0.0, 0.0)]
)
def test_a_step_forward_may_be_a_pause(forward_s: float, suspended_s: float | None, lost_s: float) -> None:
    """A virtual machine that is paused with all its clocks is set forward after it, and never back."""
    found = checks(run_of(clock_steps=[ClockStep("w1", 30.0, forward_s, suspended_s)]))["clock_steps"]

    assert (found.ok, found.value) == (not lost_s, lost_s)


def test_reset_statistics_are_no_ground_for_a_verdict() -> None:
    """Without intervals a reset leaves out part of the run; with them it does no harm."""
    reset = empty_run(stats_reset=True)
    assert not checks_of(reset, None)["stats_reset"].ok
    assert "stats_reset" not in checks(run_of(stats_reset=True))


def test_requests_that_hung_are_counted() -> None:
    """40 of 600 requests cut off older than any answer are over 5 %; 20 are not, nor are young ones."""
    found = checks(run_of(unfinished=40))["unfinished_requests"]
    assert not found.ok
    assert found.value == pytest.approx(40 / 600)
    assert found.reason == "40 of 640 requests were unfinished and older than the slowest response"
    assert checks(run_of(unfinished=20))["unfinished_requests"].ok
    assert checks(run_of(unfinished=40, age_ms=20.0))["unfinished_requests"].value == 0


def test_little_s_law() -> None:
    """10 requests/s of 100 ms are one in flight; 4 seen are beyond 30 % and two requests, fewer are not."""
    run = run_of()
    assert checks(replace(run, health=health()))["littles_law"].ok
    found = checks(replace(run, health=health(in_flight=4.0)))["littles_law"]
    assert not found.ok
    assert found.reason.startswith(
        "4.0 requests were seen in flight, but requests/s times mean latency makes 1.0"
    )
    unseen = checks(replace(run, health=health(in_flight=0.0)))["littles_law"]
    assert (unseen.ok, unseen.value) == (True, None)
    assert unseen.reason == "not made: no client reported its requests in flight"
    failing = intervals_of(
        interval_table(requests(START_S + np.arange(60.0), np.full(60, 900.0), failed=True))
    )
    assert checks(replace(run, intervals=failing, health=health()))["littles_law"].ok


def many(latency_ms: float, request_type: str = "GET", users: float = 10.0) -> Run:
    """Return a minute of 20 requests a second, of ten users unless told otherwise."""
    made = requests(START_S + np.arange(1200) / 20, np.full(1200, latency_ms), request_type=request_type)
    return replace(
        run_of(), intervals=intervals_of(interval_table(made, [500.0])), stages=stages([users] * 60)
    )


def test_little_s_law_from_below() -> None:
    """20 requests/s of 400 ms are 8 in flight: 2 seen are too few, but not for events that wrap requests."""
    found = checks(replace(many(400.0), health=health(in_flight=2.0)))["littles_law"]
    assert (found.ok, found.value) == (False, 2)
    assert found.limit == pytest.approx(8 * 60 / 61)
    assert ": some were not seen under way, or" in found.reason
    assert checks(replace(many(400.0, "flow"), health=health(in_flight=2.0)))["littles_law"].ok


def test_think_time_is_what_is_left_of_the_users() -> None:
    """Ten users at 20 requests/s of 100 ms wait for 100 ms and think for 0.4 s between two requests."""
    found = checks(many(100.0))["user_concurrency"]
    assert (found.ok, found.limit) == (True, 10)
    assert found.value == pytest.approx(2, rel=0.02)
    assert found.reason.startswith("users = X·(R + Z): 10 users make 19.7 requests/s of 100 ms")
    assert found.reason.endswith("so think for 0.408 s between two")


def test_think_time_cannot_be_negative() -> None:
    """20 requests/s of 900 ms keep 18 users busy: of ten that is believed only if as many are in flight."""
    found = checks(many(900.0))["user_concurrency"]
    assert not found.ok
    assert "more than they have time for" in found.reason
    several = checks(replace(many(900.0), health=health(in_flight=17.0)))["user_concurrency"]
    assert (several.ok, several.reason.rsplit(", ")[-1]) == (True, "several at once")


def test_think_time_that_cannot_be_told() -> None:
    """Without users or HTTP requests, and under a load that is not closed, there is no think time."""
    assert checks(run_of())["user_concurrency"].value is None
    assert checks(many(100.0, "flow"))["user_concurrency"].reason.startswith("not made: ")
    assert "user_concurrency" not in checks(run_of(load_model="open"))


def test_every_process_must_be_watched() -> None:
    """A worker that made load in the judged time without a row of health there is a failed check."""
    made = pd.concat(
        [
            requests(START_S + np.arange(60.0), np.full(60, 9.0), worker="w1"),
            requests(START_S + np.arange(60.0), np.full(60, 9.0), worker="w2"),
        ]
    )
    run = replace(run_of(workers=("w1", "w2", "w3")), intervals=intervals_of(interval_table(made, [500.0])))
    watched = pd.concat([health(process=name) for name in ("master", "w1")])

    found = checks(replace(run, health=watched))["health_coverage"]

    assert not found.ok
    assert found.reason == (
        "health.csv of process 'w2' has no rows for 97% of the judged time,"
        " health.csv of process 'w3' has no rows for 97% of the judged time:"
        " the state of the load generator is unknown there"
    )
    # The third one came after the judged time.
    late = health(process="w3", unix_s=START_S + 100.0 + np.arange(60))
    whole = pd.concat([watched, health(process="w2"), late])
    assert checks(replace(run, health=whole))["health_coverage"].ok
    assert "health_coverage" not in checks(run)


def sound_run() -> Run:
    """Return a minute of a single process that is recorded whole."""
    hold = (Stage("hold", 0, 60, 10, 10),)
    return replace(run_of(stages=hold), health=health(), stages=stages([10.0] * 61))


@pytest.mark.parametrize(("table", "file"), [("health", HEALTH_FILE), ("stages", SCHEDULE_FILE)])
@pytest.mark.parametrize(
    ("kept", "ok"),
    [
        (lambda at_s: at_s < np.inf, True),
        (lambda at_s: (at_s < 20) | (at_s >= 23), True),
        (lambda at_s: (at_s < 20) | (at_s >= 25), False),
        (lambda at_s: at_s < 30, False),
        (lambda at_s: at_s >= 30, False),
        (lambda at_s: at_s % 3 < 1, False),
    ],
)
def test_the_judged_time_is_covered_by_rows(table: str, file: str, kept: Any, ok: bool) -> None:
    """Half of a file, a hole of 5 of its 60 rows or two of three lost leave open what the generator did."""
    run = sound_run()
    rows = getattr(run, table)
    run = replace(run, **{table: rows[kept(rows["unix_s"] - START_S)]})
    verdict = reach_verdict(run, thresholds("p95 < 500 ms", "error_rate < 1%"))

    assert verdict["verdict"] == ("PASS" if ok else "INCONCLUSIVE"), verdict["reasons"]
    assert checks(run)["health_coverage"].ok is ok
    if not ok:
        assert file in checks(run)["health_coverage"].reason


def test_a_worker_is_watched_from_its_first_request_on() -> None:
    """One that joins after 40 s has no rows before; from then on it must have them."""
    late = requests(START_S + 40.0 + np.arange(20.0), np.full(20, 9.0), worker="w2")
    made = pd.concat([requests(START_S + np.arange(60.0), np.full(60, 9.0), worker="w1"), late])
    run = replace(run_of(workers=("w1", "w2")), intervals=intervals_of(interval_table(made, [500.0])))
    joined = health("w2", unix_s=START_S + 40.5 + np.arange(60))
    watched = [health("master"), health("w1")]

    assert checks(replace(run, health=pd.concat([*watched, joined])))["health_coverage"].ok
    assert not checks(replace(run, health=pd.concat([*watched, joined[:9]])))["health_coverage"].ok


@pytest.mark.parametrize(("stopped_s", "ok"), [([], True), ([2.0], True), ([3.5], False), ([3.5] * 4, False)])
def test_a_generator_that_stands_still_never_passes(stopped_s: list[float], ok: bool) -> None:
    """Stops are weighed by their time: one of 3.5 s is one late sample of 3000, and 6 % of a minute."""
    rows = health(stalled_ms=0.0)
    for number, length_s in enumerate(stopped_s):
        at_s = START_S + 10.0 + 10 * number
        inside = rows["unix_s"].between(at_s, at_s + length_s)
        rows = rows[~inside | (rows.index == rows.index[inside].max())]
        rows.loc[rows.index[rows["unix_s"] > at_s][0], ["stalled_ms", "lag_late", "lag_very_late"]] = [
            1000 * length_s, 1.0, 1.0,
        ]  # fmt: skip
    run = replace(sound_run(), health=rows)
    verdict = reach_verdict(run, thresholds("p95 < 500 ms", "error_rate < 1%"))
    found = checks(run)

    assert verdict["verdict"] == ("PASS" if ok else "INCONCLUSIVE"), verdict["reasons"]
    assert found["generator_loop_lag"].ok
    assert found["generator_stalls"].ok is ok
    assert found["generator_stalls"].value == pytest.approx(sum(stopped_s) / 60, rel=0.05)


def test_older_health_tells_no_stalls() -> None:
    """Files without the column leave the check out; their gaps still count."""
    assert "generator_stalls" not in checks(sound_run())


def test_health_rows_tell_of_the_second_before_them() -> None:
    """Of a hold from 10 s to 50 s the rows written from 11 s to 50 s are judged."""
    busy = health(unix_s=START_S + 1.0 + np.arange(60), cpu_ratio=[1.0] * 10 + [0.3] * 40 + [1.0] * 10)
    assert checks(replace(run_of(stages=RAMPS), health=busy))["generator_cpu"].value == pytest.approx(0.3)


def test_nothing_answered_is_named() -> None:
    """A target that never answers leaves a run without a finished request, and never passes."""
    made = requests(START_S + np.arange(9.0), np.full(9, 60_000.0), unfinished=True)
    run = replace(run_of(), intervals=intervals_of(interval_table(made, [500.0])))
    assert checks(run)["any_requests"].reason == "no request was answered, 9 were cut off"
    assert reach_verdict(run, thresholds("error_rate < 1%"))["verdict"] == "INCONCLUSIVE"


def test_a_check_says_what_it_undermines() -> None:
    """verdict.json names the families of thresholds that each check takes the ground from."""
    verdict = reach_verdict(replace(run_of(), health=health()), thresholds("rps > 1"))
    undermines = {check["check"]: check["undermines"] for check in verdict["validity"]}

    assert undermines["generator_cpu"] == ["latency", "rate", "count"]
    assert undermines["generator_loop_lag"] == ["loop_timed_latency", "rate", "count"]
    assert undermines["min_duration"] == undermines["error_rate_unchecked"] == []


def test_blocks_are_equal_parts_of_the_window() -> None:
    """Ten seconds in five blocks are two each; seconds outside are in none."""
    ten = SteadyState(0.0, 100, 110, "by hand")
    assert ten.blocks(np.arange(99, 111), 5).tolist() == [-1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, -1]
