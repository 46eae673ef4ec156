"""Impatience costs no verdict: a second Ctrl-C while a run is judged is answered, only a third ends it."""

from __future__ import annotations

import os
import signal
import subprocess

import psutil
import pytest

from tests.fix_runs import Run, Runner, has_history, until
from tests.fix_service import Service
from tests.processes import finish

GOES_ON = "the run is being judged; once more ends it"


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
    """A second Ctrl-C or SIGTERM while judging is answered in the terminal, and the verdict is reached."""
    process, left = judged_run(run, service, number)
    (judge,) = judges(process)
    assert os.getpgid(judge.pid) != os.getpgid(process.pid)  # Ctrl-C in a terminal does not reach it
    process.send_signal(number)
    output = finish(process)

    assert output.count(GOES_ON) == 1
    assert left.read("run.json")["end_reason"] == number.name
    assert process.returncode == {"PASS": 0, "INCONCLUSIVE": 77}[left.read("verdict.json")["verdict"]]
    assert (left.directory / "report.html").exists()


def test_a_third_signal(run: Runner, service: Service) -> None:
    """A third one ends the judging: INCONCLUSIVE, and how to have the run judged is said."""
    process, left = judged_run(run, service, signal.SIGINT)
    (judge,) = judges(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    output = finish(process)

    assert process.returncode == 77, output
    assert f"python -m reports judge {left.directory}" in output
    assert not judge.is_running()
    assert not (left.directory / "verdict.json").exists()


def test_a_signal_after_the_load(run: Runner, service: Service) -> None:
    """A run that came to its own end is judged although Ctrl-C comes while it is."""
    process, directory = run.start("-H", service.url, "-t", "3s")
    until(lambda: bool(judges(process)))
    process.send_signal(signal.SIGINT)
    output = finish(process)

    assert GOES_ON in output
    assert Run(0, "", directory).read("run.json")["end_reason"] == "run time reached"
    assert (directory / "verdict.json").exists()
    assert "Traceback" not in output
