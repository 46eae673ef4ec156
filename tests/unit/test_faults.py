"""A fault of the recording is counted, told once, and ends nothing."""

import logging

import pytest

from telemetry.faults import Faults


def fail_with(error: Exception) -> None:
    """Fail."""
    raise error


def test_faults(caplog: pytest.LogCaptureFixture) -> None:
    """Each is counted and the first is told; a full disk without a traceback."""
    faults = Faults()
    with caplog.at_level(logging.WARNING, "plimsoll"):
        faults.tolerate(lambda: fail_with(OSError("no space left")))
        faults.tolerate(lambda: fail_with(KeyError("n")))
        faults.tolerate(lambda: None)

    assert faults.count == 2
    (told,) = caplog.records
    assert "no space left" in told.message
    assert not told.exc_info


def test_what_is_no_disk_has_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of our own can be found from what is logged."""
    with caplog.at_level(logging.WARNING, "plimsoll"):
        Faults().tolerate(lambda: fail_with(KeyError("n")))

    assert caplog.records[0].exc_info
