"""A service too slow for its arrivals, and a generator without a core of its own: neither makes a run green.

The generator is named, and the service is not blamed for its delays.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import psutil

from measured.delay_server import DelayServer
from measured.measurement import Row, near
from plimsoll.run_files.files import VERDICT_FILE
from tests.fix_runs import Run, Runner, judge
from tests.fix_service import LOCUSTFILE
from tests.http_service import Shop
from tests.processes import finish, two_workers

CAPACITY_PER_S, RATE_PER_S, DURATION_S, MOST_USERS = 50, 100, 15, 20
INCONCLUSIVE, FAIL = 77, 99
VISITOR = f"""
from locust import task
from plimsoll.users.http import LeanHttpUser
from plimsoll import ArrivalShape, RateStage
from plimsoll import record_run

record_run()

class Visitor(LeanHttpUser):
    request_names = {{"queue.visit"}}

    @task
    def visit(self):
        self.client.get("/", name="queue.visit")

class Arrivals(ArrivalShape):
    stages = (RateStage("hold", {DURATION_S}, {RATE_PER_S}, {RATE_PER_S}),)
    max_users = {MOST_USERS}
"""
LIMIT = "thresholds:\n  - p99 of queue.visit < {}\n"


def measure_overload(folder: Path) -> list[Row]:
    """Measure in one process, and on two workers."""
    return [
        *_overload(folder / "one", "one process", []),
        *_overload(folder / "two", "two workers", two_workers()),
    ]


def _overload(folder: Path, where: str, distributed: list[str]) -> list[Row]:
    """Run with a limit that all started iterations hold, and judge again with one that all of them break."""
    folder.mkdir()
    locustfile = folder / "visitor.py"
    locustfile.write_text(VISITOR, encoding="utf-8")
    with closing(DelayServer("queue", str(CAPACITY_PER_S))) as server:
        run = Runner(locustfile, folder)("-H", server.url, *distributed, thresholds=LIMIT.format("5 s"))
    tight = folder / "tight.yaml"
    # With 20 users and 50 answers a second each of them waits for 0.4 s.
    tight.write_text(LIMIT.format("100 ms"), encoding="utf-8")
    verdict = run.read(VERDICT_FILE)  # before it is judged again
    again = judge(run.directory, "--thresholds", str(tight))
    arrivals = verdict["run"]["arrivals"]
    started, handled = arrivals["started"], arrivals["started"] + arrivals["dropped"]
    (kept,) = (check["value"] for check in verdict["validity"] if check["check"] == "arrival_rate_kept")
    capacity = DURATION_S * CAPACITY_PER_S
    return [
        near(f"{where}: exit status with a limit that all held", run.status, INCONCLUSIVE),
        near(f"{where}: started and dropped, of planned", handled, DURATION_S * RATE_PER_S),
        near(f"{where}: started, of the capacity", started, capacity, tolerance=0.1),
        near(f"{where}: share of arrivals kept", kept, CAPACITY_PER_S / RATE_PER_S, tolerance=0.1),
        near(f"{where}: exit status with a limit that all broke", again.returncode, FAIL),
    ]


SPINNERS = 6


def measure_starved(folder: Path) -> list[Row]:
    """Run on a core that has more work than Locust can push aside."""
    core = sorted(os.sched_getaffinity(0))[-1]
    locustfile = folder / "visitor.py"
    locustfile.write_text(LOCUSTFILE, encoding="utf-8")
    with ExitStack() as stack:
        service = stack.enter_context(closing(Shop()))
        for _ in range(SPINNERS):
            spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(spinner.wait)
            stack.callback(spinner.kill)
            psutil.Process(spinner.pid).cpu_affinity([core])
        limits = "thresholds:\n  - p99 < 3 ms\n"
        process, directory = Runner(locustfile, folder).start(
            "-t", "15s", "-H", service.url, thresholds=limits
        )
        psutil.Process(process.pid).cpu_affinity([core])
        run = Run(0, finish(process), directory)
    verdict = run.read(VERDICT_FILE)
    named = [
        check["check"]
        for check in verdict["validity"]
        if check["check"].startswith("generator_") and not check["ok"]
    ]
    # Starved but a little it fails no check; then the threshold says whose lateness that may be.
    is_named = bool(named) or "event-loop lag" in verdict["thresholds"][0]["reason"]
    return [
        near("exit status", process.returncode, INCONCLUSIVE),
        near("the generator is named", int(is_named), 1),
    ]
