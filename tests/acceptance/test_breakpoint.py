"""A search for the breakpoint in real processes finds the capacity that the service has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plimsoll.loads.search import Tried
from tests.acceptance.small_search import SmallSearchShape
from tests.fix_runs import judge
from tests.processes import finish, start_locust, two_workers
from tests.queue_server import QueueServer

ROOT = Path(__file__).resolve().parents[2]
CAPACITY_PER_S = 55.0
THRESHOLDS = "thresholds:\n  - p95 < 300 ms\n  - error_rate < 5%\n  - dropped_iterations < 1%\n"


@pytest.fixture
def queue_server() -> Iterator[QueueServer]:
    """Run a service of known capacity for one test."""
    server = QueueServer(CAPACITY_PER_S)
    yield server
    server.stop()


def options(folder: Path, url: str) -> list[str]:
    """Return the options of a search against a service."""
    thresholds = folder / "limits.yaml"
    thresholds.write_text(THRESHOLDS, encoding="utf-8")
    run = ["--run-dir", str(folder / "run"), "--thresholds", str(thresholds), "-H", url]
    return ["-f", "tests/acceptance/queueing_users.py", "--headless", "--only-summary", *run]


def read(folder: Path) -> Any:
    """Return the verdict on the run in a folder."""
    return json.loads((folder / "run" / "verdict.json").read_text(encoding="utf-8"))


@pytest.mark.calm
def test_the_capacity_is_in_the_interval(tmp_path: Path, queue_server: QueueServer) -> None:
    """A service good for 55/s passes below and fails above; judging it again from the files says the same."""
    # With workers, as verdicts must wait for their reports: on one process the same goes on with less of it.
    command = [*options(tmp_path, queue_server.url), *two_workers()]
    output = finish(start_locust(command, ROOT), timeout_s=180)
    verdict = read(tmp_path)
    capacity = verdict["capacity"]

    assert capacity["unit"] == "/s", output
    assert capacity["passed"] <= CAPACITY_PER_S < capacity["failed"], output
    assert_played_as_judged(capacity["steps"])
    # All limits hold at the highest load that passed, which is what the run is judged at.
    assert {threshold["verdict"] for threshold in verdict["thresholds"]} == {"PASS"}
    assert "capacity: at least" in output

    again = judge(tmp_path / "run")

    assert read(tmp_path)["capacity"] == capacity, again.stdout


def assert_played_as_judged(steps: list[dict[str, Any]]) -> None:
    """Assert that all steps follow from the verdicts before; only the generator leaves one open."""
    tried = [Tried(step["load"], step["verdict"]) for step in steps]
    search = SmallSearchShape().search
    followed_by = [search.next_rate(tried[:number]) for number in range(len(tried) + 1)]

    open_ones = [step["reason"] for step in steps if step["verdict"] == "INCONCLUSIVE"]

    assert followed_by == [*(step.rate for step in tried), None]
    assert all(reason.startswith("the load generator") for reason in open_ones), open_ones
    assert open_ones or [step.rate for step in tried] == [40, 80, 60]


def test_without_limits_there_is_nothing_to_search_for(tmp_path: Path) -> None:
    """A search that could judge no step is refused before any load starts."""
    process = start_locust(
        ["-f", "tests/acceptance/queueing_users.py", "--headless", "-H", "http://127.0.0.1:1",
         "--run-dir", str(tmp_path / "run")], ROOT,
    )  # fmt: skip
    output = finish(process)

    assert process.returncode == 2
    assert "SmallSearchShape searches for where limits break: give them with --thresholds FILE" in output
