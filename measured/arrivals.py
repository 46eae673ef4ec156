"""Open loads in real processes: what is asked for starts, and when it is due, by the users' own record."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import psutil

from measured.measurement import Row, near, told
from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from tests.arrivals import Seen, start_arrivals
from tests.fix_runs import until
from tests.processes import finish, two_workers

DURATION_S, MOST_USERS, ANSWER_S = 30.0, 6000, 0.05
FROZEN_S = [8.0, 12.0]
LONGEST_S = 120.0


def measure(folder: Path) -> list[Row]:
    """Measure fast and slow rates, also while the service stands still, and workers that come and go."""
    rows = []
    for rate in (500, 0.5):
        for workers in (1, 2):
            for freeze_s in ([0.0, 0.0], FROZEN_S):
                frozen = ", 4 s frozen" if freeze_s is FROZEN_S else ""
                where = f"{rate} a second{frozen}, {workers} workers"
                seen = _run(folder / where, workers, rate=rate, freeze_s=freeze_s)
                rows += _starts(where, seen, rate * DURATION_S)
    rows += _poisson(folder / "poisson")
    rows += _leavers(folder / "leavers")
    return rows + _a_worker_that_leaves(folder / "gone")


def _run(folder: Path, workers: int, **settings: object) -> Seen:
    folder.mkdir()
    options = ["--only-summary", *(two_workers() if workers == 2 else [])]
    defaults = {"duration_s": DURATION_S, "max_users": MOST_USERS, "service_s": ANSWER_S}
    process = start_arrivals(folder, *options, **(defaults | settings))
    return Seen(folder, finish(process, LONGEST_S))


def _starts(where: str, seen: Seen, asked_for: float) -> list[Row]:
    return [
        near(f"{where}: started", len(seen.starts_s), asked_for),
        near(f"{where}: dropped", seen.count("dropped"), 0),
        told(f"{where}: over 10 ms late", seen.count("late"), 0),
        *(
            told(
                f"{where}: delay of a start, p{percent}",
                float(np.percentile(seen.delays_ms, percent)),
                0,
                "ms",
            )
            for percent in (50, 99, 100)
        ),
    ]


def _poisson(folder: Path) -> list[Row]:
    """One sequence of random arrivals is dealt to both workers: together they start each of it once."""
    seen = _run(folder, 2, rate=100, spacing="poisson", duration_s=10)
    asked_for = ArrivalSchedule((RateStage("hold", 10, 100, 100),), MOST_USERS, "poisson")
    return [
        near("Poisson, 100/s, 2 workers: started", len(seen.starts_s), len(list(asked_for.starts()))),
        near("Poisson, 100/s, 2 workers: that started some", len(seen.processes), 2),
    ]


def _leavers(folder: Path) -> list[Row]:
    """Users who stop themselves after a visit make place for others."""
    seen = _run(folder, 2, rate=40, leaves=True, duration_s=10)
    return [near("users who leave, 40/s, 2 workers: started", len(seen.starts_s), 400)]


def _a_worker_that_leaves(folder: Path) -> list[Row]:
    """The share of a worker that is gone goes to the other, but for the moments in between."""
    folder.mkdir()
    process = start_arrivals(
        folder, "--only-summary", *two_workers(), "--enable-rebalancing",
        rate=40, duration_s=8, max_users=200, service_s=0.02,
    )  # fmt: skip
    until(lambda: len(list(folder.glob("*.started"))) == 2)
    time.sleep(2.2)
    psutil.Process(process.pid).children()[0].terminate()
    seen = Seen(folder, finish(process, LONGEST_S))
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
