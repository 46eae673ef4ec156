"""The search for the breakpoint: its next step by the verdicts so far, and the shape that plays it."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.loads import arrival_shape
from plimsoll.loads.arrival_shape import NO_JUDGE, SearchShape
from plimsoll.loads.schedule import ScheduleError
from plimsoll.loads.search import LONGEST_REST_S, StepCourse, StepSearch, Tried
from plimsoll.recording import judging
from plimsoll.recording.judging import StepJudge
from plimsoll.run_files.exit_status import Outcome
from shapes.breakpoint import BreakpointShape
from tests.virtual_time import virtual_time

BREAKPOINT = BreakpointShape().search

SEARCH = StepSearch(
    first_rate=10, factor=2, max_rate=320, resolution=0.1, step_s=60, rest_s=30, max_steps=12, max_users=500
)


def tried(**outcomes: str) -> list[Tried]:
    """Return steps from keywords such as r10="PASS"."""
    return [Tried(float(rate[1:]), Outcome(outcome)) for rate, outcome in outcomes.items()]


def search_for(capacity: float, search: StepSearch = SEARCH) -> list[Tried]:
    """Return all steps of a search against a service that is good for exactly this rate."""
    steps: list[Tried] = []
    while (rate := search.next_rate(steps)) is not None:
        steps.append(Tried(rate, Outcome.PASS if rate <= capacity else Outcome.FAIL))
    return steps


@pytest.mark.parametrize(
    ("steps", "rate"),
    [
        pytest.param([], 10, id="it begins with the first rate"),
        pytest.param(tried(r10="PASS"), 20, id="a step that passed is followed by one twice as high"),
        pytest.param(tried(r10="INCONCLUSIVE"), 20, id="and one that stayed open too"),
        pytest.param(tried(r300="PASS"), 320, id="the climb ends at the highest rate"),
        pytest.param(tried(r320="PASS"), None, id="after which there is nothing left to try"),
        pytest.param(tried(r40="PASS", r80="FAIL"), 60, id="the gap is halved"),
        pytest.param(tried(r40="PASS", r80="FAIL", r60="PASS"), 70, id="from below"),
        pytest.param(tried(r40="PASS", r80="FAIL", r60="FAIL"), 50, id="and from above"),
        pytest.param(tried(r72="PASS", r80="FAIL"), None, id="until it is a tenth"),
        pytest.param(tried(r10="FAIL"), 5, id="where the first fails it goes down"),
        pytest.param(tried(r40="PASS", r80="FAIL", r60="INCONCLUSIVE"), 50, id="an open step parts the gap"),
        pytest.param(
            tried(r40="FAIL", r80="PASS"), 20, id="what passed above a failed one counts for nothing"
        ),
    ],
)
def test_next_rate(steps: list[Tried], rate: float | None) -> None:
    """Each step follows from the verdicts on those before it."""
    assert SEARCH.next_rate(steps) == rate


@given(st.floats(11, 319))
def test_the_capacity_is_found(capacity: float) -> None:
    """The highest rate that passed and the lowest that failed hold the capacity between them, closely."""
    steps = search_for(capacity)
    passed = max(rate for rate, outcome in steps if outcome == "PASS")
    failed = min(rate for rate, outcome in steps if outcome == "FAIL")

    assert passed <= capacity < failed
    assert failed - passed <= 0.1 * failed
    assert len(steps) <= SEARCH.max_steps


@given(st.data())
def test_every_search_ends(data: st.DataObject) -> None:
    """Whatever the verdicts are, the rates stay within their bounds and the steps within their number."""
    steps: list[Tried] = []
    while (rate := SEARCH.next_rate(steps)) is not None:
        assert 0 < rate <= SEARCH.max_rate
        steps.append(Tried(rate, data.draw(st.sampled_from(Outcome))))

    assert len(steps) <= SEARCH.max_steps


def test_the_course() -> None:
    """A step is followed by a rest that ends when the verdict has come; then comes the next step."""
    course = StepCourse(SEARCH)
    assert course.schedule.duration_s == 60 + LONGEST_REST_S
    assert (course.step, course.rested_s(59), course.rested_s(95)) == ("step_1", -1, 35)

    course.go_on(Outcome.FAIL, 96)

    assert [tuple(stage) for stage in course.schedule.stages] == [
        ("step_1", 60, 10, 10), ("rest_1", 36, 0, 0), ("step_2", 60, 5, 5), ("rest_2", LONGEST_REST_S, 0, 0),
    ]  # fmt: skip
    assert (course.step, course.schedule.steps) == ("step_2", ("step_1", "step_2"))


def test_the_end_of_the_course() -> None:
    """When the search is over its last rest ends where it is."""
    course = StepCourse(replace(SEARCH, first_rate=320))

    course.go_on(Outcome.PASS, 100)

    assert course.is_over
    assert course.schedule.duration_s == 100


def test_the_climb() -> None:
    """The drawing shows the load of a service that never breaks."""
    climb = SEARCH.climb()

    assert [stage.from_rate for stage in climb.stages[::2]] == [10, 20, 40, 80, 160, 320]
    assert climb.duration_s == 6 * (60 + 30)


def test_scales() -> None:
    """Rates and users follow one scale, durations the other; which rates are tried in what order does not."""
    small = BREAKPOINT.scaled(0.1, 0.5)

    assert (small.first_rate, small.max_rate, small.max_users) == (1, 1024, 2000)
    assert (small.step_s, small.rest_s) == (30, 15)
    assert [step.rate * 10 for step in search_for(5.5, small)] == [
        step.rate for step in search_for(55, BREAKPOINT)
    ]


def test_all_faults_at_once() -> None:
    """Every fault is named, with what was received."""
    with pytest.raises(ScheduleError) as caught:
        StepSearch(0, 1, float("inf"), -1, float("nan"), 0, 0, 5)

    assert str(caught.value).splitlines() == [
        "first_rate must be a number above 0, got 0",
        "factor must be a number above 1, got 1",
        "resolution must be a number above 0, got -1",
        "step_s must be a number above 0, got nan",
        "rest_s must be a number above 0, got 0",
        "max_steps must be a number above 0, got 0",
        "max_rate must be a number of at least first_rate, 0, got inf",
    ]


class SmallSearch(SearchShape):
    """10/s for 20 s, then 20/s, at a tenth of both."""

    first_rate = 10
    factor = 2
    max_rate = 20
    resolution = 0.1
    step_s = 20
    rest_s = 5
    max_steps = 3
    max_users = 100


@pytest.fixture
def shape(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a shape at a time that the test sets, whose load is left to ArrivalShape's own tests."""
    monkeypatch.setattr(arrival_shape.ArrivalShape, "next_tick", lambda _: (1, 1.0))
    monkeypatch.setattr(SmallSearch, "is_busy", False)
    made: Any = SmallSearch()
    options = SimpleNamespace(user_scale=0.1, time_scale=0.1)
    made.runner = SimpleNamespace(environment=SimpleNamespace(parsed_options=options))
    made.elapsed_s = 0.0
    made.get_run_time = lambda: made.elapsed_s
    return made


def stages(shape: SearchShape) -> list[tuple[str, float, float]]:
    """Return name, duration and rate of what is planned so far."""
    return [(stage.name, round(stage.duration_s, 3), stage.from_rate) for stage in shape.planned().stages]


def tick_at(shape: Any, elapsed_s: float) -> Any:
    """Ask the shape so many seconds after the beginning of its schedule."""
    shape.elapsed_s = elapsed_s
    return shape.tick()


def test_the_search_goes_on_with_the_verdict(shape: Any) -> None:
    """While there is no verdict the rest goes on; it ends, with the next step, a second after it has come."""
    asked: list[str] = []
    verdicts: list[Outcome | None] = [None, Outcome.PASS]

    def judge(step: str) -> Outcome | None:
        asked.append(step)
        return verdicts.pop(0)

    shape.judge_steps_by(judge)

    for elapsed_s in (0, 1, 2.4):
        tick_at(shape, elapsed_s)
    assert (asked, stages(shape)) == ([], [("step_1", 2, 1), ("rest_1", 300, 0)])

    tick_at(shape, 2.6)
    tick_at(shape, 3.6)
    assert asked == ["step_1", "step_1"]
    assert stages(shape) == [("step_1", 2, 1), ("rest_1", 2.6, 0), ("step_2", 2, 2), ("rest_2", 300, 0)]


def test_what_is_under_way_is_waited_for(shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is not judged while its iterations go on, but for half a minute at most."""
    monkeypatch.setattr(SmallSearch, "is_busy", True)
    shape.judge_steps_by(lambda _: Outcome.PASS)

    tick_at(shape, 31)
    assert len(stages(shape)) == 2
    tick_at(shape, 32)
    assert len(stages(shape)) == 4


def test_the_search_ends(shape: Any) -> None:
    """When the highest step has passed, the schedule ends, and nobody is asked any more."""
    shape.judge_steps_by(lambda _: Outcome.PASS)
    tick_at(shape, 3)
    tick_at(shape, 7)
    shape.judge_steps_by(None)

    assert tick_at(shape, 8) == (1, 1.0)
    assert shape.planned().duration_s == 8


def test_without_a_judge_it_ends(shape: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody who could tell a verdict: the search says so and stops the load."""
    assert tick_at(shape, 0) is not None
    assert tick_at(shape, 3) is None
    assert NO_JUDGE in caplog.text


def test_a_second_run_searches_anew(shape: Any) -> None:
    """The web UI uses the same shape object for every run; a master resets it when it has a judge."""
    shape.judge_steps_by(lambda _: Outcome.PASS)
    tick_at(shape, 3)
    assert len(stages(shape)) == 4

    shape.reset_time()
    assert len(stages(shape)) == 2
    tick_at(shape, 3)
    assert len(stages(shape)) == 4


@pytest.mark.parametrize(
    ("status", "output", "verdict"),
    [(0, '{"step_1": "FAIL"}', "FAIL"), (0, "{}", "INCONCLUSIVE"), (1, "", "INCONCLUSIVE")],
)
def test_verdicts(
    status: int, output: str, verdict: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is none at first, and then what the judge says; one that cannot be reached is open."""
    asked: list[list[str]] = []

    def answer(arguments: list[str]) -> subprocess.CompletedProcess[str]:
        asked.append(arguments)
        return subprocess.CompletedProcess(arguments, status, output, "")

    monkeypatch.setattr(judging, "run_reports", answer)
    with virtual_time():
        judge = StepJudge(tmp_path, recorded_after_s=4.0)
        assert judge("step_1") is None
        gevent.sleep(3.9)
        assert judge("step_1") is None
        gevent.sleep(0.2)
        assert judge("step_1") == judge("step_1") == verdict
    assert asked == [["steps", str(tmp_path)]]
