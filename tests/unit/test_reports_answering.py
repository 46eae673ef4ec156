"""The check that a service kept answering: what hangs is seen, and a small load is no silence."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reports.load.run import HEALTH_COLUMNS, STAGE_COLUMNS, Run, Stage
from reports.steady_state import steady_state
from reports.verdict.checks import Check
from reports.verdict.checks.requests import Gap, longest_random_gap, response_gap, worst_gap
from reports.verdict.verdict import reach_verdict
from tests.judged import thresholds
from tests.make_csv import START_S
from tests.make_recorded import recorded, requests

HOLD = (Stage("hold", 0, 60, 10, 10),)


def run_of(at_s: NDArray[np.float64], latency_ms: float = 20.0, users: float = 10.0) -> Run:
    """Return a minute of a constant load whose requests started at these seconds."""
    seconds = np.arange(61, dtype=float)
    columns = {"unix_s": START_S + seconds, "elapsed_s": seconds, "stage": "", "planned_users": users}
    made = requests(START_S + at_s, np.full(len(at_s), latency_ms))
    stages = pd.DataFrame(columns | {"users": users}).reindex(columns=list(STAGE_COLUMNS))
    return replace(recorded(made, 500.0, stages=HOLD), stages=stages)


def in_flight(*seconds: range) -> pd.DataFrame:
    """Return health.csv of a process with one request in flight in these seconds, none in the others."""
    busy = np.isin(np.arange(60), np.concatenate([np.array(part) for part in seconds]))
    rows = {"unix_s": START_S + 1.0 + np.arange(60), "process": "local", "in_flight": busy.astype(float)}
    return pd.DataFrame(rows).reindex(columns=list(HEALTH_COLUMNS))


def check_of(run: Run) -> Check:
    """Return the only check made."""
    check = response_gap(run, steady_state(run))
    assert check is not None
    return check


def marked(seconds: int, busy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the seconds that hold one of these moments."""
    return np.isin(np.arange(seconds), np.floor(busy))


def test_users_who_all_hang_are_named() -> None:
    """Ten requests a second for 40 s and then none for 20 s, with the users still there, never pass."""
    run = run_of(np.arange(400) / 10)

    check = check_of(run)

    assert (check.ok, check.value, check.limit) == (False, 20, longest_random_gap(40, 60))
    assert check.reason == (
        "no request was finished for 20 s up to the end of the judged time, while users were running"
    )
    verdict = reach_verdict(run, thresholds("p95 < 500 ms", "error_rate < 5%"))
    assert verdict["verdict"] == "INCONCLUSIVE"
    assert [entry["verdict"] for entry in verdict["thresholds"]] == ["INCONCLUSIVE"] * 2


def test_failure_stands_whatever_hangs_after_it() -> None:
    """A broken limit is broken: a service that then hangs is no better for it."""
    run = run_of(np.arange(400) / 10, latency_ms=600.0)
    assert not check_of(run).ok
    assert reach_verdict(run, thresholds("p95 < 500 ms"))["verdict"] == "FAIL"


def test_idle_time_without_users_is_no_silence() -> None:
    """Once the users are gone nobody waits for an answer."""
    run = run_of(np.arange(400) / 10)
    stages = run.stages.assign(users=[10.0] * 40 + [0.0] * 21)
    assert check_of(replace(run, stages=stages)).value == 0
    assert response_gap(replace(run, stages=stages.assign(users=0.0)), steady_state(run)) is None


def test_stall_counts_from_a_twentieth_of_the_time() -> None:
    """A silence of 8 s that ended is over 5 % of a minute, and not of five."""
    busy = np.concatenate((np.arange(20.0), np.arange(28.0, 60.0)))
    everybody = np.ones(60, dtype=bool)
    assert worst_gap(marked(60, busy), everybody, everybody, 0.1) == Gap(8.0, 5.0)
    longer = np.concatenate((busy, np.arange(60.0, 300.0)))
    assert worst_gap(marked(300, longer), np.ones(300, dtype=bool), None, 0.1) == Gap(8.0, 15.0)


def test_pause_is_no_stall() -> None:
    """Nothing finished and nothing in flight is a user who thinks."""
    run = run_of(np.concatenate((np.arange(20.0), np.arange(35.0, 60.0))))
    assert not check_of(run).ok
    assert check_of(replace(run, health=in_flight(range(20), range(35, 60)))).ok


def test_one_user_who_hangs_is_seen_where_its_requests_are() -> None:
    """At a request in 4 s a silence of 16 s may be chance, but not with one in flight all the time."""
    run = run_of(np.arange(0.5, 42, 4))
    assert check_of(run).ok

    hung = check_of(replace(run, health=in_flight(range(60))))

    # From the last answer in second 40 on.
    assert (hung.ok, hung.value, hung.limit) == (False, 19, 5)
    slow = run_of(np.arange(0.5, 36, 4), latency_ms=7000.0)
    assert check_of(replace(slow, health=in_flight(range(60)))).limit == pytest.approx(21)


def test_window_without_any_answer_is_silent() -> None:
    """Where nothing was answered no silence is chance."""
    assert longest_random_gap(0, 60) == 0
    nobody = np.zeros(60, dtype=bool)
    assert worst_gap(nobody, ~nobody, None, 0.1) == Gap(60.0, 5.0, ended=False)


def test_chance_by_hand() -> None:
    """Of 10 seconds 5 are busy: 6 C(10-g, 5)/C(10, 5) is 6/252 for g = 5, the longest that there can be."""
    assert longest_random_gap(5, 10) == 5
    # 51 C(60-g, 50)/C(60, 50) is 0.0024 for g = 5 and 0.00034 for g = 6.
    assert longest_random_gap(50, 60) == 5


@pytest.mark.parametrize("seconds", [40, 600])
@pytest.mark.parametrize("rate", [0.1, 0.5, 5.0])
def test_small_loads_are_no_silence(seconds: int, rate: float) -> None:
    """Requests that come by chance are called a silence in at most 1 of 1000 runs, however few they are."""
    random, runs = np.random.default_rng(20261121), 1000
    everybody = np.ones(seconds, dtype=bool)
    counts = np.maximum(random.poisson(rate * seconds, runs), 1)
    worst = [worst_gap(marked(seconds, random.uniform(0, seconds, n)), everybody, None, 0.1) for n in counts]
    # Three of a thousand are within what chance makes of one in a thousand.
    assert sum(silence.length_s > silence.limit_s for silence in worst) <= 3


@given(think_s=st.floats(0.1, 30), users=st.integers(1, 20), seed=st.integers(0, 1000))
def test_thinking_users_are_no_silence(think_s: float, users: int, seed: int) -> None:
    """Users who think evenly up to half a minute between requests never make a silence."""
    random = np.random.default_rng(seed)
    starts = [random.uniform(0, think_s) + np.arange(0, 120, think_s) for _ in range(users)]
    found = worst_gap(marked(120, np.concatenate(starts)), np.ones(120, dtype=bool), None, 0.1)
    assert found.length_s <= found.limit_s
