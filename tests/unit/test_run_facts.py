"""run.json says what was planned, on what machine, and why the run ended."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from plimsoll.recording.run_facts import (
    end_reason,
    environment_fingerprint,
    git_commit,
    package_versions,
    timestamp,
)


@pytest.mark.parametrize(
    ("received_signal", "schedule_ended", "elapsed_s", "run_time_s", "reason"),
    [
        pytest.param("SIGTERM", True, 60, 60, "SIGTERM", id="a signal is the reason whatever else holds"),
        pytest.param(None, True, 40, None, "schedule ended", id="the shape said that it was over"),
        pytest.param(None, False, 59.5, 60, "run time reached", id="--run-time was up"),
        pytest.param(None, False, 30, 60, "stopped", id="stopped by hand before --run-time was up"),
        pytest.param(None, False, 30, None, "stopped", id="stopped by hand"),
    ],
)
def test_end_reason(
    received_signal: str | None, schedule_ended: bool, elapsed_s: float, run_time_s: float | None, reason: str
) -> None:
    """Every way to end a run has its own words."""
    assert (
        end_reason(
            received_signal=received_signal,
            schedule_ended=schedule_ended,
            elapsed_s=elapsed_s,
            run_time_s=run_time_s,
        )
        == reason
    )


def test_timestamp() -> None:
    """Times are UTC with milliseconds."""
    assert timestamp(datetime(2026, 11, 21, 1, 2, 3, 4567, tzinfo=UTC)) == "2026-11-21T01:02:03.004Z"


def test_git_commit(tmp_path: Path) -> None:
    """Outside a repository there is no commit to name."""
    assert git_commit(tmp_path) is None


def test_fingerprint() -> None:
    """The fingerprint names CPU, cores, kernel and the version of the service."""
    fingerprint = environment_fingerprint("1.2.3")

    assert set(fingerprint) == {"cpu_model", "cores", "kernel", "sut_version"}
    assert all(fingerprint.values())


def test_versions() -> None:
    """The versions that decide what is measured are there, Locust's among them."""
    assert {"python", "locust", "gevent", "pandas"} <= set(package_versions())
