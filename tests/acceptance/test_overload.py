"""A service too slow for its arrival rate: no latency of the few that started makes the run green."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fix_runs import Run, Runner
from tests.processes import two_workers
from tests.queue_server import QueueServer

CAPACITY_PER_S, RATE_PER_S, DURATION_S, MOST_USERS = 50, 100, 10, 20
VISITOR = f"""
from locust import task
from clients.http import LeanHttpUser
from shapes import _arrival_shape
from shapes.arrivals import ArrivalSchedule, RateStage
from telemetry.switch import record_run

record_run()

class Visitor(LeanHttpUser):
    request_names = {{"queue.visit"}}

    @task
    def visit(self):
        self.client.get("/", name="queue.visit")

class Arrivals(_arrival_shape.ArrivalShape):
    schedule = ArrivalSchedule(
        (RateStage("hold", {DURATION_S}, {RATE_PER_S}, {RATE_PER_S}),), most_users={MOST_USERS}
    )
"""


@pytest.fixture
def queue_server() -> Iterator[QueueServer]:
    """Run a service that is good for half of what arrives."""
    server = QueueServer(CAPACITY_PER_S)
    yield server
    server.stop()


def overloaded(folder: Path, server: QueueServer, workers: int, limit: str) -> tuple[Run, dict[str, Any]]:
    """Run into overload with one limit, on p99, and return the run and its verdict."""
    locustfile = folder / "visitor.py"
    locustfile.write_text(VISITOR, encoding="utf-8")
    options = two_workers() if workers == 2 else []
    thresholds = f"thresholds:\n  - p99 of queue.visit < {limit}\n"
    run = Runner(locustfile, folder)("-H", server.url, *options, thresholds=thresholds)
    return run, run.read("verdict.json")


# With 20 users and 50 answers a second each of them waits for 0.4 s.
@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_that_all_held_who_started(tmp_path: Path, queue_server: QueueServer, workers: int) -> None:
    """What never started is counted with no limit on it, and those who did cannot make the latency pass."""
    run, verdict = overloaded(tmp_path, queue_server, workers, "5 s")
    arrivals, (threshold,) = verdict["run"]["arrivals"], verdict["thresholds"]
    (check,) = (check for check in verdict["validity"] if check["check"] == "arrivals")

    assert (run.status, verdict["verdict"], threshold["verdict"]) == (77, "INCONCLUSIVE", "INCONCLUSIVE")
    assert arrivals["planned"] == DURATION_S * RATE_PER_S == arrivals["started"] + arrivals["dropped"]
    assert arrivals["started"] == verdict["requests"][0]["n"] == pytest.approx(500, abs=100)
    assert f"{arrivals['dropped']} dropped" in run.output
    assert check["value"] == pytest.approx(0.5, abs=0.1)
    assert check["reason"].endswith("dropped): overload, not a latency estimate")
    assert f"arrivals: {check['reason']}" in verdict["reasons"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_that_all_broke_who_started(tmp_path: Path, queue_server: QueueServer, workers: int) -> None:
    """A latency that is too high with half of the load is a FAIL, unless the generator was out of breath."""
    run, verdict = overloaded(tmp_path, queue_server, workers, "100 ms")
    breathless = any(
        check["check"].startswith("generator_") and not check["ok"] for check in verdict["validity"]
    )

    expected = (77, "INCONCLUSIVE") if breathless else (99, "FAIL")
    assert (run.status, verdict["thresholds"][0]["verdict"]) == expected, run.output
    assert verdict["run"]["arrivals"]["dropped"] > 300
