"""A fault of the recording is counted, told once with its file, and ends nothing."""

import logging

import pytest

from plimsoll.recording.faults import Faults


def fail_with(error: Exception) -> None:
    """Fail."""
    raise error


def test_faults(caplog: pytest.LogCaptureFixture) -> None:
    """Each is counted and the first is told; a full disk without a traceback."""
    faults = Faults()
    with caplog.at_level(logging.WARNING, "plimsoll"):
        faults.tolerate("health.csv", lambda: fail_with(OSError(28, "No space left on device")))
        faults.tolerate("schedule.csv", lambda: fail_with(KeyError("n")))
        faults.tolerate("schedule.csv", lambda: None)

    assert faults.count == 2
    assert faults.first == "health.csv: No space left on device"
    (told,) = caplog.records
    assert "health.csv: No space left on device" in told.message
    assert not told.exc_info


def test_what_is_no_disk_has_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of our own can be found from what is logged."""
    faults = Faults()
    with caplog.at_level(logging.WARNING, "plimsoll"):
        faults.tolerate("health.csv", lambda: fail_with(KeyError("n")))

    assert faults.first == "health.csv: KeyError('n')"
    assert caplog.records[0].exc_info
