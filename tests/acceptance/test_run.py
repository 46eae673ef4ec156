"""Runs of real Locust processes: recorded, refused, judged, told to end, and with their data."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from plimsoll.recording.process_end import JUDGING_HINT
from tests.arrivals import Seen, start_arrivals
from tests.fix_runs import SOON_S, Run, Runner, assert_undisputed, has_history, until
from tests.http_service import Shop
from tests.processes import finish, free_port, start_locust, two_workers
from tests.read_runs import locust_totals, totals
from tests.students import HEADLESS, Students

# Python imports a module of this name when it starts.
SLOW_JUDGE = """
import sys, time
if "judge" in sys.orig_argv:
    time.sleep(600)
"""


def test_a_run(run: Runner, service: Shop, tmp_path: Path) -> None:
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


def test_a_signal_while_waiting_for_workers(run: Runner, service: Shop) -> None:
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


def test_a_second_signal(run: Runner, service: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_there_is_no_third(run: Runner, service: Shop) -> None:
    """Three Ctrl-C to all processes of a terminal: no traceback, a run with an end, and nobody left."""
    limits = "thresholds: [{expr: error_rate < 90%, abort: true}]"
    process, directory = run.start("-H", service.url, *two_workers(), thresholds=limits)
    until(lambda: has_history(directory))
    children = psutil.Process(process.pid).children()
    (watching,) = (child for child in children if "watch" in child.cmdline())
    assert os.getpgid(watching.pid) != os.getpgid(process.pid)
    for _ in range(3):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)  # as fast as a finger
    output = finish(process)

    assert process.returncode == 77, output
    assert "Traceback" not in output
    assert "not watched" not in output
    assert psutil.wait_procs(children, timeout=SOON_S)[1] == []
    assert Run(77, output, directory).read("run.json")["end_reason"] == "SIGINT"


def test_workers_of_a_run_that_is_refused(run: Runner, service: Shop) -> None:
    """What a client would refuse in each user is said once, by the master, and the workers end with it."""
    source = run.locustfile.read_text(encoding="utf-8")
    source = source.replace(
        "class Visitor(FastHttpUser):", "class Visitor(LeanHttpUser):\n    concurrency = 0"
    )
    run.locustfile.write_text(f"from plimsoll.users.http import LeanHttpUser\n{source}", encoding="utf-8")
    refused = run("-H", service.url, *two_workers())

    assert refused.status == 2, refused.output
    assert [line for line in refused.output.splitlines() if line.startswith("plimsoll:")] == [
        "plimsoll: Visitor: concurrency must be at least 1, got 0"
    ]
    assert "Traceback" not in refused.output
    assert service.answered == 0
    assert not (refused.directory / "run.json").exists()


def change(run: Runner, old: str, new: str) -> None:
    """Change the locustfile of a run."""
    source = run.locustfile.read_text()
    assert old in source
    run.locustfile.write_text(source.replace(old, new))


def test_an_exit_of_a_user(run: Runner, service: Shop) -> None:
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


def test_no_workers_in_time(run: Runner, service: Shop) -> None:
    """Without the workers that it waits for a run says so: nothing was shown to be good."""
    waits = ["--expect-workers", "2", "--expect-workers-max-wait", "1"]
    ended = run("-H", service.url, "--master", "--master-bind-port", str(free_port()), *waits)

    assert ended.status == 77, ended.output
    assert "plimsoll: no load was made: 0 of 2 workers had connected in time" in ended.output


def test_a_disk_that_is_full(run: Runner, service: Shop) -> None:
    """A run whose files cannot grow names the first of them, is judged all the same, and cannot pass."""
    process, directory = run.start("-H", service.url, "-t", "10s")
    until(lambda: has_history(directory))
    psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (1_000, 1_000))  # the judge has the same
    output = finish(process)

    assert process.returncode == 77, output
    assert re.search(r"cannot pass: (stages|health|locust_\*)\.csv: File too large", output), output
    assert "\nINCONCLUSIVE " in output
    assert "cannot take report.html and verdict.json: File too large" in " ".join(output.split())


def test_poisson_on_two_workers(tmp_path: Path) -> None:
    """One sequence of random arrivals is dealt to both workers: together they start or drop each once."""
    settings = {"rate": 100, "duration_s": 3, "max_users": 300, "service_s": 0.02, "spacing": "poisson"}
    seen = Seen(tmp_path, finish(start_arrivals(tmp_path, *two_workers(), **settings)))
    asked_for = ArrivalSchedule((RateStage("hold", 3, 100, 100),), 300, "poisson")

    assert len(seen.processes) == 2, seen.output
    assert len(seen.starts_s) == seen.count("started")
    assert seen.count("started") + seen.count("dropped") == len(list(asked_for.starts()))


def test_two_workers(tmp_path: Path) -> None:
    """63 users on two workers share 60 rows, each once, by three of them ending; it is cleaned up last."""
    students = Students(tmp_path, 60)
    load = ["-u", "63", "-r", "63", "--csv", "run", *two_workers()]
    process = start_locust([*HEADLESS, *load], tmp_path, students.environment(PATIENT="yes"))
    until(lambda: len(students.notes("row")) == 60)
    until(lambda: "all rows used" in (tmp_path / "run_exceptions.csv").read_text(encoding="utf-8"))
    process.terminate()
    output = finish(process)

    rows = students.notes("row")
    assert Counter(int(n) for _, n, _ in rows) == dict.fromkeys(range(60), 1)
    assert len({pid for pid, _, _ in rows}) == 2, output
    assert {school for _, _, school in rows} == {"7"}
    assert output.count("all rows used") == 1
    assert "Traceback" not in output
    assert process.returncode == 1
    assert len(students.notes("up")) == 1
    assert students.notes("down") == [["0"]], output
    assert students.lines()[-1].startswith("down")
    assert len(students.notes("stop")) >= 60


def test_a_second_signal_while_setting_up(tmp_path: Path) -> None:
    """The first Ctrl-C has what is half set up cleaned up, which the second skips; no load is made."""
    students = Students(tmp_path, 60)
    settings = students.environment(RECORDED="yes", SET_UP_S="600", LIMIT_S="600", CLEAN_UP_S="600")
    process = start_locust([*HEADLESS, "-t", "60s"], tmp_path, settings)
    until(lambda: len(students.notes("up")) == 1)
    process.send_signal(signal.SIGINT)
    until(lambda: len(students.notes("down")) == 1)
    process.send_signal(signal.SIGINT)
    output = finish(process)

    assert process.returncode == 77, output
    assert "cleaning up; press Ctrl-C again to skip the clean-up" in output
    assert "verdict" not in output
    assert students.notes("row") == []
