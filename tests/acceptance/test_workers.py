"""Runs on worker processes: all that they measure is in the verdict, and a lost one keeps it from passing."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fix_runs import SOON_S, Run, Runner, has_history, judge, until
from tests.http_service import Shop
from tests.processes import finish, two_workers
from tests.read_runs import interval_rows, locust_totals, totals

MEASURING_USERS = Path(__file__).parents[1] / "measuring_users.py"
THINK_MS = 50.0
# No limit on a time can be broken within the run, however slow the machine is.
THRESHOLDS = """thresholds:
  - count of tag:content and type:GET > 20
  - count of tag:slow > 10
  - error_rate of user:Visitor and not shop.broken < 1%
  - p95 of transaction:visit < 60 s
  - cumulated_p95 of transaction:visit < 60 s
  - max of transaction:visit/again < 60 s
  - count of bytes > 100
  - rate of cache > 50%
  - checks of "small answer" > 60%
  - max of pool.size < 7
  - p75 of page.cls < 0.11
"""
# Workers that receive the spawn message while they still start.
SLOW_START = """
import gevent
from locust import runners
from locust.runners import WorkerRunner

# A busy machine silences a worker for the four seconds after which Locust's master takes it for lost.
runners.HEARTBEAT_LIVENESS = 60

connect = WorkerRunner.connect_to_master

def connect_and_be_slow(self):
    connect(self)
    gevent.sleep(3)  # Locust's master looks for workers once a second

WorkerRunner.connect_to_master = connect_and_be_slow
"""


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the worker processes of a Locust that was started with --processes: they have its command."""
    master = psutil.Process(process.pid)
    return [child for child in master.children() if child.cmdline() == master.cmdline()]


def failed_checks(run: Run) -> set[str]:
    """Return the names of the validity checks that failed."""
    return {check["check"] for check in run.read("verdict.json")["validity"] if not check["ok"]}


def test_two_workers(run: Runner, service: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are slow to listen and have time to stop record all of a run, to the last value."""
    monkeypatch.setenv("MEASURED", str(tmp_path / "truths"))
    (tmp_path / "truths").mkdir()
    (tmp_path / "slow.py").write_text(SLOW_START, encoding="utf-8")
    files = f"{MEASURING_USERS},{tmp_path / 'slow.py'},shapes/ramp.py"
    scales = ["--user-scale", "0.008", "--time-scale", "0.006", "--stop-timeout", "2"]
    finals = tmp_path / "finals"
    ended = run(
        "-f",
        files,
        "-H",
        service.url,
        *two_workers(),
        *scales,
        "--json-file",
        str(finals),
        thresholds=THRESHOLDS,
    )
    truth, verdict, facts = truth_of(tmp_path / "truths"), ended.read("verdict.json"), ended.read("run.json")
    found = interval_rows(ended.directory)

    assert totals_of_requests(ended) == locust_totals(finals.with_suffix(".json")), ended.output
    assert facts["locust_totals"]["requests"] == service.answered == truth["requests"]
    assert facts["recording_errors"] == 0
    assert facts["lost_workers"] == []
    assert facts["end_reason"] == "schedule ended"
    assert "heartbeat" not in ended.output  # they ended with their master, who was not there to be missed
    assert len(facts["workers"]) == 2
    assert {row["worker"] for row in found} == set(facts["workers"])
    assert all(abs(offset_s) < 5 for offset_s in facts["clock_offsets_s"].values())
    assert {row["stage"] for row in ended.rows("schedule.csv")} >= {"ramp_up", "hold", "ramp_down"}
    assert max(int(row["users"]) for row in ended.rows("schedule.csv")) == 8
    assert_metrics(verdict, truth)
    assert_transactions(verdict, truth)
    assert_thresholds(verdict, truth)
    assert "small answer" in (ended.directory / "report.html").read_text(encoding="utf-8")


def truth_of(folder: Path) -> Counter[str]:
    """Return what the users of both workers told together."""
    files = list(folder.glob("*.json"))
    assert len(files) == 2
    return sum((Counter(json.loads(path.read_text(encoding="utf-8"))) for path in files), Counter())


def totals_of_requests(run: Run) -> dict[str, list[int]]:
    """Return requests, failures and bytes by the name of a request."""
    requests = {row["name"] for row in interval_rows(run.directory) if row["request_type"] == "GET"}
    return {name: total for name, total in totals(run.directory).items() if name in requests}


def assert_metrics(verdict: dict[str, Any], truth: Counter[str]) -> None:
    """Counts, shares, levels and trends of both workers add up exactly."""
    metrics = {metric["name"]: metric for metric in verdict["metrics"]}

    assert metrics["bytes"]["value"] == truth["bytes"] > 100
    for name in ("cache", "small answer"):
        assert (metrics[name]["n"], metrics[name]["passed"]) == (truth["requests"], truth[name])
    assert (metrics["pool.size"]["min"], metrics["pool.size"]["max"]) == (0, 6)
    assert metrics["page.cls"]["n"] == truth["requests"]
    assert metrics["page.cls"]["max"] == pytest.approx(0.1)


def assert_transactions(verdict: dict[str, Any], truth: Counter[str]) -> None:
    """Whole transactions are counted, with think time and without; those with a failed request fail."""
    found = {each["name"]: each for each in verdict["transactions"]}

    assert {name: each["n"] for name, each in found.items()} == {
        name: truth[name] for name in ("visit", "visit/again", "stumble")
    }
    assert found["stumble"]["failures"] == truth["stumble"] > 0
    assert found["visit"]["failures"] == 0
    assert found["visit"]["mean"] > found["visit"]["cumulated_mean"] + 0.99 * THINK_MS
    assert {each["name"] for each in verdict["requests"]} == {"shop.home", "shop.broken"}


def assert_thresholds(verdict: dict[str, Any], truth: Counter[str]) -> None:
    """Every limit was judged by the reports that came; none is broken."""
    judged = {each["source"]: each for each in verdict["thresholds"]}

    assert judged["count of tag:slow > 10"]["value"] == truth["tag:slow"]
    assert judged["count of bytes > 100"]["value"] == truth["bytes"]
    assert {source for source, each in judged.items() if each["n"] == 0} == set()
    assert {source for source, each in judged.items() if each["verdict"] == "FAIL"} == set()


def test_a_worker_told_to_end(run: Runner, service: Shop, tmp_path: Path) -> None:
    """A worker that ends on a signal sends its last samples first."""
    finals = tmp_path / "finals"
    options = ["-H", service.url, "--json-file", str(finals), *two_workers()]
    process, directory = run.start(*options, thresholds=None)
    until(lambda: len(interval_rows(directory)) > 3)
    workers_of(process)[0].send_signal(signal.SIGTERM)
    until(lambda: '"lost_workers": []' not in (directory / "run.json").read_text(encoding="utf-8"))
    process.send_signal(signal.SIGTERM)
    output = finish(process)

    assert totals(directory) == locust_totals(finals.with_suffix(".json")), output
    assert sum(row["n"] for row in interval_rows(directory)) > 0


def test_a_lost_worker(run: Runner, service: Shop) -> None:
    """One of two workers killed: said while the run goes on, INCONCLUSIVE, and what it had sent is kept."""
    process, directory = run.start(
        "-H", service.url, *two_workers(), thresholds="thresholds:\n  - count > 1\n"
    )
    until(lambda: has_history(directory, rows=12) and reported_health(directory) == 2)
    workers_of(process)[0].kill()
    until(lambda: '"lost_workers": []' not in (directory / "run.json").read_text(encoding="utf-8"))
    process.send_signal(signal.SIGTERM)
    output = finish(process)
    lost = Run(process.returncode, output, directory)

    assert process.returncode == 77, lost.output
    assert "is lost" in lost.output
    assert "workers_lost" in failed_checks(lost)
    assert reported_health(directory) == 2


def reported_health(directory: Path) -> int:
    """Return of how many workers the master has written down the health."""
    rows = Run(0, "", directory).rows("health.csv")
    return len({row["process"] for row in rows} - {"master"})


def test_a_killed_master(run: Runner, service: Shop) -> None:
    """After kill -9 of the master its processes end by themselves; the run is judged from its files."""
    limits = "thresholds: [{expr: error_rate < 90%, abort: true}]"
    process, directory = run.start("-H", service.url, *two_workers(), thresholds=limits)
    until(lambda: has_history(directory, rows=25) and len(interval_rows(directory)) > 3)
    workers, children = workers_of(process), psutil.Process(process.pid).children()
    process.kill()
    _, alive = psutil.wait_procs(children, timeout=SOON_S)
    finish(process)
    judged = judge(directory)
    left = Run(judged.returncode, judged.stdout, directory)

    assert (len(workers), len(children), alive) == (2, 3, [])  # one watches the limits
    assert judged.returncode == 77, judged.stdout + judged.stderr
    assert (
        left.read("verdict.json")["run"]["requests"] == sum(row["n"] for row in interval_rows(directory)) > 0
    )
    assert "run_completed" in failed_checks(left)


def test_a_limit_that_aborts(run: Runner, service: Shop) -> None:
    """A service that fails ends the load of two workers long before its time, and the run fails by that."""
    limit, service.fails = "error_rate worst 10 s < 10%", True
    thresholds = f"thresholds:\n  - {{expr: {limit}, abort: true, after: 5 s}}\n"
    options = ["-H", service.url, "-t", "300s", *two_workers()]
    ended = run(*options, thresholds=thresholds)
    facts, verdict = ended.read("run.json"), ended.read("verdict.json")

    assert ended.status == 99, ended.output
    assert facts["end_reason"].startswith(f"aborted: {limit}: measured ")
    assert facts["aborted_by"]["source"] == limit
    assert facts["aborted_by"]["at_s"] < 200
    assert facts["lost_workers"] == []
    assert "locust_totals_match" not in failed_checks(ended)
    assert verdict["reasons"][0]["subject"] == limit
