"""The shape of a search plays one step after the other, each when the one before has its verdict."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from plimsoll.loads import arrival_shape
from plimsoll.loads.arrival_shape import NO_JUDGE, SearchShape
from plimsoll.run_files.exit_status import Outcome


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
