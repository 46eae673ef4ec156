"""The clock of a run goes on whatever becomes of the wall clock, and notes when that is set."""

import numpy as np
import pytest

from plimsoll.recording.run_clock import ClockStep, RunClock
from tests.virtual_time import START_UNIX_S, virtual_time


@pytest.mark.parametrize("forward_s", [3600.0, -3600.0, 0.5])
def test_a_step_moves_nothing(forward_s: float) -> None:
    """An hour forward or back is noted once, at the next look; the time of the run goes on as before."""
    with virtual_time() as time:
        clock = RunClock()
        time.stand_still(10)
        clock.look()
        time.set_wall_clock(forward_s)
        time.stand_still(1)
        clock.look()
        time.stand_still(1)
        clock.look()

        assert clock.steps == [ClockStep(START_UNIX_S + 11, forward_s, 0.0)]
        assert (clock.started_unix_s, clock.elapsed_s) == (START_UNIX_S, 12)
        assert clock.now_unix_s == START_UNIX_S + 12


@pytest.mark.parametrize(("has_boottime", "suspended_s"), [(True, 30.0), (False, None)])
def test_a_suspension_is_told_from_a_step(
    monkeypatch: pytest.MonkeyPatch, has_boottime: bool, suspended_s: float | None
) -> None:
    """The time that a machine has slept is lost; where no clock tells of it, it may have been."""
    if not has_boottime:
        monkeypatch.setattr("plimsoll.recording.run_clock._BOOTTIME", None)
    with virtual_time() as time:
        clock = RunClock()
        time.stand_still(1)
        time.suspend(30)
        clock.look()
        time.stand_still(1)
        clock.look()

        assert clock.steps == [ClockStep(START_UNIX_S + 1, 30.0, suspended_s)]
        assert clock.elapsed_s == 2


def test_a_suspension_that_the_wall_clock_hides() -> None:
    """One is seen also where the wall clock is set back by as much."""
    with virtual_time() as time:
        clock = RunClock()
        time.suspend(30)
        time.set_wall_clock(-30)
        clock.look()

    assert clock.steps == [ClockStep(START_UNIX_S, 0.0, 30.0)]


def test_a_clock_that_is_kept_right_makes_no_step() -> None:
    """A drift of 0.1 s a second is none, also when it adds up."""
    with virtual_time() as time:
        clock = RunClock()
        for _ in range(20):
            time.stand_still(1)
            time.set_wall_clock(0.1)
            clock.look()

    assert clock.steps == []


def test_a_process_that_stands_still_makes_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is stopped between the readings of two clocks has not seen the wall clock set."""
    with virtual_time() as time:
        clock = RunClock()

        def read_and_stop() -> float:
            """Read the wall clock just before the process is stopped."""
            time.stand_still(3.5)
            return START_UNIX_S

        monkeypatch.setattr("plimsoll.recording.run_clock.time.time", read_and_stop)
        clock.look()
        monkeypatch.undo()
        clock.look()

    assert clock.steps == []


def test_ages_across_several_steps() -> None:
    """What was under way through two steps was so for its own time, and what began after them for its own."""
    with virtual_time() as time:
        clock = RunClock()
        for forward_s in (60.0, -3600.0):
            time.stand_still(10)
            time.set_wall_clock(forward_s)
            clock.look()
        recorded_s = np.full(4, START_UNIX_S + 22)
        age_s = np.array([20 + 60 - 3600, 5 - 3600, 1, np.nan])

        true_s = clock.true_age_s(recorded_s, age_s.astype(float), np.array([20, 5, 1, 1.0]))
    assert true_s[:3].tolist() == [20, 5, 1]
    assert np.isnan(true_s[3])
