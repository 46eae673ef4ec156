"""Figures of other kinds: spread and apdex, slope and degradation, and how long a recovery takes."""

import math
from dataclasses import replace

import numpy as np
import pytest

from plimsoll.run_files.exit_status import Outcome
from reports.estimates import recovery, spread, trend
from reports.estimates.selection import Selection
from reports.load.run import Run, Stage
from reports.steady_state import SteadyState
from reports.thresholds.grammar import parse
from reports.verdict.measured import select
from reports.verdict.verdict import reach_verdict
from tests.judged import judged, thresholds
from tests.make_csv import START_S
from tests.make_recorded import even, open_health, recorded, requests


def chosen_of(run: Run, from_s: int = 0, to_s: int = 60, cut: int | None = None) -> Selection:
    """Return all requests of some seconds."""
    window = SteadyState(START_S, START_S + from_s, START_S + to_s, "by hand")
    chosen, why_not = select(parse("p95 < 1 s"), run, window)
    assert chosen is not None, why_not
    return chosen if cut is None else replace(chosen, cut=cut)


def test_standard_deviation_of_known_latencies() -> None:
    """6,000 latencies of 100 ms ± 10 have a standard deviation of 10 ms, 10 % of the mean."""
    latencies_ms = np.random.default_rng(1).normal(100, 10, 6000)
    run = recorded(requests(START_S + np.arange(6000) / 100, latencies_ms))

    found, relative = (spread.stdev(chosen_of(run), as_variation=each) for each in (False, True))

    assert found is not None
    assert relative is not None
    assert found.value == pytest.approx(10, rel=0.03)
    assert found.low is not None
    assert found.high is not None
    # The standard error of a normal's is sigma / sqrt(2 n).
    assert found.low < 10 < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * 10 / math.sqrt(12_000), rel=0.2)
    assert relative.value == pytest.approx(10, rel=0.03)
    alike = spread.stdev(chosen_of(recorded(even(600))), as_variation=False)
    assert alike is not None
    assert alike.value == 0


def test_apdex_by_hand() -> None:
    """Of ten requests five are satisfied, three tolerated, one is slow and one failed: 5 + 3/2 of 10."""
    latencies_ms = np.tile([100.0, 100, 100, 100, 100, 300, 300, 300, 900, 50], 100)
    failed = np.tile([False] * 9 + [True], 100)
    run = recorded(requests(START_S + np.linspace(0.0, 59.9, 1000), latencies_ms, failed=failed))

    found = spread.apdex(chosen_of(run), 200.0)

    assert found is not None
    assert found.value == pytest.approx(0.65)
    assert found.low is not None
    assert found.high is not None
    assert 0.6 < found.low < 0.65 < found.high < 0.7


def test_slope_and_degradation_by_hand() -> None:
    """Twelve parts of an hour from 100 to 111: 12 an hour, from 99.5 on."""
    values = np.arange(100.0, 112.0)

    slope, rise = trend.slope_per_hour(values, 3600.0, 600), trend.degradation(values, 3600.0, 600)

    assert slope is not None
    assert rise is not None
    assert (slope.value, slope.low, slope.high) == pytest.approx((12, 12, 12))
    assert rise.value == pytest.approx(100 * 12 / 99.5)


def test_trend_of_noise_is_open() -> None:
    """Of 100 runs without a trend at most ten show one; five parts are too few for any."""
    random = np.random.default_rng(2)
    misses = 0
    for _ in range(100):
        found = trend.slope_per_hour(random.normal(100, 3, 12), 3600.0, 600)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        misses += not found.low <= 0 <= found.high
    assert misses <= 10
    assert trend.slope_per_hour(np.arange(5.0), 60.0, 600) is None
    assert trend.degradation(np.full(12, math.nan), 60.0, 600) is None


@pytest.mark.parametrize("takes_s", [0, 7, 20])
def test_recovery_takes_as_long_as_the_service_is_slow(takes_s: int) -> None:
    """After a stage from 60 to 80 s latencies are three times as long for so many seconds yet."""
    random = np.random.default_rng(3)
    at_s = np.sort(random.uniform(0, 160, 8000))
    latencies_ms = (
        100 * np.exp(random.normal(0, 0.2, 8000)) * np.where((at_s >= 60) & (at_s < 80 + takes_s), 3, 1)
    )
    run = recorded(requests(START_S + at_s, latencies_ms))

    found, why_not = recovery.recovery_s(chosen_of(run, 0, 60, cut=60), chosen_of(run, 80, 160, cut=80))

    assert found is not None, why_not
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= takes_s <= found.high + 1
    assert found.value == pytest.approx(takes_s, abs=1)
    assert found.high - found.low <= 4


def test_recovery_that_never_comes_is_at_least_the_run() -> None:
    """A service that stays slow is known not to be back for as long as the run goes on."""
    at_s = np.arange(8000) / 50
    run = recorded(requests(START_S + at_s, np.where(at_s < 60, 100.0, 300.0)))

    found, _ = recovery.recovery_s(chosen_of(run, 0, 60, cut=60), chosen_of(run, 80, 160, cut=80))
    nothing, why_not = recovery.recovery_s(chosen_of(run, 0, 1, cut=1), chosen_of(run, 80, 160, cut=80))

    assert found is not None
    assert (found.value, found.low, found.high) == (None, 76, None)
    assert nothing is None
    assert why_not == "only 50 successes before the stage tell what was usual, 59 are needed"


def test_a_spike_that_takes_long_to_recover_from_fails() -> None:
    """A service that is slow for 20 s after the spike breaks a limit of 10 s, and keeps one of 30 s."""
    random = np.random.default_rng(6)
    at_s = np.sort(random.uniform(0, 200, 10_000))
    slow = np.where((at_s >= 60) & (at_s < 120), 4.0, 1.0)
    made = requests(START_S + at_s, 100 * np.exp(random.normal(0, 0.2, 10_000)) * slow)
    stages = (Stage("before", 0, 60, 5, 5), Stage("spike", 60, 100, 50, 50), Stage("after", 100, 200, 5, 5))
    run = recorded(made, 200.0)
    run = replace(run, meta=replace(run.meta, stages=stages))

    broken, kept = (judged(run, f"recovery after spike < {limit} s") for limit in (10, 30))

    assert (broken.outcome, kept.outcome) == (Outcome.FAIL, Outcome.PASS)
    assert broken.estimate is not None
    assert broken.estimate.value == pytest.approx(20, abs=1)
    assert "measured 20 s" in broken.measured or "measured 19 s" in broken.measured
    nothing = judged(run, "recovery after spik < 10 s")
    assert (nothing.outcome, "no stage 'spik'" in nothing.reason) == (Outcome.INCONCLUSIVE, True)


SOAK = (
    "degradation of p95 < 20%",
    "slope of generator.memory < 50 MB/h",
    "p95 < 2 s",
    "slope of p95 < 10 ms/h",
)


@pytest.mark.parametrize("seed", range(10))
def test_a_soak_shows_a_slowdown_and_a_leak(seed: int) -> None:
    """A planted slowdown of 25 % and a leak of 100 MB/h are found, and neither is in a clean soak."""
    random = np.random.default_rng(seed)
    at_s, hour_s = np.arange(36_000) / 10, 3600
    noise = 100 * np.exp(random.normal(0, 0.2, len(at_s)))
    health = open_health().iloc[[0] * hour_s].reset_index(drop=True)
    health["unix_s"] = START_S + 1.0 + np.arange(hour_s)
    memory = 5e8 + random.normal(0, 2e6, hour_s)
    outcomes = []
    for slowdown, leak in ((0.0, 0.0), (0.25, 1e8)):
        run = recorded(requests(START_S + at_s, noise * (1 + slowdown * at_s / hour_s)), 200.0, 2000.0)
        run = replace(run, health=health.assign(rss_bytes=memory + leak * np.arange(hour_s) / hour_s))
        verdict = reach_verdict(run, thresholds(*SOAK))
        outcomes.append([entry["verdict"] for entry in verdict["thresholds"]])
        reason = verdict["thresholds"][3]["reason"]

    assert outcomes == [["PASS", "PASS", "PASS", "PASS"], ["FAIL", "FAIL", "PASS", "FAIL"]]
    assert "at this slope 'p95 < 2 s' is broken in about " in reason
