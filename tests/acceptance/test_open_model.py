"""A frozen service: response times from the intended start are those that users who come by plan see."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tests.fix_runs import ROOT, Run, Runner, until
from tests.processes import finish, two_workers

pytestmark = pytest.mark.calm

FREEZE_S = 2.0
RATE, PACED_USERS, PACING_S = 50, 10, 0.2
SERVER = """
import sys
from tests.fix_service import Service
sys.stdout.write(Service().url + chr(10))
sys.stdout.flush()
sys.stdin.read()
"""
# The users write down by themselves when they start and when they are done.
VISITOR = """
import os, time
from locust import FastHttpUser, constant_pacing, events, task
from plimsoll.loads import ArrivalShape, RateStage
from telemetry.switch import record_run

seen = []

class Visitor(FastHttpUser):
    wait_time = constant_pacing(0.2)

    @task
    def visit(self):
        started_s = time.time()
        self.client.get("/home", name="shop.home")
        seen.append((id(self), started_s, time.time()))

if os.environ.get("ARRIVALS"):
    class Arrivals(ArrivalShape):
        stages = (RateStage("hold", 8, 50, 50),)
        max_users = 400

@events.test_stop.add_listener
def write(**_):
    if not seen:
        return  # a master has no users
    with open(os.path.join(os.environ["SEEN"], f"{os.getpid()}.csv"), "w") as file:
        file.writelines(f"{user},{start},{end}" + chr(10) for user, start, end in seen)

record_run()
"""
Rows = list[dict[str, Any]]
Floats = NDArray[np.float64]


@pytest.fixture
def server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a service as a process of its own, which can be stopped and continued."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
        process.send_signal(signal.SIGCONT)
        process.kill()


@pytest.fixture
def visitors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Return a runner of the users above."""
    monkeypatch.setenv("SEEN", str(tmp_path))
    locustfile = tmp_path / "arriving.py"
    locustfile.write_text(VISITOR, encoding="utf-8")
    return Runner(locustfile, tmp_path)


def frozen_run(
    visitors: Runner, server: tuple[str, subprocess.Popen[str]], arguments: list[str], *, is_open: bool
) -> tuple[Run, Floats]:
    """Run, freeze the service for a while in between, and return the run and what users saw."""
    url, service = server
    process, directory = visitors.start("-H", url, *arguments, thresholds=None)
    until(lambda: process.poll() is not None or is_under_load(directory, is_open))
    assert process.poll() is None, finish(process)
    service.send_signal(signal.SIGSTOP)
    time.sleep(FREEZE_S)  # the length of the freeze, not a wait for anything
    service.send_signal(signal.SIGCONT)
    output = finish(process)
    seen = np.concatenate([np.loadtxt(path, delimiter=",") for path in visitors.folder.glob("*.csv")])
    return Run(process.returncode, output, directory), seen


def recorded(run: Run) -> Rows:
    """Return the rows of a run's intervals."""
    with pa.input_stream(run.directory / "intervals.arrow", compression="zstd") as source:
        rows: Rows = pa.ipc.open_stream(source).read_all().to_pylist()
    return rows


def is_under_load(directory: Path, is_open: bool) -> bool:
    """Return whether a run has played its schedule, or its users, for two seconds."""
    path = directory / "stages.csv"
    if not path.exists():
        return False
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    return sum(bool(row["planned_rate"]) if is_open else int(row["users"]) > 0 for row in rows) > 2


def recorded_ms(rows: Rows, kind: str, histogram: str, q: float) -> float:
    """Return a percentile of the recorded histograms of requests or iterations, in ms."""
    total = np.zeros(65536)
    for row in rows:
        if row["request_type"] == kind:
            total[row[f"{histogram}buckets"]] += row[f"{histogram}counts"]
    index = int(np.searchsorted(total.cumsum(), q * total.sum()))
    octave, within = divmod(index, 128)
    return float(2**octave * (1 + (within + 0.5) / 128) / 1000)


def agree(rows: Rows, histogram: str, truth_ms: Floats, q: float) -> None:
    """Hold requests and whole iterations, which are one request each, to what the users saw."""
    for kind in ("GET", "iteration"):
        assert recorded_ms(rows, kind, histogram, q) == pytest.approx(np.quantile(truth_ms, q), rel=0.05)


def test_arrivals(
    visitors: Runner, server: tuple[str, subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On two workers, p99 from the intended start is that of a user who comes when the schedule says so."""
    monkeypatch.setenv("ARRIVALS", "yes")
    run, seen = frozen_run(visitors, server, two_workers(), is_open=True)
    rows = recorded(run)
    started_s, ended_s = seen[np.argsort(seen[:, 1]), 1:].T
    due_s = (np.arange(len(seen)) + 0.5) / RATE
    intended_s = due_s + (started_s - due_s).min()

    health = run.rows("health.csv")
    counted = {name: sum(int(row[name]) for row in health) for name in ("started", "dropped")}

    assert counted == {"started": len(seen), "dropped": 0}
    assert run.read("run.json")["arrivals"]["planned"] == len(seen) == 8 * RATE
    assert {row["stage"] for row in rows} == {"hold"}
    agree(rows, "response_", (ended_s - intended_s) * 1000, 0.99)
    agree(rows, "", (ended_s - started_s) * 1000, 0.99)
    assert np.quantile(ended_s - intended_s, 0.99) > 0.9 * FREEZE_S


def test_paced_users(visitors: Runner, server: tuple[str, subprocess.Popen[str]]) -> None:
    """Users at a pace hide a freeze from the service time; from the intended start it is there."""
    run, seen = frozen_run(visitors, server, ["-u", "10", "-r", "10", "-t", "10s"], is_open=False)
    rows = recorded(run)
    of_users = [seen[seen[:, 0] == user] for user in np.unique(seen[:, 0])]
    truth_ms = np.concatenate(
        [(own[:, 2] - own[0, 1] - PACING_S * np.arange(len(own))) * 1000 for own in of_users]
    )

    service_ms = (seen[:, 2] - seen[:, 1]) * 1000

    assert len(of_users) == PACED_USERS
    agree(rows, "response_", truth_ms, 0.95)
    agree(rows, "", service_ms, 0.95)
    assert recorded_ms(rows, "GET", "response_", 0.95) > 500 * FREEZE_S
    assert recorded_ms(rows, "GET", "", 0.95) < 200
