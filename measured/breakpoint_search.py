"""A search for the breakpoint on two workers, beside the capacity that the service has."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from measured.delay_server import DelayServer
from measured.measurement import Row, near, told
from plimsoll.run_files.files import VERDICT_FILE
from tests.fix_runs import Runner, judge
from tests.processes import two_workers

CAPACITY_PER_S = 55.0
LONGEST_S = 300
THRESHOLDS = "thresholds:\n  - p95 < 300 ms\n  - error_rate < 5%\n  - dropped_iterations < 1%\n"


def measure(folder: Path) -> list[Row]:
    """Search, and judge the search again from its files."""
    # With workers, as verdicts must wait for their reports: on one process the same goes on with less of it.
    with closing(DelayServer("queue", str(CAPACITY_PER_S))) as server:
        search = Runner(Path("tests/queueing_users.py"), folder)
        run = search("-H", server.url, *two_workers(), thresholds=THRESHOLDS, limit_s=LONGEST_S)
    capacity = run.read(VERDICT_FILE)["capacity"]
    judge(run.directory)
    again = run.read(VERDICT_FILE)["capacity"]
    return [
        # The search tries 40, 80 and 60.
        near("highest load that passed", capacity["passed"], 40, "/s"),
        near("lowest load that failed", capacity["failed"], 60, "/s"),
        told("lowest load that failed, of the capacity", capacity["failed"], CAPACITY_PER_S, "/s"),
        near(
            "steps left open by the generator",
            sum(step["verdict"] == "INCONCLUSIVE" for step in capacity["steps"]),
            0,
        ),
        near("judged again: the same steps", int(again == capacity), 1),
    ]
