"""The first Ctrl-C ends the load, and the run is judged; the second ends the process; there is no third."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress

import psutil
import pytest

from tests.fix_runs import Run, Runner, has_history, until
from tests.fix_service import Service
from tests.processes import finish, two_workers

JUDGES = "judging the run; press Ctrl-C again to exit without a verdict"


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


def judged_run(run: Runner, service: Service, first: signal.Signals) -> tuple[subprocess.Popen[str], Run]:
    """Start a run, end it by a signal, and return it while it is being judged."""
    process, directory = run.start("-H", service.url, "-t", "60s")
    until(lambda: has_history(directory))
    process.send_signal(first)
    until(lambda: bool(judges(process)))
    return process, Run(0, "", directory)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal(run: Runner, service: Service, number: signal.Signals) -> None:
    """A second Ctrl-C or SIGTERM while judging ends it: no verdict, and how to come to one is said."""
    process, left = judged_run(run, service, number)
    (judge,) = judges(process)
    assert os.getpgid(judge.pid) != os.getpgid(process.pid)  # Ctrl-C in a terminal does not reach it
    process.send_signal(number)
    output = finish(process)

    assert process.returncode == 77, output
    assert output.count(JUDGES) == 1
    assert f"python -m reports judge {left.directory}" in output
    assert left.read("run.json")["end_reason"] == number.name
    until(lambda: not judge.is_running())
    assert not (left.directory / "verdict.json").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_there_is_no_third(run: Runner, service: Service, workers: int) -> None:
    """Three Ctrl-C in half a second, to all processes of a terminal: no traceback, and a run with an end."""
    process, directory = run.start("-H", service.url, "-t", "60s", *(two_workers() if workers else []))
    until(lambda: has_history(directory))
    for _ in range(3):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
    output = finish(process)

    assert process.returncode == 77, output
    assert "Traceback" not in output
    assert Run(77, output, directory).read("run.json")["end_reason"] == "SIGINT"


def test_a_signal_after_the_load(run: Runner, service: Service) -> None:
    """A run that came to its own end is judged although Ctrl-C comes while it is."""
    process, directory = run.start("-H", service.url, "-t", "3s")
    until(lambda: bool(judges(process)))
    process.send_signal(signal.SIGINT)
    output = finish(process)

    assert JUDGES in output
    assert Run(0, "", directory).read("run.json")["end_reason"] == "run time reached"
    assert (directory / "verdict.json").exists()
    assert "Traceback" not in output
