"""Real processes, whose exit status no unit test can show: without a verdict it is not 0."""

from __future__ import annotations

import re

import psutil
import pytest

from tests.fix_runs import IMPOSSIBLE, Runner, has_history, until
from tests.fix_service import Service
from tests.processes import finish, free_port, two_workers

SETS_STATUS = """
from locust import events

def set_status(environment, **_):
    environment.process_exit_code = 0

events.quitting.add_listener(set_status)
events.init.add_listener(lambda environment, **_: environment.events.quitting.add_listener(set_status))
"""
EXITS_IN_INIT = """
import sys
from locust import events
events.init.add_listener(lambda **_: sys.exit(0))
"""


def change(run: Runner, old: str, new: str) -> None:
    """Change the locustfile of a run."""
    source = run.locustfile.read_text()
    assert old in source
    run.locustfile.write_text(source.replace(old, new))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_listener_sets_no_exit_status(run: Runner, service: Service, workers: int) -> None:
    """The verdict is the exit status also where listeners of quitting, before ours or after, set another."""
    change(run, "record_run()", f"record_run()\n{SETS_STATUS}")
    failed = run("-H", service.url, "-t", "4s", *(two_workers() if workers else []), thresholds=IMPOSSIBLE)

    assert failed.status == 99, failed.output
    assert failed.output.count("process_exit_code = 0 of the locustfile is overridden by the verdict") == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exit_of_a_user(run: Runner, service: Service, workers: int) -> None:
    """sys.exit(0) in a task, also of a worker, ends the run, which is judged, cannot pass, and names it."""
    change(run, 'self.client.get("/broken"', 'import sys; sys.exit(0); self.client.get("/broken"')
    ended = run("-H", service.url, "-t", "50s", *(two_workers() if workers else []))
    aborted = ended.read("run.json")["aborted"]

    assert ended.status == 77, ended.output
    assert aborted.startswith("sys.exit(0) in visitor.py, line ")
    assert ("on worker" in aborted) == bool(workers)
    assert {
        "kind": "check",
        "subject": "not_aborted",
        "text": f"the run was broken off: {aborted}",
    } in ended.read("verdict.json")["reasons"]


def test_an_exit_before_the_load(run: Runner, service: Service) -> None:
    """sys.exit(0) in a listener of init has made no load, and that is said."""
    change(run, "record_run()", f"record_run()\n{EXITS_IN_INIT}")
    ended = run("-H", service.url, "-t", "4s")

    assert ended.status == 77, ended.output
    assert "plimsoll: no load was made: sys.exit(0) in visitor.py, line" in ended.output
    assert service.answered == 0


def test_no_workers_in_time(run: Runner, service: Service) -> None:
    """Without the workers that it waits for a run says so: nothing was shown to be good."""
    waits = ["--expect-workers", "2", "--expect-workers-max-wait", "1"]
    ended = run("-H", service.url, "--master", "--master-bind-port", str(free_port()), *waits)

    assert ended.status == 77, ended.output
    assert "plimsoll: no load was made: 0 of 2 workers had connected in time" in ended.output


def test_workers_end_with_a_master_that_is_killed(run: Runner, service: Service) -> None:
    """Workers of --processes whose master is killed stop their users in seconds, and not after a minute."""
    process, directory = run.start("-H", service.url, "-t", "300s", *two_workers())
    until(lambda: has_history(directory))
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2
    process.kill()
    gone, alive = psutil.wait_procs(workers, timeout=40)
    finish(process)

    assert (len(gone), alive) == (2, [])


def test_a_disk_that_is_full(run: Runner, service: Service) -> None:
    """A run whose files cannot grow names the first of them, is judged all the same, and cannot pass."""
    process, directory = run.start("-H", service.url, "-t", "10s")
    until(lambda: has_history(directory))
    psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (1_000, 1_000))  # the judge has the same
    output = finish(process)

    assert process.returncode == 77, output
    assert re.search(r"cannot pass: (stages|health|locust_\*)\.csv: File too large", output), output
    assert "\nINCONCLUSIVE " in output
    assert "cannot take report.html and verdict.json: File too large" in " ".join(output.split())
