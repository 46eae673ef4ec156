"""Step changes: where they are found, where none is, and how seldom slow swings break a limit by one."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from plimsoll.run_files.exit_status import Outcome
from reports.estimates import intervals
from reports.estimates.estimate import Estimate, is_far
from reports.estimates.step_change import find_step, with_step
from reports.load.run import Run
from reports.thresholds.reading import parse_thresholds
from reports.verdict.verdict import reach_verdict
from tests.judged import judged, reasons_of
from tests.make_csv import START_S, Samples, csv_run, samples
from tests.make_recorded import recorded, requests

Floats = NDArray[np.float64]
INCONCLUSIVE = Outcome.INCONCLUSIVE
BROKEN_BY_STEP, BROKEN_FAR = "step", "far"


def down(seconds: int, first_s: int, end_s: int | None = None, rate: float = 10.0) -> tuple[Floats, Floats]:
    """Return failures and requests of each second of a service that is down for some of them."""
    n = np.full(seconds, rate)
    is_down = np.zeros(seconds)
    is_down[first_s:end_s] = 1.0
    return n * is_down, n


@pytest.mark.parametrize("seconds", [20, 60, 100, 700, 28_800])
@pytest.mark.parametrize("at", [0.26, 0.57, 0.9])
def test_service_that_dies_is_a_step_at_its_second(seconds: int, at: float) -> None:
    """The second from which on all requests fail is found in a short run and in one of eight hours."""
    first_s = min(round(at * seconds), seconds - 5)
    step = find_step(*down(seconds, first_s), are_shares=True)
    assert step is not None
    assert (step.first_s, step.end_s, step.level, step.other) == (first_s, None, 1.0, 0.0)
    assert step.low == step.high == pytest.approx((seconds - first_s) / seconds)


@pytest.mark.parametrize(("seconds", "first_s", "end_s"), [(60, 20, 29), (60, 55, 60), (3000, 1201, 1231)])
def test_service_that_comes_back_is_two_steps(seconds: int, first_s: int, end_s: int) -> None:
    """Of an outage both ends are found, also where a longer run is searched in strides."""
    step = find_step(*down(seconds, first_s, end_s), are_shares=True)
    assert step is not None
    assert (step.first_s, step.end_s) == (first_s, end_s if end_s < seconds else None)


def test_service_that_recovers_is_said_from_its_recovery_on() -> None:
    """Where a run begins with failures the step is the second in which they ended."""
    step = find_step(*down(60, 0, 24), are_shares=True)
    assert step is not None
    assert (step.first_s, step.end_s, step.level, step.other) == (24, None, 0.0, 1.0)


def test_half_of_the_replicas_dies() -> None:
    """Every second request fails from the middle on: a step though not all fail."""
    n = np.full(60, 20.0)
    failures = np.random.default_rng(1).binomial(20, np.repeat([0.001, 0.5], 30)).astype(float)
    step = find_step(failures, n, are_shares=True)
    assert step is not None
    assert (step.first_s, step.end_s) == (30, None)
    assert step.low < failures.sum() / n.sum() < step.high


@pytest.mark.parametrize(
    ("amounts", "weights"),
    [
        pytest.param(np.zeros(60), np.full(60, 10.0), id="nothing failed"),
        pytest.param(np.full(60, 10.0), np.full(60, 10.0), id="everything failed"),
        pytest.param(np.zeros(60), np.zeros(60), id="nothing requested"),
        pytest.param(np.arange(60) / 6, np.full(60, 10.0), id="steady rise"),
        pytest.param(np.tile([0.0, 10.0], 30), np.full(60, 10.0), id="up and down all the time"),
        pytest.param(np.eye(60)[30] * 10, np.full(60, 10.0), id="a bad second"),
        pytest.param(
            np.repeat([0.0, 1.0, 0.0], [30, 3, 27]), np.full(60, 10.0), id="three failures in a row"
        ),
        pytest.param(np.repeat([0.0, 10.0], [3, 4]), np.full(7, 10.0), id="too short a run"),
    ],
)
def test_what_is_no_step(amounts: Floats, weights: Floats) -> None:
    """Nothing is found where levels do not differ, change gradually or often, or for a moment."""
    assert find_step(amounts, weights, are_shares=True) is None


def test_rates_and_means_step_too() -> None:
    """Answers stop in the 40th second; latencies quadruple in the 25th, or hardly change at all."""
    answered = find_step(np.repeat([50.0, 0.0], [40, 20]), np.ones(60))
    assert answered is not None
    assert (answered.first_s, answered.level, answered.other) == (40, 0.0, 50.0)
    noise = np.random.default_rng(2).normal(0, 20, 60)
    slower = find_step(10 * np.repeat([100.0, 400.0], [25, 35]) + noise, np.full(60, 10.0))
    assert slower is not None
    assert slower.first_s == 25
    assert find_step(np.repeat([500.0, 505.0], 30), np.full(60, 5.0)) is None
    assert find_step(np.zeros(60), np.ones(60)) is None


def test_words_name_the_seconds_of_the_run_and_both_levels() -> None:
    """Seconds count from the start of the run; the interval is at least that of independent requests."""
    found = Estimate(43.0, 0.0, 100.0, 600, "test", independent=(39.0, 47.0))
    died, was_out = find_step(*down(60, 34)), find_step(*down(60, 20, 29))
    assert with_step(found, died, 5.0, "%", 100).change == "100% from second 39 on, 0% before"
    assert with_step(found, died, 5.0, "%", 100).step == (39.0, 47.0)
    assert with_step(found, was_out, 0.0, "%", 100).change == "100% from second 20 to 29, 0% before and after"
    assert with_step(found, None, 0.0, "%") is found
    slower = find_step(np.repeat([1e3, 2e4], 30), np.full(60, 10.0))
    assert with_step(found, slower, 0.0, "ms").change == "2,000 ms from second 30 on, 100 ms before"


@pytest.mark.parametrize(
    ("value", "operator", "limit", "most", "far"),
    [
        (5.0, "<", 1.0, math.inf, True),
        (4.0, "<", 1.0, math.inf, False),
        (0.1, "<=", 0.0, 100.0, True),
        (20.0, ">", 100.0, math.inf, True),
        (30.0, ">", 100.0, math.inf, False),
        (94.0, ">", 99.0, 100.0, True),
        (96.0, ">=", 99.0, 100.0, False),
        (None, "<", 1.0, math.inf, False),
    ],
)
def test_far_beyond_a_limit(value: float | None, operator: str, limit: float, most: float, far: bool) -> None:
    """Five times a limit is far, of a lower one a fifth, of shares five times what may be missing."""
    assert is_far(value, operator, limit, most) is far


def recorded_failures(failed: "NDArray[np.bool_]", seconds: int) -> Run:
    """Return the recorded run of requests of 50 ms evenly over the seconds, of which some failed."""
    n = len(failed)
    at_s = START_S + np.arange(n) * seconds / n
    return recorded(requests(at_s, np.full(n, 50.0), failed=failed), 500.0)


@pytest.mark.parametrize(
    ("n", "seconds", "first", "end", "words"),
    [
        pytest.param(600, 60, 342, 600, "from second 34 on", id="43 % failed"),
        pytest.param(1000, 100, 260, 1000, "from second 26 on", id="74 % failed"),
        pytest.param(70, 60, 20, 70, "from second 17 on", id="50 of 70 failed"),
        pytest.param(6000, 600, 5000, 6000, "from second 500 on", id="ten minutes"),
        pytest.param(1000, 100, 300, 450, "from second 30 to 45", id="an outage"),
    ],
)
def test_service_killed_in_the_middle_fails_from_its_second_on(
    n: int, seconds: int, first: int, end: int, words: str
) -> None:
    """A limit that a dead service breaks fails, with the second of the run in which it died or was out.

    Locust's CSV files do not tell the second.
    """
    failed = (np.arange(n) >= first) & (np.arange(n) < end)
    limits = parse_thresholds("thresholds: [error_rate < 1%]")
    verdict = reach_verdict(recorded_failures(failed, seconds), limits)
    plain = csv_run({"a": Samples(np.arange(n) * seconds / n, np.full(n, 50.0), failed)}, duration_s=seconds)
    assert reach_verdict(plain, limits)["verdict"] == "FAIL"

    (limit,) = verdict["thresholds"]
    assert (verdict["verdict"], limit["verdict"]) == ("FAIL", "FAIL")
    assert words in limit["reason"]
    assert reasons_of(verdict)[0].startswith(f"error_rate < 1%: measured {100 * failed.mean():.4g}%, ")
    assert words in reasons_of(verdict)[0]
    assert limit["interval"][0] > 1


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("p95 < 200 ms", "100% over the limit from second 35 on, 0% over the limit before"),
        ("mean < 200 ms", "900 ms from second 35 on, 50 ms before"),
        ("checks of body > 90%", "0% from second 35 on, 100% before"),
        ("p70 of body < 0.1", "100% over the limit from second 35 on, 0% over the limit before"),
    ],
)
def test_latencies_and_metrics_that_step_fail(source: str, words: str) -> None:
    """A service that gets slow in the middle of a short run breaks limits on latencies, checks and trends."""
    at_s = START_S + np.arange(600) / 10
    is_slow = np.arange(600) >= 350
    made = [requests(at_s, np.where(is_slow, 900.0, 50.0))]
    made.append(requests(at_s, np.zeros(600), failed=is_slow, name="body", request_type="check"))
    made.append(requests(at_s, np.where(is_slow, 9e5, 5e4), name="body", request_type="trend"))
    judgement = judged(recorded(pd.concat(made), 200.0, 1e5), source)
    assert judgement.outcome is Outcome.FAIL
    assert words in judgement.reason


def test_answers_that_stop_break_a_rate() -> None:
    """Where nothing is answered from the middle on, requests a second are known to be too few."""
    at_s = START_S + np.arange(400) / 10
    made = pd.concat([requests(at_s, np.full(400, 50.0)), requests([START_S + 59.0], [50.0])])
    judgement = judged(recorded(made), "rps > 8")
    assert judgement.outcome is Outcome.FAIL
    assert "0/s from second 40 on, 10/s before" in judgement.reason.replace("0.05/s", "0/s")


def test_step_never_keeps_a_limit() -> None:
    """A step inside the limit narrows no interval: what blocks leave open does not pass by it."""
    failed = (np.arange(6000) >= 3000) & (np.arange(6000) % 10 == 0)
    judgement = judged(recorded_failures(failed, 60), "error_rate < 6%")
    assert judgement.outcome is INCONCLUSIVE
    assert judgement.estimate is not None
    assert judgement.estimate.step is not None
    assert judgement.estimate.step[1] < 6
    assert "the figure changed: 10% from second 30 on, 0% before" in judgement.reason
    assert "would decide" not in judgement.reason
    assert judged(recorded_failures(failed, 60), "error_rate > 4%").outcome is INCONCLUSIVE


@pytest.mark.parametrize("metric", ["p50", "p90", "p95", "p99", "mean"])
def test_latency_of_five_times_its_limit_fails(metric: str) -> None:
    """However unlike the blocks are of a run that gets ever slower, five times its limit breaks it."""
    at_s, noise = np.linspace(0, 60, 3000), np.random.default_rng(3).normal(0, 0.5, 3000)
    run = recorded(requests(START_S + at_s, 5 * np.exp(at_s / 8 + noise)))
    value = judged(run, f"{metric} < 1 ms").estimate
    assert value is not None
    assert value.value is not None
    assert judged(run, f"{metric} < {value.value / 5:.6f} ms").outcome is Outcome.FAIL
    assert judged(run, f"{metric} < {value.value / 1.1:.6f} ms").outcome is INCONCLUSIVE


def test_few_latencies_of_five_times_their_limit_fail() -> None:
    """A mean needs 30 latencies to pass, and two alike to be five times over its limit."""
    few = csv_run({"a": samples(12, 500.0), "b": samples(900)})
    assert judged(few, "mean of a < 100 ms").outcome is Outcome.FAIL
    passed = judged(few, "mean of a < 1 s")
    assert (passed.outcome, "12 successful requests are too few" in passed.reason) == (INCONCLUSIVE, True)


def test_one_failure_of_many_is_not_far_beyond() -> None:
    """A single failure may be five times a strict limit, and chance all the same."""
    assert judged(csv_run({"a": samples(1000, failures=1)}), "error_rate < 0.02%").outcome is INCONCLUSIVE


def test_words_for_a_figure_that_failures_hide_are_true() -> None:
    """Where most requests failed Locust's latencies say little of the others, however far from the limit."""
    slow = np.where(np.arange(1000) % 10 < 7, 3000.0, 100.0)
    run = csv_run({"a": Samples(np.linspace(0, 60, 1000), slow, slow > 1000)})
    for source in ("p95 < 600 ms", "max < 600 ms", "mean < 1 s"):
        judgement = judged(run, source)
        assert judgement.outcome is INCONCLUSIVE
        assert judgement.reason.startswith("700 of 1000 requests failed, and Locust's figures include them")
        assert "without them it is between 100 ms and 3,000 ms" in judgement.reason


RUNS = 400


def levels(random: np.random.Generator, seconds: int, rho: float, sd: float) -> Floats:
    """Return RUNS series of an AR(1) level with one value a second."""
    steps = random.normal(0, sd * math.sqrt(1 - rho**2), (RUNS, seconds))
    steps[:, 0] = random.normal(0, sd, RUNS)
    for second in range(1, seconds):
        steps[:, second] += rho * steps[:, second - 1]
    return steps


def broken(k: Floats, n: Floats, allowed: float, times: float) -> dict[str, bool]:
    """Tell in which of the two ways a share that is over the allowed one would break its limit."""
    alone, step = intervals.share(float(k.sum()), float(n.sum())), find_step(k, n, are_shares=True)
    return {
        BROKEN_BY_STEP: step is not None and min(step.low, alone[0]) > allowed,
        BROKEN_FAR: is_far(times, "<", 1.0) and alone[0] > allowed,
    }


@pytest.mark.parametrize("rho", [0.5, 0.8, 0.95])
@pytest.mark.parametrize(("seconds", "rate"), [(30, 20), (120, 50), (600, 20)])
@pytest.mark.no_cover
def test_slow_swings_seldom_break_a_limit_that_holds(seconds: int, rate: float, rho: float) -> None:
    """With the truth 5 % inside the limit neither a step nor a far figure fails over 2 % of the runs.

    Of latencies (sigma 0.5) the p95 is held, of failures a rate of 1 %; their levels swing, by up to a factor
    of e.
    """
    random = np.random.default_rng(20261130)
    for sd in (0.15, 0.4, 1.0):
        failed = {BROKEN_BY_STEP: 0, BROKEN_FAR: 0}
        slow = {BROKEN_BY_STEP: 0, BROKEN_FAR: 0}
        limit_ms = math.exp(1.645 * math.hypot(0.5, sd)) / 0.95
        for level in levels(random, seconds, rho, sd):
            n = random.poisson(rate, seconds)
            k = random.binomial(n, np.minimum(0.0095 * np.exp(level - sd**2 / 2), 1))
            latency_ms = np.exp(np.repeat(level, n) + random.normal(0, 0.5, n.sum()))
            over = random.binomial(n, 1 - ndtr((math.log(limit_ms) - level) / 0.5))
            for count, at, allowed, times in (
                (failed, k, 0.01, k.sum() / n.sum() / 0.01),
                (slow, over, 0.05, float(np.quantile(latency_ms, 0.95)) / limit_ms),
            ):
                for way, is_broken in broken(at.astype(float), n.astype(float), allowed, times).items():
                    count[way] += is_broken
        assert max(*failed.values(), *slow.values()) <= 0.02 * RUNS, (sd, failed, slow)
