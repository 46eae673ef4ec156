"""Shapes in real processes: one process and two workers play the same load, the one that was planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll.loads.schedule import Schedule
from shapes.__main__ import find_shapes
from tests.fix_runs import Run
from tests.processes import finish, start_locust, two_workers

pytestmark = pytest.mark.calm

ROOT = Path(__file__).resolve().parents[2]
# Users come in steps of a second, and a step takes up to two, on a busy machine a little longer.
SETTLED_S, NEAR_TENTHS = 2.5, 25
SCALES = {"stress": (0.002, 0.0026), "pool_phases": (1.0, 0.28)}


def played(folder: Path, name: str, workers: int) -> Run:
    """Play a shape in seven seconds."""
    user_scale, time_scale = map(str, SCALES[name])
    options = ["-f", f"tests/acceptance/idle_users.py,shapes/{name}.py", "--headless", "--only-summary"]
    options += ["--user-scale", user_scale, "--time-scale", time_scale, "--run-dir", str(folder / "run")]
    process = start_locust(options + (two_workers() if workers == 2 else []), ROOT)
    output = finish(process)
    return Run(process.returncode, output, folder / "run")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", SCALES)
def test_what_was_planned_is_played(tmp_path: Path, name: str, workers: int) -> None:
    """Each second has the users that the pure function plans around it, on one process as on two workers."""
    load = find_shapes()[name].schedule.scaled(*SCALES[name])
    assert isinstance(load, Schedule)
    run = played(tmp_path, name, workers)
    planned = [row for row in run.rows("stages.csv") if row["planned_users"]]
    rows = [row for row in planned if float(row["elapsed_s"]) >= SETTLED_S]
    last_s = load.duration_s * 0.999

    assert len(rows) >= 3, run.output
    for row in rows:
        elapsed_s = float(row["elapsed_s"])
        near = [
            load.users_at(min(max(0.0, elapsed_s + tenth / 10), last_s)) or 0
            for tenth in range(-NEAR_TENTHS, 11)
        ]
        assert min(near) - 1 <= int(row["users"]) <= max(near) + 1, (row, run.output)
    assert run.read("run.json")["end_reason"] == "schedule ended"
