"""Real processes, whose exit status no unit test can show: without a verdict it is not 0."""

from __future__ import annotations

import re

import psutil

from tests.fix_runs import Runner, has_history, until
from tests.fix_service import Service
from tests.processes import finish, free_port, two_workers


def change(run: Runner, old: str, new: str) -> None:
    """Change the locustfile of a run."""
    source = run.locustfile.read_text()
    assert old in source
    run.locustfile.write_text(source.replace(old, new))


def test_an_exit_of_a_user(run: Runner, service: Service) -> None:
    """sys.exit(0) in a task of a worker ends the run, which is judged, cannot pass, and names it."""
    change(run, 'self.client.get("/broken"', 'import sys; sys.exit(0); self.client.get("/broken"')
    ended = run("-H", service.url, "-t", "300s", *two_workers())
    aborted = ended.read("run.json")["aborted"]

    assert ended.status == 77, ended.output
    assert aborted.startswith("sys.exit(0) in visitor.py, line ")
    assert "on worker" in aborted
    assert {
        "kind": "check",
        "subject": "not_aborted",
        "text": f"the run was broken off: {aborted}",
    } in ended.read("verdict.json")["reasons"]


def test_no_workers_in_time(run: Runner, service: Service) -> None:
    """Without the workers that it waits for a run says so: nothing was shown to be good."""
    waits = ["--expect-workers", "2", "--expect-workers-max-wait", "1"]
    ended = run("-H", service.url, "--master", "--master-bind-port", str(free_port()), *waits)

    assert ended.status == 77, ended.output
    assert "plimsoll: no load was made: 0 of 2 workers had connected in time" in ended.output


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
