"""A run of a real Locust process ends in a verdict and an exit status, also when it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from plimsoll.recording.process_end import JUDGING_HINT
from tests.fix_runs import IMPOSSIBLE, Run, Runner, assert_undisputed, has_history, until
from tests.fix_service import Service
from tests.processes import finish, free_port, start_locust, two_workers
from tests.read_runs import locust_totals, totals

# Python imports a module of this name when it starts.
SLOW_JUDGE = """
import sys, time
if "judge" in sys.orig_argv:
    time.sleep(600)
"""


def test_a_run(run: Runner, service: Service, tmp_path: Path) -> None:
    """Started in a folder of its user's, a run is recorded to the last request, and judged there."""
    (tmp_path / "limits.yaml").write_text("thresholds: [error_rate < 50%, count > 10]", encoding="utf-8")
    options = ["-f", str(run.locustfile), "--headless", "--only-summary", "-u", "4", "-r", "4", "-t", "8s"]
    options += [
        "-H",
        service.url,
        "--thresholds",
        "limits.yaml",
        "--profile",
        "here",
        "--json-file",
        "finals",
    ]
    process = start_locust(options, tmp_path)
    output = finish(process)
    (directory,) = (tmp_path / "results").iterdir()
    done = Run(process.returncode, output, directory)

    assert_undisputed(done)
    assert directory.name.endswith("-here")
    assert totals(directory) == locust_totals(tmp_path / "finals.json"), output
    # Of each of the four users one request may be answered when nobody is there any more.
    assert 0 <= service.answered - done.read("run.json")["locust_totals"]["requests"] <= 4
    assert done.read("run.json")["end_reason"] == "run time reached"
    assert done.read("run.json")["recording_errors"] == 0
    assert str(directory.relative_to(tmp_path) / "report.html") in output
    assert (directory / "report.html").exists()


def test_a_signal(run: Runner, service: Service) -> None:
    """A run with a shape that is told to stop still writes its report, and says why it ended."""
    files = f"{run.locustfile},shapes/ramp.py"
    process, directory = run.start("-f", files, "-H", service.url, thresholds=IMPOSSIBLE)
    until(lambda: has_history(directory))
    process.send_signal(signal.SIGINT)
    output = finish(process)
    stopped = Run(process.returncode, output, directory)

    assert process.returncode == 99, stopped.output
    assert stopped.read("run.json")["end_reason"] == "SIGINT"
    assert stopped.read("verdict.json")["verdict"] == "FAIL"
    assert (directory / "report.html").exists()


def test_a_signal_while_waiting_for_workers(run: Runner, service: Service) -> None:
    """A master that is told to stop before it had a worker ends at once: no traceback, and not green."""
    log, port = run.folder / "log.txt", str(free_port())
    master = ["--master", "--master-bind-port", port, "--expect-workers", "1", "--logfile", str(log)]
    process, _ = run.start("-H", service.url, *master)
    until(lambda: log.exists() and "Waiting for workers" in log.read_text(encoding="utf-8"))
    process.send_signal(signal.SIGINT)
    output = finish(process)

    assert process.returncode == 77, output
    assert "no load was made: SIGINT came before it" in output
    assert "Traceback" not in output + log.read_text(encoding="utf-8")


def test_a_second_signal(run: Runner, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second SIGTERM while judging ends it: no verdict, and how to come to one is said."""
    (run.folder / "sitecustomize.py").write_text(SLOW_JUDGE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(run.folder))
    process, directory = run.start("-H", service.url)
    until(lambda: has_history(directory))
    process.send_signal(signal.SIGTERM)
    until(lambda: bool(judges(process)))
    (at_work,) = judges(process)
    assert os.getpgid(at_work.pid) != os.getpgid(process.pid)  # Ctrl-C in a terminal does not reach it
    process.send_signal(signal.SIGTERM)
    output = finish(process)

    assert process.returncode == 77, output
    assert output.count(JUDGING_HINT) == 1
    assert f"python -m reports judge {directory}" in output
    assert Run(77, output, directory).read("run.json")["end_reason"] == "SIGTERM"
    until(lambda: not at_work.is_running())
    assert not (directory / "verdict.json").exists()


def judges(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the judges that a Locust process has started and that are at work."""
    found = []
    for child in psutil.Process(process.pid).children():
        try:
            if "judge" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def test_there_is_no_third(run: Runner, service: Service) -> None:
    """Three Ctrl-C to all processes of a terminal: no traceback, and a run with an end."""
    process, directory = run.start("-H", service.url, *two_workers())
    until(lambda: has_history(directory))
    for _ in range(3):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)  # as fast as a finger
    output = finish(process)

    assert process.returncode == 77, output
    assert "Traceback" not in output
    assert Run(77, output, directory).read("run.json")["end_reason"] == "SIGINT"
