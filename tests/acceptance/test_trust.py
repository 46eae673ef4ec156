"""A run that cannot be trusted is never green, and says what is wrong with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from tests.fix_bystander import Bystander, assert_green
from tests.fix_runs import Run, Runner, has_history, judge, until
from tests.fix_service import Service
from tests.processes import finish, two_workers

GENERATOR_CHECKS = {"generator_cpu", "generator_loop_lag", "generator_cpu_wait"}
FAST_ENOUGH = "thresholds:\n  - p95 of shop.home < 500 ms\n  - error_rate < 50%\n"


@pytest.fixture
def busy_core() -> Iterator[int]:
    """Keep one core busy with more work than Locust can push aside."""
    core = sorted(os.sched_getaffinity(0))[-1]
    with ExitStack() as stack:
        for _ in range(6):
            spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(spinner.wait)
            stack.callback(spinner.kill)
            psutil.Process(spinner.pid).cpu_affinity([core])
        yield core


def failed_checks(run: Run) -> dict[str, Any]:
    """Return the failed validity checks by name."""
    return {check["check"]: check for check in run.read("verdict.json")["validity"] if not check["ok"]}


def threshold_verdicts(run: Run) -> dict[str, str]:
    """Return the verdict of each threshold by its source."""
    return {line["source"]: line["verdict"] for line in run.read("verdict.json")["thresholds"]}


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the worker processes of a Locust that was started with --processes."""
    return psutil.Process(process.pid).children()


def test_a_service_that_never_answers(run: Runner, silent_url: str) -> None:
    """Requests that hang to the end of the run are counted as over the limit: the run is not green."""
    hung = run("-t", "8s", "-H", silent_url, thresholds=FAST_ENOUGH)

    assert hung.status in {77, 99}, hung.output
    assert hung.read("verdict.json")["run"]["requests"] == 0
    assert hung.read("verdict.json")["run"]["unfinished"] == 4


def test_a_generator_that_is_stopped(run: Runner, service: Service) -> None:
    """Three stops of over a second in a run of 12 s are three late samples, and never green."""
    process, directory = run.start("-H", service.url, "-t", "12s", thresholds=FAST_ENOUGH)
    until(lambda: has_history(directory))
    for _ in range(3):
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.2)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
    stopped = Run(0, finish(process), directory)

    assert process.returncode == 77, stopped.output
    assert "generator_stalls" in failed_checks(stopped)


def test_a_lost_worker(run: Runner, service: Service) -> None:
    """One of two workers killed: said within seconds, INCONCLUSIVE, and what it had sent is kept."""
    process, directory = run.start(
        "-H", service.url, *two_workers(), "-t", "16s", thresholds="thresholds:\n  - p95 < 2 s\n"
    )
    until(lambda: has_history(directory, rows=12))
    workers_of(process)[0].kill()
    killed = time.monotonic()
    until(lambda: '"lost_workers": []' not in (directory / "run.json").read_text(), limit_s=10)
    noticed_s = time.monotonic() - killed
    output = finish(process)
    lost = Run(process.returncode, output, directory)

    assert process.returncode == 77, lost.output
    assert noticed_s < 8
    assert "is lost" in lost.output
    assert "workers_lost" in failed_checks(lost)
    assert len({row["process"] for row in lost.rows("health.csv")} - {"master"}) == 2


def test_a_killed_master(run: Runner, service: Service) -> None:
    """After kill -9 of the master the run is judged from its files, and loses at most five seconds."""
    process, directory = run.start("-H", service.url, *two_workers(), "-t", "60s")
    until(lambda: has_history(directory, rows=25))
    workers = workers_of(process)
    answered = service.answered
    last_s = time.time()
    process.kill()
    process.wait()
    for worker in workers:
        worker.kill()
    finish(process)
    judged = judge(directory)
    run_ = Run(judged.returncode, judged.stdout, directory)
    kept_s = float(run_.rows("stages.csv")[-1]["unix_s"])

    assert judged.returncode == 77, judged.stdout + judged.stderr
    assert last_s - kept_s < 5
    assert run_.read("verdict.json")["run"]["requests"] > 0.5 * answered
    assert "run_completed" in failed_checks(run_)


@pytest.mark.alone
def test_a_busy_generator(run: Runner, service: Service, busy_core: int) -> None:
    """A generator without a core of its own is named; the service is not blamed for its delays."""
    process, directory = run.start("-t", "9s", "-H", service.url, thresholds="thresholds:\n  - p99 < 3 ms\n")
    psutil.Process(process.pid).cpu_affinity([busy_core])
    output = finish(process)
    starved = Run(process.returncode, output, directory)

    assert process.returncode == 77, starved.output
    assert "generator" in starved.output
    # Starved but a little it fails no check; then the threshold says whose lateness that may be.
    (threshold,) = starved.read("verdict.json")["thresholds"]
    named = GENERATOR_CHECKS & failed_checks(starved).keys()
    assert named or "event-loop lag" in threshold["reason"], starved.output


@pytest.mark.calm
def test_reset_by_hand(run: Runner, service: Service, bystander: Bystander) -> None:
    """Clearing Locust's figures takes nothing from the recorder, which is judged."""
    cleared = run("-t", "8s", "-H", service.url, "--reset-stats")
    counted = cleared.read("verdict.json")["run"]["requests"]

    assert cleared.read("run.json")["stats_reset"] is True
    assert counted > cleared.read("run.json")["locust_totals"]["requests"] - 1
    assert_green(cleared, bystander)
