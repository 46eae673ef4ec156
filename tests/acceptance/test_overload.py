"""A service too slow for its arrival rate: no latency of the few that started makes the run green."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_runs import Run, Runner, judge
from tests.processes import two_workers
from tests.queue_server import QueueServer

pytestmark = pytest.mark.calm

CAPACITY_PER_S, RATE_PER_S, DURATION_S, MOST_USERS = 50, 100, 10, 20
VISITOR = f"""
from locust import task
from plimsoll.users.http import LeanHttpUser
from plimsoll.loads import ArrivalShape, RateStage
from telemetry.switch import record_run

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


@pytest.fixture
def queue_server() -> Iterator[QueueServer]:
    """Run a service that is good for half of what arrives."""
    server = QueueServer(CAPACITY_PER_S)
    yield server
    server.stop()


# With 20 users and 50 answers a second each of them waits for 0.4 s.
@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_too_slow_is_never_green(tmp_path: Path, queue_server: QueueServer, workers: int) -> None:
    """What never started is counted with no limit on it, and those who did cannot make the latency pass.

    Judged again with a limit that they all broke it is a FAIL, unless the generator was out of breath.
    """
    run = overloaded(tmp_path, queue_server, two_workers() if workers == 2 else [])
    verdict = run.read("verdict.json")
    arrivals, (threshold,) = verdict["run"]["arrivals"], verdict["thresholds"]
    (check,) = (check for check in verdict["validity"] if check["check"] == "arrivals")

    assert (run.status, verdict["verdict"], threshold["verdict"]) == (77, "INCONCLUSIVE", "INCONCLUSIVE")
    assert arrivals["planned"] == DURATION_S * RATE_PER_S == arrivals["started"] + arrivals["dropped"]
    assert arrivals["started"] == verdict["requests"][0]["n"] == pytest.approx(500, abs=100)
    assert arrivals["dropped"] > 300
    assert f"{arrivals['dropped']} dropped" in run.output
    assert check["value"] == pytest.approx(0.5, abs=0.1)
    assert check["reason"].endswith("dropped): overload, not a latency estimate")
    assert {"kind": "check", "subject": "arrival_rate_kept", "text": check["reason"]} in verdict["reasons"]

    again = judge_again(run, "100 ms")
    verdict = run.read("verdict.json")
    breathless = any(
        check["check"].startswith("generator_") and not check["ok"] for check in verdict["validity"]
    )
    expected = (77, "INCONCLUSIVE") if breathless else (99, "FAIL")
    assert (again.returncode, verdict["thresholds"][0]["verdict"]) == expected, again.stdout


def limit(folder: Path, latency: str) -> Path:
    """Return a file of one limit, on p99."""
    path = folder / "limits.yaml"
    path.write_text(f"thresholds:\n  - p99 of queue.visit < {latency}\n", encoding="utf-8")
    return path


def overloaded(folder: Path, server: QueueServer, options: list[str]) -> Run:
    """Run into overload with a limit that all hold who start."""
    locustfile = folder / "visitor.py"
    locustfile.write_text(VISITOR, encoding="utf-8")
    thresholds = limit(folder, "5 s").read_text(encoding="utf-8")
    return Runner(locustfile, folder)("-H", server.url, *options, thresholds=thresholds)


def judge_again(run: Run, latency: str) -> subprocess.CompletedProcess[str]:
    """Judge a run with another limit."""
    return judge(run.directory, "--thresholds", str(limit(run.directory.parent, latency)))
