"""A frozen service: response times from the intended start are those that users who come by plan see."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fix_virtual_runs import VirtualRun, VirtualRunner
from tests.greenlet_service import GreenletService
from tests.read_runs import interval_rows, recorded_ms
from tests.virtual_time import START_UNIX_S

ANSWER_S = 0.02
FREEZE_FROM_S, FREEZE_TO_S = 10.0, 12.0
RATE, DURATION_S = 50, 20
PACED_USERS, PACING_S = 10, 0.2
# The users write down by themselves when they start and when they are done.
VISITOR = """
import time
from locust import FastHttpUser, constant_pacing, events, task
from plimsoll import ArrivalShape, RateStage
from plimsoll import record_run

seen = []

class Visitor(FastHttpUser):
    wait_time = constant_pacing(0.2)

    @task
    def visit(self):
        started_s = time.time()
        self.client.get("/home", name="shop.home")
        seen.append((id(self), started_s, time.time()))

@events.test_stop.add_listener
def write(**_):
    with open("SEEN", "w") as file:
        file.writelines(f"{user},{start!r},{end!r}" + chr(10) for user, start, end in seen)

record_run()
"""
ARRIVALS = f"""
class Arrivals(ArrivalShape):
    stages = (RateStage("hold", {DURATION_S}, {RATE}, {RATE}),)
    max_users = 400
"""
Floats = NDArray[np.float64]


def frozen_run(
    run: VirtualRunner, service: GreenletService, visitor: str, *arguments: str
) -> tuple[VirtualRun, Floats]:
    """Run against a service that stands still for a while, and return the run and what users saw."""
    seen = run.folder / "seen.csv"
    run.locustfile.write_text(visitor.replace("SEEN", str(seen)), encoding="utf-8")
    service.delay_s = thawed_after_s
    done = run("-H", service.url, *arguments, thresholds=None)
    return done, np.loadtxt(seen, delimiter=",")


def thawed_after_s(_: str) -> float:
    """Return how long an answer takes that is asked for now."""
    elapsed_s = time.time() - START_UNIX_S
    is_frozen = FREEZE_FROM_S <= elapsed_s < FREEZE_TO_S
    return ANSWER_S + (FREEZE_TO_S - elapsed_s if is_frozen else 0)


def assert_recorded(directory: Path, histogram: str, truth_ms: Floats) -> None:
    """Hold requests and whole iterations, which are one request each, to what the users saw."""
    rows = interval_rows(directory)
    for q in (0.5, 0.9, 0.95, 0.99):
        expected = pytest.approx(np.quantile(truth_ms, q, method="inverted_cdf"), rel=0.004)
        assert [recorded_ms(rows, kind, histogram, q) for kind in ("GET", "iteration")] == [expected] * 2


def test_arrivals(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """The percentiles from the intended start are those of a user who comes when the schedule says so."""
    run, seen = frozen_run(virtual_run, virtual_service, VISITOR + ARRIVALS)
    started_s, ended_s = seen[np.argsort(seen[:, 1], kind="stable"), 1:].T
    intended_s = started_s[0] + np.arange(len(seen)) / RATE
    health = run.rows("health.csv")

    assert [sum(int(row[name]) for row in health) for name in ("started", "dropped")] == [len(seen), 0]
    assert run.read("run.json")["arrivals"]["planned"] == len(seen) == DURATION_S * RATE
    assert {row["stage"] for row in interval_rows(run.directory)} == {"hold"}
    assert_recorded(run.directory, "response_", (ended_s - intended_s) * 1000)
    assert_recorded(run.directory, "", (ended_s - started_s) * 1000)
    assert (ended_s - intended_s).max() == pytest.approx(FREEZE_TO_S - FREEZE_FROM_S + ANSWER_S, abs=1 / RATE)


def test_paced_users(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """Users at a pace hide a freeze from the service time; from the intended start it is there."""
    load = ("-u", str(PACED_USERS), "-r", str(PACED_USERS), "-t", f"{DURATION_S}s")
    run, seen = frozen_run(virtual_run, virtual_service, VISITOR, *load)
    of_users = [seen[seen[:, 0] == user] for user in np.unique(seen[:, 0])]
    truth_ms = np.concatenate(
        [(own[:, 2] - own[0, 1] - PACING_S * np.arange(len(own))) * 1000 for own in of_users]
    )
    rows = interval_rows(run.directory)

    assert len(of_users) == PACED_USERS
    assert_recorded(run.directory, "response_", truth_ms)
    assert_recorded(run.directory, "", (seen[:, 2] - seen[:, 1]) * 1000)
    assert recorded_ms(rows, "GET", "response_", 0.95) > 1000
    assert recorded_ms(rows, "GET", "", 0.95) < 25
