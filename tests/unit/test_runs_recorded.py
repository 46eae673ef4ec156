"""intervals.arrow of whole runs agrees with Locust's own totals to the last request."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from tests.fix_virtual_runs import GreenletService, VirtualRunner
from tests.http_service import Shop
from tests.read_runs import interval_rows, locust_totals, totals

LIMITS = "thresholds:\n  - p95 of shop.home < 20 ms\n  - p99 of shop.home <= 1 s\n  - error_rate < 50%\n"
OWN_CLIENT = """
from locust import HttpUser, User, constant, task
from plimsoll import record_run

class Sensor(User):
    wait_time = constant(0.25)

    @task
    def read(self):
        fire, lost = self.environment.events.request.fire, OSError("no answer")
        fire(request_type="UDP", name="read", response_time=None, response_length=0)
        fire(request_type="UDP", name="lost", response_time=1.5, response_length=8, exception=lost)
        fire(request_type="UDP", name="broken", response_time=1.5, response_length="many")

class Browser(HttpUser):
    wait_time = constant(0.25)

    @task
    def home(self):
        self.client.get("/home?token=s3cret")

record_run()
"""
EVERY_SECOND = """
from locust import constant_pacing, task
from plimsoll.users.http import LeanHttpUser
from plimsoll import record_run

record_run()

class Visitor(LeanHttpUser):
    wait_time = constant_pacing(1)

    @task
    def home(self):
        self.client.get("/home", name="shop.home")
"""
RAMP_DOWN = """
from locust import LoadTestShape

class Shrinking(LoadTestShape):
    def tick(self):
        elapsed_s = self.get_run_time()
        return ((4, 4) if elapsed_s < 20 else (1, 4)) if elapsed_s < 50 else None
"""


def test_totals(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """By name, the sums over all seconds are Locust's own totals; run.json says the same."""
    finals = virtual_run.folder / "finals.json"
    options = ["-t", "20s", "-H", virtual_service.url, "--json-file", str(finals.with_suffix(""))]
    ended = virtual_run(*options, thresholds=LIMITS)
    facts, found = ended.read("run.json"), interval_rows(ended.directory)

    assert totals(ended.directory) == locust_totals(finals), ended.output
    assert facts["locust_totals"]["requests"] == sum(row["n"] for row in found) == 4 * math.ceil(20 / 0.06)
    assert facts["recording_errors"] == 0
    for row in found:
        assert sum(row["counts"]) == row["n"] - row["failures"]
        assert sum(row["failed_counts"]) == sum(row["failure_counts"]) == row["failures"]
        assert len(row["over_limit"]) == 2
        assert row["ended_s"] >= row["started_s"]
    assert {(row["user_class"], row["worker"]) for row in found} == {("Visitor", "local")}


def test_any_user(virtual_run: VirtualRunner, service: Shop) -> None:
    """Users of any kind are recorded; what their events tell wrongly is counted and breaks nothing."""
    virtual_run.locustfile.write_text(OWN_CLIENT, encoding="utf-8")
    ended = virtual_run("-t", "12s", "-H", service.url, thresholds=None)
    found, by_class = interval_rows(ended.directory), Counter[str]()
    for row in found:
        by_class[f"{row['user_class']} {row['request_type']} {row['name']}"] += row["n"]

    assert set(by_class) == {"Sensor UDP read", "Sensor UDP lost", "Browser GET /home?token=***"}
    assert by_class["Sensor UDP read"] == by_class["Sensor UDP lost"] > 90
    assert {kind for row in found for kind in row["failure_kinds"]} == {"OSError: no answer"}
    assert ended.read("run.json")["recording_errors"] == by_class["Sensor UDP read"]
    assert ended.status == 77, ended.output


def test_cut_off(virtual_run: VirtualRunner, silent_url: str) -> None:
    """Requests still waiting when the run ends are there with their age, over each limit they outlived."""
    ended = virtual_run("-t", "12s", "-H", silent_url, thresholds=LIMITS)
    found = interval_rows(ended.directory)

    assert sum(row["unfinished"] for row in found) == 4, ended.output
    assert sum(row["n"] for row in found) == 0
    assert sum(row["unfinished_over_limit"][0] for row in found) == 4
    assert all(row["ended_s"] - row["started_s"] == 12 for row in found)
    assert {row["user_class"] for row in found} == {"Visitor"}
    assert {row["in_flight"] for row in ended.rows("health.csv")} == {"4.0"}
    assert ended.status in {77, 99}
    assert ended.read("verdict.json")["run"]["unfinished"] == 4


def test_ramp_down(virtual_run: VirtualRunner, silent_url: str) -> None:
    """Users that are stopped on the way down leave their slow requests behind, not out."""
    with virtual_run.locustfile.open("a", encoding="utf-8") as locustfile:
        locustfile.write(RAMP_DOWN)
    ended = virtual_run("-H", silent_url, thresholds=None)
    found = interval_rows(ended.directory)
    last_s = max(row["ended_s"] for row in found)

    assert sum(row["unfinished"] for row in found) == 4, ended.output
    assert sum(row["unfinished"] for row in found if row["ended_s"] == last_s - 30) == 3


@pytest.mark.parametrize(("keep_alive_s", "status"), [(0.2, 99), (None, 0)])
def test_reconnects(
    virtual_run: VirtualRunner, virtual_service: GreenletService, keep_alive_s: float | None, status: int
) -> None:
    """Connections that the server had closed while they were idle are counted, and a limit set on them."""
    virtual_service.keep_alive_s = keep_alive_s
    virtual_run.locustfile.write_text(EVERY_SECOND, encoding="utf-8")
    limits = "thresholds: [count of http.reconnects < 5]"
    run = virtual_run("-t", "12s", "-H", virtual_service.url, thresholds=limits)
    verdict = run.read("verdict.json")
    # Four users ask at 0 s, 1 s, … 11 s (an answer takes 10 ms), each but for the first time anew.
    reconnects = 4 * 11 if keep_alive_s else 0

    assert verdict["run"]["requests"] == 4 * 12, run.output
    assert verdict["run"]["failures"] == 0
    assert {each["name"]: each["value"] for each in verdict["metrics"]} == {"http.reconnects": reconnects}
    assert verdict["thresholds"][0]["value"] == reconnects
    assert run.status == status
    assert "http.reconnects" in (run.directory / "report.html").read_text(encoding="utf-8")
