"""A master notices lost workers, and knows their clocks from the reports that they send."""

from locust.runners import STATE_MISSING, STATE_RUNNING, MasterRunner

from types import SimpleNamespace
from typing import Any

import pytest

from plimsoll.recording.run_clock import ClockStep, RunClock
from plimsoll.recording.workers import WorkerClocks, WorkerWatch
from tests.virtual_time import START_UNIX_S, virtual_time


@pytest.mark.parametrize(("behind_s", "shift_s"), [(0.4, 0), (-0.4, 0), (2.2, 2), (-7.6, -8)])
def test_shift(behind_s: float, shift_s: int) -> None:
    """A clock that is off by more than half a second is put right by whole seconds."""
    with virtual_time():
        clocks = WorkerClocks(RunClock(), "master")
        clocks.note("w1", START_UNIX_S - behind_s, [])

    assert clocks.shift_s("w1") == shift_s
    assert clocks.facts()["w1"] == behind_s


def test_the_quickest_report_counts() -> None:
    """A report that was long on its way says nothing of the clock."""
    with virtual_time():
        clocks = WorkerClocks(RunClock(), "master")
        for delay_s in (3.0, 0.1, 2.0):
            clocks.note("w1", START_UNIX_S - delay_s, [])

    assert clocks.shift_s("w1") == 0


def test_unknown_worker() -> None:
    """Of a worker that never reported no offset is claimed."""
    clocks = WorkerClocks(RunClock(), "master")

    assert clocks.shift_s("w1") == 0
    assert clocks.facts() == {}


def test_steps_are_told_in_the_time_of_the_run() -> None:
    """A worker whose clock is 60 s behind tells of its steps in its own time, of all in each report."""
    with virtual_time() as clock:
        clocks = WorkerClocks(RunClock(), "master")
        clock.stand_still(20)
        clock.set_wall_clock(-3600)
        clocks.clock.look()
        clocks.note("w1", START_UNIX_S + 20 - 60, [[START_UNIX_S + 10 - 60, 2.0, 2.0]])
        clocks.note("w1", START_UNIX_S + 20 - 60, [ClockStep(START_UNIX_S + 10 - 60, 2.0, 2.0)])

    assert clocks.step_facts() == [
        {"process": "master", "at_s": 20.0, "forward_s": -3600.0, "suspended_s": 0.0},
        {"process": "w1", "at_s": 10.0, "forward_s": 2.0, "suspended_s": 2.0},
    ]


class Master(MasterRunner):
    """A master with workers that the test sets, without a network."""

    def __init__(self, **states: str) -> None:
        self.clients: Any = SimpleNamespace()
        self.now(**states)

    def now(self, **states: str) -> None:
        """Set which workers are there and in which state."""
        self.clients.all = [SimpleNamespace(id=name, state=state) for name, state in states.items()]

    def __del__(self) -> None:
        """There is nothing to clean up."""


def test_missing_and_departed_workers_are_lost() -> None:
    """A worker that stops answering is lost, and so is one that leaves; one that stays is not."""
    master = Master(a=STATE_RUNNING, b=STATE_RUNNING, c=STATE_RUNNING)
    watch = WorkerWatch(master)
    master.now(a=STATE_MISSING, c=STATE_RUNNING)

    assert watch.look(12.34)
    assert [worker._asdict() for worker in watch.lost] == [
        {"id": "a", "at_s": 12.3},
        {"id": "b", "at_s": 12.3},
    ]
    assert not watch.look(13.3)
    assert watch.took_part == {"c"}


def test_a_new_worker_is_no_loss() -> None:
    """Workers may join while a run lasts, and are watched from then on."""
    master = Master(a=STATE_RUNNING)
    watch = WorkerWatch(master)
    master.now(a=STATE_RUNNING, b=STATE_RUNNING)

    assert not watch.look(1)
    master.now(a=STATE_RUNNING)
    assert watch.look(2)


def test_a_single_process_has_no_workers() -> None:
    """There is nobody to lose."""
    assert not WorkerWatch(None).look(1)
