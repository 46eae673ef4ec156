"""A service that is stopped for a while: response times from the intended start beside what the users saw."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from measured.measurement import Row, at_least, near
from plimsoll.run_files.files import HEALTH_FILE, RUN_FILE, SCHEDULE_FILE
from tests.fix_runs import ROOT, Run, Runner, until
from tests.processes import finish, two_workers
from tests.read_runs import interval_rows, recorded_ms

FREEZE_S = 2.0
RATE, DURATION_S = 50, 12
PACED_USERS, PACING_S = 10, 0.2
TOLERANCE = 0.05
SERVER = """
import sys
from tests.http_service import Shop
sys.stdout.write(Shop().url + chr(10))
sys.stdout.flush()
sys.stdin.read()
"""
# The users write down by themselves when they start and when they are done.
VISITOR = """
import os, time
from locust import FastHttpUser, constant_pacing, events, task
from plimsoll import ArrivalShape, RateStage
from plimsoll import record_run

seen = []

class Visitor(FastHttpUser):
    wait_time = constant_pacing({pacing_s})

    @task
    def visit(self):
        started_s = time.time()
        self.client.get("/home", name="shop.home")
        seen.append((id(self), started_s, time.time()))

@events.test_stop.add_listener
def write(**_):
    if seen:  # a master has no users
        with open(f"{folder}/{{os.getpid()}}.csv", "w") as file:
            file.writelines(f"{{user}},{{start!r}},{{end!r}}" + chr(10) for user, start, end in seen)

record_run()
"""
ARRIVALS = f"""
class Arrivals(ArrivalShape):
    stages = (RateStage("hold", {DURATION_S}, {RATE}, {RATE}),)
    max_users = 400
"""
Floats = NDArray[np.float64]


def measure(folder: Path) -> list[Row]:
    """Measure arrivals on two workers, and paced users in one process."""
    run, seen = _frozen_run(folder / "arrivals", ARRIVALS, two_workers(), is_open=True)
    started_s, ended_s = seen[np.argsort(seen[:, 1]), 1:].T
    due_s = (np.arange(len(seen)) + 0.5) / RATE
    intended_s = due_s + (started_s - due_s).min()
    p99_s = float(np.quantile(ended_s - intended_s, 0.99))
    health = run.rows(HEALTH_FILE)
    rows = [
        near("arrivals: planned", run.read(RUN_FILE)["arrivals"]["planned"], DURATION_S * RATE),
        near("arrivals: started, of planned", sum(int(row["started"]) for row in health), DURATION_S * RATE),
        near("arrivals: dropped", sum(int(row["dropped"]) for row in health), 0),
        *_agreement("arrivals", run, (ended_s - intended_s) * 1000, (ended_s - started_s) * 1000, 0.99),
        at_least("arrivals: p99 from the intended start, of the freeze", p99_s, 0.9 * FREEZE_S, "s"),
    ]
    load = ["-u", str(PACED_USERS), "-r", str(PACED_USERS), "-t", f"{DURATION_S}s"]
    run, seen = _frozen_run(folder / "paced", "", load, is_open=False)
    of_users = [seen[seen[:, 0] == user] for user in np.unique(seen[:, 0])]
    truth_ms = np.concatenate(
        [(own[:, 2] - own[0, 1] - PACING_S * np.arange(len(own))) * 1000 for own in of_users]
    )
    return [
        *rows,
        near("paced users", len(of_users), PACED_USERS),
        *_agreement("paced", run, truth_ms, (seen[:, 2] - seen[:, 1]) * 1000, 0.95),
    ]


def _agreement(what: str, run: Run, truth_ms: Floats, service_ms: Floats, q: float) -> list[Row]:
    """Hold requests and whole iterations, which are one request each, to what the users saw."""
    rows, found = interval_rows(run.directory), []
    for kind in ("GET", "iteration"):
        for name, histogram, seen_ms in (("response", "response_", truth_ms), ("service", "", service_ms)):
            recorded, seen = recorded_ms(rows, kind, histogram, q), float(np.quantile(seen_ms, q))
            label = f"{what}: {name} time of {kind}, p{100 * q:.0f}"
            found.append(near(label, recorded, seen, "ms", tolerance=TOLERANCE, slack=2))
    return found


def _frozen_run(folder: Path, shape: str, arguments: list[str], *, is_open: bool) -> tuple[Run, Floats]:
    """Run, freeze the service for a while in between, and return the run and what users saw."""
    folder.mkdir()
    locustfile = folder / "visitor.py"
    locustfile.write_text(VISITOR.format(folder=folder, pacing_s=PACING_S) + shape, encoding="utf-8")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], cwd=ROOT, stdin=pipe, stdout=pipe, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        process, directory = Runner(locustfile, folder).start("-H", url, *arguments, thresholds=None)

        def is_under_load() -> bool:  # it has played its schedule, or had users, for two seconds
            if not (directory / SCHEDULE_FILE).exists():
                return False
            rows = Run(0, "", directory).rows(SCHEDULE_FILE)
            return sum(bool(row["planned_rate"]) if is_open else int(row["users"]) > 0 for row in rows) > 2

        until(lambda: process.poll() is not None or is_under_load())
        assert process.poll() is None, finish(process)
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(FREEZE_S)
        os.kill(server.pid, signal.SIGCONT)
        output = finish(process)
        server.kill()
    written = list(folder.glob("*.csv"))
    assert written, f"Locust ended with status {process.returncode}, and no user wrote anything:\n{output}"
    seen = np.concatenate([np.loadtxt(path, delimiter=",") for path in written])
    return Run(process.returncode, output, directory), seen
