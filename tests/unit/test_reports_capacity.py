"""The capacity lies between the highest step that passed and the lowest that failed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plimsoll.run_files.exit_status import Outcome
from reports.load.description import read_description
from reports.load.run import HEALTH_COLUMNS, STAGE_COLUMNS, Run, Stage
from reports.render.html import report_html
from reports.render.terminal import terminal_text
from reports.thresholds.reading import parse_thresholds
from reports.verdict.capacity import Capacity, find_capacity
from reports.verdict.verdict import reach_verdict
from tests.judged import reasons_of, thresholds
from tests.make_csv import START_S
from tests.make_recorded import even, recorded
from tests.make_verdicts import make_verdict

STEP_S, REST_S = 20, 10
THRESHOLDS = parse_thresholds(
    'thresholds: ["p95 < 200 ms", "dropped_iterations < 5%", {expr: "p50 < 1 ms", level: warn}]'
)


def searched(*steps: tuple[float, float], dropped: float = 0.0, failing: int = 0, **meta: Any) -> Run:
    """Return a run of steps, each of so many arrivals a second that took so many ms, with rests between.

    In the step number *failing* every second request failed.
    """
    made, stages, health, journal = [], [], [], []
    for number, (rate, latency_ms) in enumerate(steps):
        from_s = number * (STEP_S + REST_S)
        requests = even(int(rate * STEP_S), latency_ms, STEP_S)
        has_failed = (np.arange(len(requests)) % 2 == 0) & (number + 1 == failing)
        made.append(requests.assign(at_s=requests["at_s"] + from_s, failed=has_failed))
        stages += [Stage(f"step_{number + 1}", from_s, from_s + STEP_S, rate, rate)]
        stages += [Stage(f"rest_{number + 1}", from_s + STEP_S, from_s + STEP_S + REST_S, 0, 0)]
        seconds = from_s + np.arange(STEP_S + REST_S)
        planned = np.where(np.arange(STEP_S + REST_S) < STEP_S, rate, 0.0)
        health.append(
            {
                "unix_s": START_S + seconds + 1.0,
                "in_flight": planned * latency_ms / 1000,
                "started": planned * (1 - dropped),
                "dropped": planned * dropped,
            }
        )
        journal.append(
            {"unix_s": START_S + seconds, "elapsed_s": seconds, "planned_rate": planned, "users": 50.0}
        )
    known = {"load_model": "open", "stages": stages, "is_search": True}
    run = recorded(pd.concat(made), 200.0, **(known | {"steps": [s.name for s in stages[::2]]} | meta))
    rows = pd.concat([pd.DataFrame(part | {"process": "local", "lag_max_ms": 1.0}) for part in health])
    return replace(
        run,
        health=rows.reindex(columns=list(HEALTH_COLUMNS)),
        stages=pd.concat(map(pd.DataFrame, journal)).reindex(columns=list(STAGE_COLUMNS)),
    )


def capacity_of(run: Run, *limits: str) -> Capacity:
    """Return the capacity of a run that has one, by these limits or by THRESHOLDS."""
    found = find_capacity(run, thresholds(*limits) if limits else THRESHOLDS)
    assert found is not None
    return found


def ends(capacity: Capacity) -> tuple[float | None, float | None]:
    """Return the loads between which the capacity lies."""
    passed, failed = capacity.facts["passed"], capacity.facts["failed"]
    return passed, failed


@pytest.mark.parametrize(
    ("steps", "interval"),
    [
        pytest.param([(10, 50), (20, 50), (40, 900), (30, 900)], (20, 30), id="between a pass and a failure"),
        pytest.param([(10, 50), (20, 50)], (20, None), id="nothing failed"),
        pytest.param([(10, 900), (5, 900)], (None, 5), id="nothing passed"),
        pytest.param([(20, 900), (40, 50)], (None, 20), id="a pass above a failure is chance"),
        pytest.param([(10, 50), (2, 50)], (10, None), id="too few samples decide nothing"),
    ],
)
def test_the_interval(steps: list[tuple[float, float]], interval: tuple[float | None, float | None]) -> None:
    """The ends are the highest step that passed and the lowest that failed, whatever came first."""
    assert ends(capacity_of(searched(*steps))) == interval


def test_each_step_is_judged_by_itself() -> None:
    """The window of a step is its own time without the first fifth, in which it may still be slow."""
    run = searched((10, 50), (20, 900))
    first, second = capacity_of(run).steps

    assert (first.window.from_s, first.window.to_s) == (4, 20)
    assert (second.window.from_s, second.window.to_s) == (34, 50)
    assert (first.outcome, first.reason) == (Outcome.PASS, "")
    assert second.outcome is Outcome.FAIL
    assert second.reason.startswith("p95 < 200 ms: measured 899.1 ms")


def test_a_step_that_few_could_arrive_in_fails() -> None:
    """A tenth of the arrivals dropped is over the limit, and under the rate that the step stands for."""
    (step,) = capacity_of(searched((20, 50), dropped=0.1)).steps

    assert step.outcome is Outcome.FAIL
    assert step.reason == "dropped_iterations < 5%: measured 10%"


@pytest.mark.parametrize("failing", [0, 1])
def test_a_rate_that_was_not_kept_fails_without_a_limit_for_it(failing: int) -> None:
    """What cannot be started at a rate is no capacity of it, also where failures have no limit either."""
    (step,) = capacity_of(searched((20, 50), dropped=0.1, failing=failing), "p95 < 200 ms").steps

    assert "arrivals were started" in step.reason
    assert step.outcome is Outcome.FAIL


def test_a_generator_out_of_breath_decides_nothing() -> None:
    """A step in which the generator measured itself neither passes nor fails."""
    run = searched((20, 900))
    (step,) = capacity_of(replace(run, health=run.health.assign(cpu_ratio=0.99))).steps

    assert step.outcome is Outcome.INCONCLUSIVE
    assert "used 99% of its CPU" in step.reason


@pytest.mark.parametrize(
    ("from_s", "to_s", "outcome"),
    [(0, 21, Outcome.INCONCLUSIVE), (0, 18, Outcome.FAIL), (6, 21, Outcome.FAIL)],
)
def test_the_lag_of_a_step(from_s: int, to_s: int, outcome: Outcome) -> None:
    """100 ms of lag leave 240 ms open where all seconds had it, up to the last answers."""
    run = searched((20, 240))
    lag_ms = np.where((run.health["unix_s"] - START_S).between(from_s, to_s), 100.0, 1.0)
    (step,) = capacity_of(replace(run, health=run.health.assign(lag_max_ms=lag_ms)), "max < 200 ms").steps

    assert step.outcome is outcome, step.reason


def test_a_step_that_goes_on_is_not_judged() -> None:
    """While a run goes on only steps that are over have a verdict."""
    run = searched((10, 50), (20, 50))
    early = replace(run, stages=run.stages[run.stages["elapsed_s"] < 45])

    assert [step.stage for step in capacity_of(early).steps] == ["step_1"]


def test_without_steps_there_is_no_capacity() -> None:
    """A load that goes up and down by a plan has none to be told."""
    assert find_capacity(searched((10, 50), steps=[]), THRESHOLDS) is None


def test_without_thresholds_nothing_passes() -> None:
    """A step needs a limit to hold."""
    capacity = find_capacity(searched((10, 50)), [])

    assert capacity is not None
    assert (capacity.steps[0].outcome, capacity.steps[0].reason) == (
        Outcome.INCONCLUSIVE,
        "no thresholds: nothing was judged",
    )


def test_a_search_is_judged_at_its_highest_pass() -> None:
    """That limits break above is what was looked for; the verdict tells how it is below."""
    verdict = reach_verdict(searched((20, 50), (40, 900)), THRESHOLDS)

    assert [entry["verdict"] for entry in verdict["thresholds"]][:2] == ["PASS", "PASS"]
    assert verdict["steady_state"]["method"] == "step_1 without its first 20%"
    assert (verdict["capacity"]["passed"], verdict["capacity"]["failed"]) == (20, 40)
    assert json.loads(json.dumps(verdict["capacity"], allow_nan=False)) == verdict["capacity"]


def test_what_was_dropped_above_is_no_fault_below() -> None:
    """What could not arrive or was too much in a step that failed breaks no limit at the step that passed."""
    run = searched((20, 50), (40, 900))
    is_second = run.health["unix_s"] > START_S + STEP_S + REST_S
    run = replace(run, health=run.health.assign(dropped=np.where(is_second, 10.0, 0.0)))
    verdict = reach_verdict(run, thresholds("p95 < 200 ms", "dropped_iterations < 5%", "count < 350"))

    assert verdict["verdict"] == "PASS", verdict["reasons"]
    assert [(entry["value"], entry["scope"]) for entry in verdict["thresholds"][1:]] == [
        (0, "steady"),
        (321, "steady"),  # 16 s of 20 a second, and the one under way before
    ]


def test_failures_above_need_no_limit_below() -> None:
    """Where all that failed did so above the step that passed, nothing there was left without a limit."""
    limits = thresholds("p95 < 200 ms")
    above = reach_verdict(searched((20, 50), (40, 900), failing=2), limits)
    below = reach_verdict(searched((20, 50), (40, 900), failing=1), limits)

    assert (above["run"]["failures"], above["verdict"]) == (400, "PASS"), above["reasons"]
    assert (below["run"]["failures"], below["verdict"]) == (200, "INCONCLUSIVE")
    assert (below["capacity"]["passed"], below["capacity"]["failed"]) == (None, 40)
    assert reasons_of(below)[0].startswith("error_rate_unchecked: 49.8%"), below["reasons"]


def test_a_search_in_which_nothing_passed_fails() -> None:
    """Then the lowest step is what there is to say."""
    verdict = reach_verdict(searched((20, 900), (10, 900)), THRESHOLDS)

    assert verdict["verdict"] == "FAIL"
    assert verdict["steady_state"]["method"] == "step_2 without its first 20%"


def test_a_staircase_is_judged_as_a_whole() -> None:
    """Where the steps were planned, the limits are those of the whole run, and the steps tell where."""
    verdict = reach_verdict(searched((20, 50), (40, 900), is_search=False), THRESHOLDS)

    assert verdict["steady_state"]["from_s"] == 0
    assert verdict["steady_state"]["to_s"] >= 50
    assert verdict["verdict"] != "PASS"
    assert (verdict["capacity"]["passed"], verdict["capacity"]["failed"]) == (20, 40)


@pytest.mark.parametrize(
    ("passed", "failed", "words"),
    [
        (80.0, 100.0, "at least 80/s, where all limits hold, and below 100/s, where one does not"),
        (80.0, None, "at least 80/s: no step failed"),
        (None, 100.0, "below 100/s, and no lower step passed"),
        (None, None, "not known: no step passed"),
    ],
)
def test_the_words(passed: float | None, failed: float | None, words: str) -> None:
    """Terminal and report say the interval, and every step with its reason."""
    step = {
        "stage": "step_<1>",
        "load": 80.0,
        "from_s": 4,
        "to_s": 20,
        "verdict": "FAIL",
        "reason": "<b>slow</b>",
    }
    capacity = {"unit": "/s", "passed": passed, "failed": failed, "steps": [step]}
    verdict = make_verdict(capacity=capacity)
    html = report_html(searched((10, 50)), verdict)

    assert f"  capacity: {words}\n" in terminal_text(verdict)
    assert "80/s  FAIL          <b>slow</b>" in terminal_text(verdict)
    assert f"<strong>{words}.</strong>" in html
    assert "&lt;b&gt;slow" in html
    assert "<b>slow" not in html


def test_steps_are_read_from_the_description(tmp_path: Any) -> None:
    """What run.json says of steps is known afterwards, and odd types are not believed."""
    path = tmp_path / "run.json"
    path.write_text('{"steps": ["step_1"], "is_search": true}')
    meta = read_description(path, "x")[0]
    path.write_text('{"steps": 5, "is_search": "yes"}')
    odd = read_description(path, "x")[0]

    assert (meta.steps, meta.is_search) == (("step_1",), True)
    assert (odd.steps, odd.is_search) == ((), False)
