"""Loads in real processes: what is asked for starts, when it is due, on one process and on two workers.

Arrivals by the users' own record, shapes by the users that are there, a search for the breakpoint beside the
capacity that the service has.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil

from measured.delay_server import DelayServer
from measured.measurement import Row, beside, near
from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from plimsoll.loads.schedule import Schedule
from plimsoll.run_files.files import SCHEDULE_FILE, VERDICT_FILE
from shapes.__main__ import find_shapes
from tests.arrivals import Seen, start_arrivals
from tests.fix_runs import ROOT, Run, Runner, judge, until
from tests.processes import finish, start_locust, two_workers

DURATION_S, MOST_USERS, ANSWER_S = 30.0, 6000, 0.05
FROZEN_S = [8.0, 12.0]
LONGEST_ARRIVALS_S = 120.0


def measure_arrivals(folder: Path) -> list[Row]:
    """Measure fast and slow rates, also while the service stands still, and workers that come and go."""
    rows = []
    for rate in (500, 0.5):
        for workers in (1, 2):
            for freeze_s in ([0.0, 0.0], FROZEN_S):
                frozen = ", 4 s frozen" if freeze_s is FROZEN_S else ""
                where = f"{rate} a second{frozen}, {workers} workers"
                seen = _run(folder / where, workers, rate=rate, freeze_s=freeze_s)
                rows += [
                    near(f"{where}: started", len(seen.starts_s), rate * DURATION_S),
                    near(f"{where}: dropped", seen.count("dropped"), 0),
                    beside(f"{where}: over 10 ms late", seen.count("late"), 0),
                ]
                for percent in (50, 99, 100):
                    delay_ms = float(np.percentile(seen.delays_ms, percent))
                    rows.append(beside(f"{where}: delay of a start, p{percent}", delay_ms, 0, "ms"))
    # One sequence of random arrivals is dealt to both workers: together they start each of it once.
    random = ArrivalSchedule((RateStage("hold", 10, 100, 100),), MOST_USERS, "poisson")
    seen = _run(folder / "poisson", 2, rate=100, spacing="poisson", duration_s=10)
    # Users who stop themselves after a visit make place for others.
    leavers = _run(folder / "leavers", 2, rate=40, leaves=True, duration_s=10)
    return [
        *rows,
        near("Poisson, 100/s, 2 workers: started", len(seen.starts_s), len(list(random.starts()))),
        near("Poisson, 100/s, 2 workers: workers that started some", len(seen.processes), 2),
        near("users who leave, 40/s, 2 workers: started", len(leavers.starts_s), 400),
        *_a_worker_that_leaves(folder / "gone"),
    ]


def _run(folder: Path, workers: int, **settings: object) -> Seen:
    folder.mkdir()
    options = ["--only-summary", *(two_workers() if workers == 2 else [])]
    defaults = {"duration_s": DURATION_S, "max_users": MOST_USERS, "service_s": ANSWER_S}
    process = start_arrivals(folder, *options, **(defaults | settings))
    seen = Seen(folder, finish(process, LONGEST_ARRIVALS_S))
    assert seen.processes, f"Locust ended with status {process.returncode} and no start:\n{seen.output}"
    return seen


def _a_worker_that_leaves(folder: Path) -> list[Row]:
    """The share of a worker that is gone goes to the other, but for the moments in between."""
    folder.mkdir()
    process = start_arrivals(
        folder, "--only-summary", *two_workers(), "--enable-rebalancing",
        rate=40, duration_s=8, max_users=200, service_s=0.02,
    )  # fmt: skip
    until(lambda: process.poll() is not None or len(list(folder.glob("*.started"))) == 2)
    assert process.poll() is None, f"Locust ended with status {process.returncode}:\n{finish(process)}"
    time.sleep(2.2)
    psutil.Process(process.pid).children()[0].terminate()
    seen = Seen(folder, finish(process, LONGEST_ARRIVALS_S))
    stayed = max(seen.processes, key=lambda found: found["starts"][-1])
    due_s = sorted(
        at_s - late_ms / 1000 for at_s, late_ms in zip(stayed["starts"], stayed["delays_ms"], strict=True)
    )
    first = sum(each_s - due_s[0] < 1 for each_s in due_s)
    last = sum(due_s[-1] - each_s < 1 for each_s in due_s)
    return [
        near("a worker that leaves, 40/s: the other's first second", first, 20, slack=2),
        near("a worker that leaves, 40/s: the other's last second", last, 40, slack=2),
        near("a worker that leaves, 40/s: started", len(seen.starts_s), 320, slack=60),
    ]


# Users come in steps of a second, and a step takes up to two, on a busy machine a little longer.
SETTLED_S, NEAR_TENTHS = 2.5, 25
SCALES = {"stress": (0.002, 0.0052), "pool_phases": (1.0, 0.56)}


def measure_shapes(folder: Path) -> list[Row]:
    """Count the seconds of both shapes whose users are those that the pure function plans around it."""
    rows = []
    for name, (user_scale, time_scale) in SCALES.items():
        load = find_shapes()[name].schedule.scaled(user_scale, time_scale)
        assert isinstance(load, Schedule)
        for where, distributed in (("one process", []), ("two workers", two_workers())):
            directory = folder / f"{name}-{where}"
            options = ["-f", f"tests/idle_users.py,shapes/{name}.py", "--headless", "--only-summary"]
            options += ["--user-scale", str(user_scale), "--time-scale", str(time_scale)]
            process = start_locust([*options, "--run-dir", str(directory), *distributed], ROOT)
            output = finish(process)
            settled = [
                (float(row["elapsed_s"]), int(row["users"]))
                for row in Run(process.returncode, output, directory).rows(SCHEDULE_FILE)
                if row["planned_users"] and float(row["elapsed_s"]) >= SETTLED_S
            ]
            as_planned = sum(_is_near(load, elapsed_s, users) for elapsed_s, users in settled)
            rows.append(near(f"{name}, {where}: seconds as planned, of all", as_planned, len(settled), "s"))
    return rows


def _is_near(load: Schedule, elapsed_s: float, users: int) -> bool:
    last_s = load.duration_s * 0.999
    near = [
        load.users_at(min(max(0.0, elapsed_s + tenth / 10), last_s)) or 0 for tenth in range(-NEAR_TENTHS, 11)
    ]
    return min(near) - 1 <= users <= max(near) + 1


CAPACITY_PER_S = 55.0
LONGEST_SEARCH_S = 300
THRESHOLDS = "thresholds:\n  - p95 < 300 ms\n  - error_rate < 5%\n  - dropped_iterations < 1%\n"


def measure_breakpoint(folder: Path) -> list[Row]:
    """Search, and judge the search again from its files."""
    # With workers, as verdicts must wait for their reports: on one process the same goes on with less of it.
    with closing(DelayServer("queue", str(CAPACITY_PER_S))) as server:
        search = Runner(Path("tests/queueing_users.py"), folder)
        run = search("-H", server.url, *two_workers(), thresholds=THRESHOLDS, limit_s=LONGEST_SEARCH_S)
    capacity = run.read(VERDICT_FILE)["capacity"]
    judge(run.directory)
    again = run.read(VERDICT_FILE)["capacity"]
    return [
        # The search tries 40, 80 and 60.
        near("highest load that passed", capacity["passed"], 40, "/s"),
        near("lowest load that failed", capacity["failed"], 60, "/s"),
        beside("lowest load that failed, of the capacity", capacity["failed"], CAPACITY_PER_S, "/s"),
        near(
            "steps left open by the generator",
            sum(step["verdict"] == "INCONCLUSIVE" for step in capacity["steps"]),
            0,
        ),
        near("judged again: the same steps", int(again == capacity), 1),
    ]
