"""An open load on two real workers starts what was asked for."""

from __future__ import annotations

from pathlib import Path

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from tests.arrivals import Seen, start_arrivals
from tests.processes import finish, two_workers


def test_poisson_on_two_workers(tmp_path: Path) -> None:
    """One sequence of random arrivals is dealt to both workers: together they start or drop each once."""
    settings = {"rate": 100, "duration_s": 3, "max_users": 300, "service_s": 0.02, "spacing": "poisson"}
    seen = Seen(tmp_path, finish(start_arrivals(tmp_path, *two_workers(), **settings)))
    asked_for = ArrivalSchedule((RateStage("hold", 3, 100, 100),), 300, "poisson")

    assert len(seen.processes) == 2, seen.output
    assert len(seen.starts_s) == seen.count("started")
    assert seen.count("started") + seen.count("dropped") == len(list(asked_for.starts()))
