"""A worker's clock is known from the reports that it sends."""

import time

import pytest

from telemetry.worker_clocks import WorkerClocks


@pytest.mark.parametrize(("behind_s", "shift_s"), [(0.4, 0), (-0.4, 0), (2.2, 2), (-7.6, -8)])
def test_shift(behind_s: float, shift_s: int) -> None:
    """A clock that is off by more than half a second is put right by whole seconds."""
    clocks = WorkerClocks()
    clocks.note("w1", time.time() - behind_s)

    assert clocks.shift_s("w1") == shift_s
    assert clocks.facts()["w1"] == pytest.approx(behind_s, abs=0.05)


def test_the_quickest_report_counts() -> None:
    """A report that was long on its way says nothing of the clock."""
    clocks = WorkerClocks()
    for delay_s in (3.0, 0.1, 2.0):
        clocks.note("w1", time.time() - delay_s)

    assert clocks.shift_s("w1") == 0


def test_unknown_worker() -> None:
    """Of a worker that never reported no offset is claimed."""
    clocks = WorkerClocks()

    assert clocks.shift_s("w1") == 0
    assert clocks.facts() == {}
