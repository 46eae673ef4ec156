"""A service too slow for its arrival rate: no latency of the few that started makes the run green."""

from __future__ import annotations

import pytest

from tests.fix_virtual_runs import VirtualRunner
from tests.greenlet_service import GreenletService, one_server
from tests.in_process import run_reports

CAPACITY_PER_S, RATE_PER_S, DURATION_S, MOST_USERS = 50, 100, 30, 20
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


def test_a_service_too_slow_is_never_green(
    virtual_run: VirtualRunner, virtual_service: GreenletService
) -> None:
    """What never started is counted with no limit on it, and those who did cannot make the latency pass.

    Judged again with a limit that they all broke it is a FAIL.
    """
    # With 20 users and 50 answers a second each of them waits for 0.4 s.
    virtual_service.delay_s = one_server(CAPACITY_PER_S)
    virtual_run.locustfile.write_text(VISITOR, encoding="utf-8")
    run = virtual_run("-H", virtual_service.url, thresholds=LIMIT.format("5 s"))
    verdict = run.read("verdict.json")
    arrivals, (threshold,) = verdict["run"]["arrivals"], verdict["thresholds"]
    (check,) = (check for check in verdict["validity"] if check["check"] == "arrival_rate_kept")

    assert (run.status, verdict["verdict"], threshold["verdict"]) == (77, "INCONCLUSIVE", "INCONCLUSIVE")
    assert arrivals["planned"] == DURATION_S * RATE_PER_S == arrivals["started"] + arrivals["dropped"]
    assert arrivals["started"] == verdict["requests"][0]["n"]
    assert arrivals["started"] == pytest.approx(DURATION_S * CAPACITY_PER_S, abs=MOST_USERS)
    assert f"{arrivals['dropped']:,} dropped" in run.output
    assert check["value"] == pytest.approx(CAPACITY_PER_S / RATE_PER_S, abs=0.02)
    assert check["reason"].endswith("dropped): overload, not a latency estimate")
    assert {"kind": "check", "subject": "arrival_rate_kept", "text": check["reason"]} in verdict["reasons"]

    tight = run.directory / "tight.yaml"
    tight.write_text(LIMIT.format("100 ms"), encoding="utf-8")
    again = run_reports(["judge", str(run.directory), "--thresholds", str(tight)])

    assert (again.returncode, run.read("verdict.json")["thresholds"][0]["verdict"]) == (99, "FAIL")
