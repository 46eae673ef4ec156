"""Open loads, whole runs under virtual time: iterations start when they are due, also when users are slow."""

from __future__ import annotations

import gevent

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage, Spacing
from tests.arrivals import LOCUSTFILE, Seen, environment_of
from tests.in_process import Live, run_locust

ALMOST_S = 1e-6


def play_arrivals(
    folder: Path, *options: str, meanwhile: Callable[[Live], object] | None = None, **settings: object
) -> Seen:
    """Run arriving users to their end, *meanwhile* beside them."""
    load = ["--headless"] if meanwhile is None else []
    with patch.dict(os.environ, environment_of(folder, settings)):
        ended = run_locust(["-f", str(LOCUSTFILE), *load, *options], meanwhile=meanwhile)
    return Seen(folder, ended.output)


def arrivals_between(seen: Seen, from_s: float, to_s: float) -> int:
    """Return how many iterations were to start between two moments."""
    return sum(from_s - ALMOST_S <= intended_s < to_s - ALMOST_S for intended_s in seen.intended_s)


@pytest.mark.parametrize(
    ("rate", "duration_s", "spacing"), [(500, 30, "even"), (0.5, 60, "even"), (100, 30, "poisson")]
)
def test_what_is_asked_for_starts(tmp_path: Path, rate: float, duration_s: float, spacing: Spacing) -> None:
    """Each arrival of the schedule starts, and at its moment."""
    seen = play_arrivals(
        tmp_path, rate=rate, duration_s=duration_s, max_users=2000, service_s=0.02, spacing=spacing
    )
    due_s = list(ArrivalSchedule((RateStage("hold", duration_s, rate, rate),), 2000, spacing).starts())

    assert seen.count("started") == len(due_s), seen.output
    assert seen.count("dropped") == seen.count("late") == 0
    assert seen.starts_s == pytest.approx([each_s - due_s[0] for each_s in due_s], abs=ALMOST_S)


def test_every_kind_of_user(tmp_path: Path) -> None:
    """Users with any client, with nested tasks or with exceptions take arrivals once they have signed in."""
    seen = play_arrivals(tmp_path, kinds=True, rate=40, duration_s=4, max_users=200, service_s=0.01)

    assert len(seen.starts_s) == 160, seen.output
    assert Counter(seen.kinds) == {"Plain": 40, "Fast": 40, "Http": 40, "Nested": 40}
    # A wait_time of a minute keeps nobody from the next arrival.
    assert [arrivals_between(seen, second, second + 1) for second in range(4)] == [40] * 4
    first_users = seen.processes[0]["users"][0]
    assert max(seen.signed_in_s[:first_users]) < 0


def test_a_frozen_service(tmp_path: Path) -> None:
    """While nothing is answered as many arrive as before; users are added for them."""
    seen = play_arrivals(tmp_path, rate=50, duration_s=8, max_users=500, service_s=0.02, freeze_s=[1.0, 4.0])

    assert len(seen.starts_s) == 400, seen.output
    assert seen.count("dropped") == 0
    assert [arrivals_between(seen, second, second + 1) for second in range(8)] == [50] * 8
    assert seen.peak_users >= 150  # 50 a second for 3 s of silence


def test_too_slow_for_the_rate(tmp_path: Path) -> None:
    """With all users busy arrivals are dropped and counted; each arrival has started or is counted."""
    seen = play_arrivals(tmp_path, rate=50, duration_s=10, max_users=20, service_s=1.0)

    # 20 users of 1 s each are good for 20 a second.
    assert seen.peak_users == 20, seen.output
    assert len(seen.starts_s) == seen.count("started") == 200
    assert seen.count("dropped") == 300
    assert 0 < seen.count("late") <= seen.count("started")
    assert max(seen.delays_ms) < 1000  # an iteration that would wait for longer is dropped


def test_users_who_leave_are_replaced(tmp_path: Path) -> None:
    """Users who stop themselves after a visit make place for others: what arrives starts to the end."""
    seen = play_arrivals(tmp_path, leaves=True, rate=40, duration_s=6, max_users=100, service_s=0.05)

    # 240 visits by 100 users at a time; each takes one for the 0.2 s of signing in and 0.05 s of service.
    assert len(seen.starts_s) == seen.count("started") == 240, seen.output
    assert seen.count("dropped") == 0
    assert len(seen.signed_in_s) > 240
    assert seen.peak_users <= 100


def test_users_who_leave_a_service_too_slow(tmp_path: Path) -> None:
    """Where those who come in their place are too few, arrivals are dropped as soon as with any users."""
    seen = play_arrivals(tmp_path, leaves=True, rate=50, duration_s=10, max_users=10, service_s=0.3)

    # 10 users of 0.5 s for each visit, with signing in, are good for 20 a second.
    assert len(seen.starts_s) == seen.count("started") == pytest.approx(200, abs=10), seen.output
    assert seen.count("started") + seen.count("dropped") == 500
    assert max(seen.delays_ms) < 1000


def test_what_is_under_way_at_the_end(tmp_path: Path) -> None:
    """Iterations under way when the schedule ends come to their end, and none begins any more."""
    seen = play_arrivals(tmp_path, rate=5, duration_s=2, max_users=50, service_s=4.0)

    assert len(seen.starts_s) == seen.ended == 10, seen.output
    assert seen.starts_s[-1] == pytest.approx(1.8)


def test_paced_users_catch_up(tmp_path: Path) -> None:
    """A paced user starts what it missed in a stall, and each delay is from the intended start on."""
    seen = play_arrivals(
        tmp_path, "-u", "5", "-r", "5", "-t", "5s", pacing_s=0.25, service_s=0.01, freeze_s=[1.0, 3.0]
    )

    # 5 users, every 0.25 s from 0.2 s (signing in) to 4.95 s, none of them left out. Of the fifth that hangs
    # for 2 s and 10 ms the next eight are late, which follow each other every 10 ms.
    assert seen.count("started") == 5 * 20, seen.output
    assert seen.count("late") == sum(delay_ms > 10 for delay_ms in seen.delays_ms) == 5 * 8
    assert max(seen.delays_ms) == pytest.approx(1760)
    assert arrivals_between(seen, 1.0, 3.0) == 5 * 8


def test_again_in_the_web_ui(tmp_path: Path) -> None:
    """Each run that is started in the web UI begins at the beginning of the schedule, whatever was before."""
    form = {"user_classes": "Plain", "shape_class": "ArrivingShape"}

    def start_twice(live: Live) -> None:
        for length_s in (2.5, 10):
            live.post("/swarm", **form)
            gevent.sleep(length_s)
            live.post("/stop")
        live.stop()

    settings = {"rate": 40, "duration_s": 2, "max_users": 100, "service_s": 0.02}
    seen = play_arrivals(tmp_path, "--web-port", "0", meanwhile=start_twice, **settings)
    second_s = [start_s - seen.starts_s[-80] for start_s in seen.starts_s[-80:]]

    assert len(seen.starts_s) == seen.count("started") == 40 + 80, seen.output
    assert second_s == pytest.approx([number / 40 for number in range(80)], abs=ALMOST_S)
