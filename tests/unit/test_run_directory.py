"""Run directories: free names, files that survive a kill, and what run.json says."""

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_directory import (
    RecordingErrors,
    ScheduleLog,
    create_run_directory,
    directory_name,
    end_reason,
    environment_fingerprint,
    file_digests,
    git_commit,
    package_versions,
    timestamp,
    write_facts,
)
from plimsoll.recording.run_plan import Planned
from reports.load.description import read_description

START = datetime(2026, 11, 21, 0, 21, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("demo", "20261121T002130Z-demo"),
        ("my team/../x y", "20261121T002130Z-my-team-..-x-y"),
        ("", "20261121T002130Z-run"),
        ("..", "20261121T002130Z-run"),
        ("x" * 300, f"20261121T002130Z-{'x' * 100}"),
    ],
)
def test_directory_name(profile: str, name: str) -> None:
    """The name sorts by time, tells the profile, and is one harmless path segment."""
    assert directory_name(START, profile) == name


def test_a_taken_directory_is_left_alone(tmp_path: Path) -> None:
    """Two runs that want one directory get two."""
    first = create_run_directory(tmp_path / "results" / "run")
    (first / "run.json").write_text("{}")
    second = create_run_directory(tmp_path / "results" / "run")

    assert (first.name, second.name) == ("run", "run-2")
    assert (first / "run.json").read_text() == "{}"


def test_the_directory_of_now_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without a name of its own, whose directory is taken, has another one beside it as well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.json").write_text("{}")

    assert create_run_directory(Path()).is_dir()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["run.json"]


def test_an_empty_directory_is_used(tmp_path: Path) -> None:
    """CI often makes the directory itself, and looks for the run in it."""
    assert create_run_directory(tmp_path) == tmp_path


def facts_in(folder: Path) -> dict[str, Any]:
    """Return what run.json says, without its digest."""
    facts: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del facts["sha256"]
    return facts


def test_facts_are_replaced_whole(tmp_path: Path) -> None:
    """After a second write there is the new run.json and nothing beside it."""
    write_facts(tmp_path, {"id": "a", "ended": None})
    write_facts(tmp_path, {"id": "a", "ended": "é"})

    assert facts_in(tmp_path) == {"id": "a", "ended": "é"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_facts_that_are_no_utf_8_are_written(tmp_path: Path) -> None:
    """An argument of the command line may be any bytes, and comes back as it was."""
    command = os.fsdecode(b"--tag=\xff")
    write_facts(tmp_path, {"command": [command]})

    assert facts_in(tmp_path) == {"command": [command]}
    assert read_description(tmp_path / "run.json", "folder")[0].is_as_written


def test_schedule_rows_are_on_disk_at_once(tmp_path: Path) -> None:
    """A process that is killed between two rows loses neither."""
    log = ScheduleLog(tmp_path, RunClock())
    log.write_second(5, Planned("up", 10, None), 9, 40)
    log.write_second(10, Planned("hold", None, 12.5), 20, 90)
    log.write_second(21, Planned(None, None, None), 3, 90)
    lines = (tmp_path / "schedule.csv").read_text().splitlines()
    log.close()

    assert lines[0] == "unix_s,elapsed_s,stage,planned_users,users,planned_rate,requests_per_s"
    assert [line.partition(",")[2] for line in lines[1:]] == [
        "5,up,10,9,,8.0",
        "10,hold,,20,12.5,10.0",
        "21,,,3,,0.0",
    ]


def test_a_file_that_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    """The digest is then one that no file has, so that the judge does not take what it finds for whole."""
    (tmp_path / "health.csv").mkdir()  # reading it is an OSError also for root
    (tmp_path / "schedule.csv").write_bytes(b"")

    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert file_digests(tmp_path) == {"schedule.csv": empty, "health.csv": ""}


def fail_with(error: Exception) -> None:
    """Fail."""
    raise error


def test_the_first_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Each is counted and the first is logged; a full disk without a traceback."""
    errors = RecordingErrors()
    with caplog.at_level(logging.WARNING, "plimsoll"):
        with errors.guard("health.csv"):
            fail_with(OSError(28, "No space left on device"))
        with errors.guard("schedule.csv"):
            fail_with(KeyError("n"))
        with errors.guard("schedule.csv"):
            pass

    assert errors.count == 2
    assert errors.first == "health.csv: No space left on device"
    (record,) = caplog.records
    assert "health.csv: No space left on device" in record.message
    assert not record.exc_info


def test_what_is_no_disk_has_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of our own can be found from what is logged."""
    errors = RecordingErrors()
    with caplog.at_level(logging.WARNING, "plimsoll"), errors.guard("health.csv"):
        fail_with(KeyError("n"))

    assert errors.first == "health.csv: KeyError('n')"
    assert caplog.records[0].exc_info


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
