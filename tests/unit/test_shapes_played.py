"""Shapes, whole runs under virtual time: the load that is played is the one that was planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll.loads.schedule import Schedule
from shapes.__main__ import find_shapes
from tests.fix_runs import Run
from tests.in_process import run_locust

LENGTH_S, MOST_USERS = 60.0, 50
LOADS = {name: shape.schedule for name, shape in find_shapes().items()}
SCHEDULES = {name: load for name, load in LOADS.items() if isinstance(load, Schedule)}


@pytest.mark.parametrize("name", SCHEDULES)
def test_what_was_planned_is_played(tmp_path: Path, name: str) -> None:
    """Each second has the users that the pure function plans for its middle."""
    user_scale, time_scale = MOST_USERS / SCHEDULES[name].peak_users, LENGTH_S / SCHEDULES[name].duration_s
    load = SCHEDULES[name].scaled(user_scale, time_scale)
    options = [
        "-f",
        f"tests/idle_users.py,shapes/{name}.py",
        "--headless",
        "--run-dir",
        str(tmp_path / "run"),
    ]
    options += ["--user-scale", str(user_scale), "--time-scale", str(time_scale)]
    ended = run_locust(options)
    run = Run(ended.status, ended.output, tmp_path / "run")
    rows = [row for row in run.rows("schedule.csv") if row["planned_users"]]

    assert len(rows) >= LENGTH_S - 2, run.output
    for row in rows[2:]:
        elapsed_s = float(row["elapsed_s"])
        near = {
            load.users_at(max(0, min(elapsed_s + offset_s / 2, LENGTH_S * 0.999))) or 0
            for offset_s in range(-4, 2)
        }
        assert min(near) <= int(row["users"]) <= max(near), row
    assert run.read("run.json")["end_reason"] == "schedule ended"
