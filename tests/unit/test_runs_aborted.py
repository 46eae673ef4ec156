"""A limit with `abort` ends the load, and the run fails by it; whole runs under virtual time."""

from __future__ import annotations

import gevent

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fix_virtual_runs import GreenletService, VirtualRun, VirtualRunner
from tests.in_process import JUDGING_S, Live, run_locust
from tests.watchers import WatchProcess, broken_after

LIMIT = "error_rate < 90%"
THRESHOLDS = f"thresholds:\n  - {LIMIT}\n"
BROKEN_BATCHES, BROKEN_S = 5, 10
"""A batch comes every 2 s."""
WHY = "aborted: measured 48 %"
ARRIVALS = """
from plimsoll import ArrivalShape, RateStage

class Arriving(ArrivalShape):
    max_users = 10
    stages = (RateStage("hold", 300, 10, 10),)
"""
SEARCH = """
from plimsoll import SearchShape

class Searching(SearchShape):
    first_rate, factor, max_rate, resolution = 10, 2, 40, 0.1
    step_s, rest_s, max_steps, max_users = 20, 5, 5, 10
"""
OWN = """
from locust import LoadTestShape

class Own(LoadTestShape):
    def tick(self):
        return (4, 4) if self.get_run_time() < 300 else None
"""


def assert_aborted(run: VirtualRun) -> None:
    """Require that the run was ended by its limit, and fails by it."""
    facts, verdict = run.read("run.json"), run.read("verdict.json")
    abort = facts["aborted_by"]

    assert run.status == 99, run.output
    assert (facts["end_reason"], facts["aborted"]) == (WHY, None)
    assert (abort["source"], abort["text"]) == (LIMIT, "measured 48 %")
    assert abort["at_s"] == pytest.approx(BROKEN_S, abs=2)
    assert verdict["verdict"] == "FAIL"
    assert verdict["run"]["aborted_by"] == abort
    assert verdict["reasons"][0]["subject"] == LIMIT
    assert verdict["thresholds"][0]["verdict"] == "FAIL"
    assert f"by {LIMIT}" in run.output
    assert run.output.count("the load is aborted, and the run fails") == 1
    assert "Traceback" not in run.output


@pytest.mark.parametrize("shape", ["", OWN, ARRIVALS, SEARCH])
def test_a_broken_limit_ends_the_load(
    virtual_run: VirtualRunner, virtual_service: GreenletService, shape: str
) -> None:
    """Whatever plans the load, it ends when the limit is broken; the verdict is FAIL and says by what."""
    source = virtual_run.locustfile.read_text(encoding="utf-8")
    virtual_run.locustfile.write_text(source + shape, encoding="utf-8")
    run_time = [] if shape else ["-t", "300s"]
    look = broken_after(BROKEN_BATCHES, LIMIT)
    run = virtual_run("-H", virtual_service.url, *run_time, thresholds=THRESHOLDS, look=look)

    assert_aborted(run)
    assert run.elapsed_s == pytest.approx(BROKEN_S + JUDGING_S, abs=5)
