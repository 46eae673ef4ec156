"""A search for the breakpoint, a whole run under virtual time, finds the capacity that the service has."""

from __future__ import annotations

from pathlib import Path

from plimsoll.loads.search import Tried
from tests.fix_virtual_runs import VirtualRunner
from tests.greenlet_service import GreenletService, one_server
from tests.in_process import run_reports
from tests.small_search import SmallSearchShape

CAPACITY_PER_S = 55.0
THRESHOLDS = "thresholds:\n  - p95 < 300 ms\n  - error_rate < 5%\n  - dropped_iterations < 1%\n"


def test_the_capacity_is_in_the_interval(tmp_path: Path, virtual_service: GreenletService) -> None:
    """A service good for 55/s passes below and fails above; judging it again from the files says the same."""
    virtual_service.delay_s = one_server(CAPACITY_PER_S)
    search = VirtualRunner(Path("tests/queueing_users.py"), tmp_path)
    run = search("-H", virtual_service.url, thresholds=THRESHOLDS)
    verdict = run.read("verdict.json")
    capacity = verdict["capacity"]
    tried = [Tried(step["load"], step["verdict"]) for step in capacity["steps"]]

    assert tried == [(40, "PASS"), (80, "FAIL"), (60, "FAIL")], run.output
    assert SmallSearchShape().search.next_rate(tried) is None
    assert (capacity["unit"], capacity["passed"], capacity["failed"]) == ("/s", 40, 60)
    # All limits hold at the highest load that passed, which is what the run is judged at.
    assert {threshold["verdict"] for threshold in verdict["thresholds"]} == {"PASS"}
    assert "capacity: at least" in run.output

    again = run_reports(["judge", str(run.directory)])

    assert run.read("verdict.json")["capacity"] == capacity, again.stdout
