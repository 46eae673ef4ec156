"""Shapes in real processes: one process and two workers play the same load, the one that was planned."""

from __future__ import annotations

from pathlib import Path

from measured.measurement import Row, near
from plimsoll.loads.schedule import Schedule
from plimsoll.run_files.files import SCHEDULE_FILE
from shapes.__main__ import find_shapes
from tests.fix_runs import ROOT, Run
from tests.processes import finish, start_locust, two_workers

# Users come in steps of a second, and a step takes up to two, on a busy machine a little longer.
SETTLED_S, NEAR_TENTHS = 2.5, 25
SCALES = {"stress": (0.002, 0.0052), "pool_phases": (1.0, 0.56)}


def measure(folder: Path) -> list[Row]:
    """Measure both shapes, each in one process and on two workers."""
    return [
        _planned_seconds(folder / f"{name}-{where}", name, where, distributed)
        for name in SCALES
        for where, distributed in (("one process", []), ("two workers", two_workers()))
    ]


def _planned_seconds(folder: Path, name: str, where: str, distributed: list[str]) -> Row:
    """Count the seconds whose users are those that the pure function plans around it."""
    load = find_shapes()[name].schedule.scaled(*SCALES[name])
    assert isinstance(load, Schedule)
    user_scale, time_scale = map(str, SCALES[name])
    options = ["-f", f"tests/idle_users.py,shapes/{name}.py", "--headless", "--only-summary"]
    options += ["--user-scale", user_scale, "--time-scale", time_scale, "--run-dir", str(folder)]
    process = start_locust([*options, *distributed], ROOT)
    output = finish(process)
    planned = [
        row for row in Run(process.returncode, output, folder).rows(SCHEDULE_FILE) if row["planned_users"]
    ]
    rows = [row for row in planned if float(row["elapsed_s"]) >= SETTLED_S]
    as_planned = sum(_is_near(load, float(row["elapsed_s"]), int(row["users"])) for row in rows)
    return near(f"{name}, {where}: seconds as planned, of all", as_planned, len(rows), "s")


def _is_near(load: Schedule, elapsed_s: float, users: int) -> bool:
    last_s = load.duration_s * 0.999
    near = [
        load.users_at(min(max(0.0, elapsed_s + tenth / 10), last_s)) or 0 for tenth in range(-NEAR_TENTHS, 11)
    ]
    return min(near) - 1 <= users <= max(near) + 1
