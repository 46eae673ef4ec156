"""Open loads in real processes: what is asked for starts, when it is due, whatever the service does."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from tests import plain_http
from tests.arrivals import Seen, run_arrivals, start_arrivals
from tests.fix_runs import until
from tests.processes import finish, free_port, two_workers

pytestmark = pytest.mark.calm


def arrivals_between(seen: Seen, from_s: float, to_s: float) -> int:
    """Return how many iterations were to start between two moments."""
    return sum(from_s <= intended_s < to_s for intended_s in seen.intended_s)


@pytest.mark.parametrize(("rate", "duration_s", "workers"), [(500, 3, 1), (500, 3, 2), (0.5, 4, 1)])
def test_what_is_asked_for_starts(tmp_path: Path, rate: float, duration_s: float, workers: int) -> None:
    """As many start as were asked for, over the time that was asked for."""
    options = two_workers() if workers == 2 else []
    seen = run_arrivals(tmp_path, *options, rate=rate, duration_s=duration_s, max_users=2000, service_s=0.02)

    assert len(seen.starts_s) == seen.count("started") == rate * duration_s, seen.output
    assert seen.count("dropped") == 0
    # Two workers begin within what a message takes from one process to another on a busy machine.
    assert seen.intended_s[-1] == pytest.approx(duration_s - 1 / rate, abs=0.2)


def test_poisson_on_two_workers(tmp_path: Path) -> None:
    """One sequence of random arrivals is dealt to both workers: together they start each of it once."""
    seen = run_arrivals(
        tmp_path, *two_workers(), rate=100, duration_s=2, max_users=300, service_s=0.02, spacing="poisson"
    )
    asked_for = ArrivalSchedule((RateStage("hold", 2, 100, 100),), 300, "poisson")

    assert len(seen.processes) == 2, seen.output
    assert len(seen.starts_s) == len(list(asked_for.starts()))


def test_every_kind_of_user(tmp_path: Path) -> None:
    """Users with any client, with nested tasks or with exceptions take arrivals once they have signed in."""
    seen = run_arrivals(tmp_path, kinds=True, rate=40, duration_s=4, max_users=200, service_s=0.01)

    assert len(seen.starts_s) == 160, seen.output
    assert Counter(seen.kinds) == pytest.approx({"Plain": 40, "Fast": 40, "Http": 40, "Nested": 40}, abs=4)
    # A wait_time of a minute keeps nobody from the next arrival.
    assert arrivals_between(seen, 0, 1) == pytest.approx(40, abs=2)
    first_users = seen.processes[0]["users"][0]
    assert max(seen.signed_in_s[:first_users]) < 0


def test_a_frozen_service(tmp_path: Path) -> None:
    """While nothing is answered as many arrive as before; users are added for them."""
    seen = run_arrivals(tmp_path, rate=50, duration_s=5, max_users=500, service_s=0.02, freeze_s=[1.0, 4.0])

    assert len(seen.starts_s) == 250, seen.output
    assert seen.count("dropped") == 0
    for second in range(5):
        assert arrivals_between(seen, second - 0.01, second + 0.99) == pytest.approx(50, abs=2)
    assert seen.peak_users >= 150  # 50 a second for 3 s of silence


def test_too_slow_for_the_rate(tmp_path: Path) -> None:
    """With all users busy arrivals are dropped and counted; each arrival has started or is counted."""
    seen = run_arrivals(tmp_path, rate=50, duration_s=4, max_users=20, service_s=1.0)

    # 20 users of 1 s each are good for 20 a second.
    assert seen.peak_users == 20, seen.output
    assert len(seen.starts_s) == seen.count("started") == pytest.approx(80, abs=20)
    assert seen.count("started") + seen.count("dropped") == 200
    assert 0 < seen.count("late") <= seen.count("started")
    assert max(seen.delays_ms) < 1000  # whoever would have to wait for longer was dropped


@pytest.mark.parametrize("workers", [1, 2])
def test_users_who_leave_are_replaced(tmp_path: Path, workers: int) -> None:
    """Users who stop themselves after a visit make place for others: what arrives starts to the end."""
    options = two_workers() if workers == 2 else []
    seen = run_arrivals(tmp_path, *options, leaves=True, rate=40, duration_s=6, max_users=100, service_s=0.05)

    # 240 visits by 100 users at a time; each takes one for the 0.2 s of signing in and 0.05 s of service.
    assert len(seen.starts_s) == seen.count("started") == 240, seen.output
    assert seen.count("dropped") == 0
    assert len(seen.signed_in_s) > 240
    assert seen.peak_users <= 100


def test_users_who_leave_a_service_too_slow(tmp_path: Path) -> None:
    """Where those who come in their place are too few, arrivals are dropped as soon as with any users."""
    seen = run_arrivals(tmp_path, leaves=True, rate=50, duration_s=4, max_users=10, service_s=0.3)

    # 10 users of 0.5 s for each visit, with signing in, are good for 20 a second.
    assert len(seen.starts_s) == seen.count("started") == pytest.approx(80, abs=25), seen.output
    assert seen.count("started") + seen.count("dropped") == 200
    assert max(seen.delays_ms) < 1000


def test_what_is_under_way_at_the_end(tmp_path: Path) -> None:
    """Iterations under way when the schedule ends come to their end, and none begins any more."""
    began_s = time.monotonic()
    seen = run_arrivals(tmp_path, rate=5, duration_s=2, max_users=50, service_s=4.0)

    assert len(seen.starts_s) == 10, seen.output
    assert seen.starts_s[-1] < 2
    assert time.monotonic() - began_s > 5.8  # the last one began at 1.8 s


def test_a_worker_that_leaves(tmp_path: Path) -> None:
    """The share of a worker that is gone goes to the other."""
    process = start_arrivals(
        tmp_path, "--headless", *two_workers(), "--enable-rebalancing",
        rate=40, duration_s=4, max_users=200, service_s=0.02,
    )  # fmt: skip
    until(lambda: len(list(tmp_path.glob("*.started"))) == 2)
    time.sleep(1.2)  # of the first second both have their share
    psutil.Process(process.pid).children()[0].terminate()
    seen = Seen(tmp_path, finish(process))

    last = max(seen.processes, key=lambda found: found["starts"][-1])
    # A busy machine may start some late; whose they were to be shows in when they were due.
    stayed = sorted(
        at_s - late_ms / 1000 for at_s, late_ms in zip(last["starts"], last["delays_ms"], strict=True)
    )
    assert stayed[-1] - stayed[0] == pytest.approx(4, abs=0.3), seen.output
    # 20 a second until the other had left, 40 in the last seconds; one share is lost for the moments between.
    assert sum(start_s - stayed[0] < 1 for start_s in stayed) == pytest.approx(20, abs=4)
    assert sum(stayed[-1] - start_s < 1 for start_s in stayed) == pytest.approx(40, abs=4)
    assert len(seen.starts_s) == pytest.approx(160, abs=60)


def test_again_in_the_web_ui(tmp_path: Path) -> None:
    """Each run that is started in the web UI begins at the beginning of the schedule, whatever was before."""
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    form = {"user_classes": "Plain", "shape_class": "ArrivingShape"}
    process = start_arrivals(
        tmp_path, "--web-port", port, *two_workers(), rate=40, duration_s=1, max_users=100, service_s=0.02
    )
    try:
        until(lambda: answers(url) and state(url)["worker_count"] == 2)
        for is_stopped_early in (True, False):
            until(lambda: is_running(url, form))
            if is_stopped_early:
                plain_http.post(f"{url}/stop", timeout=30)
            until(lambda: state(url)["state"] == "stopped")
    finally:
        process.terminate()
        output = finish(process)
    seen = Seen(tmp_path, output)

    assert 40 <= len(seen.starts_s) == seen.count("started") <= 80, output
    assert seen.starts_s[-1] - seen.starts_s[-40] == pytest.approx(39 / 40, abs=0.3)


def is_running(url: str, form: dict[str, str]) -> bool:
    """Start a run unless the last one is not quite over, and return whether there is one."""
    plain_http.post(f"{url}/swarm", data=form, timeout=30)
    return bool(state(url)["state"] == "running")


def state(url: str) -> dict[str, Any]:
    """Return what the web UI says of the run."""
    return dict(plain_http.get(f"{url}/stats/requests").json())


def answers(url: str) -> bool:
    """Return whether the web UI is up."""
    try:
        return plain_http.get(url).is_success
    except httpx.TransportError:
        return False


def test_paced_users_catch_up(tmp_path: Path) -> None:
    """A paced user starts what it missed in a stall, and each delay is from the intended start on."""
    seen = run_arrivals(
        tmp_path, "-u", "5", "-r", "5", "-t", "5s", pacing_s=0.2, service_s=0.01, freeze_s=[1.0, 3.0]
    )

    # 5 users, every 0.2 s from 0.2 s (signing in) to the end, none of them left out.
    assert seen.count("started") == pytest.approx(5 * 24, abs=15), seen.output
    assert max(seen.delays_ms) == pytest.approx(1800, abs=300)  # the start after one that hung for 2 s
    assert sum(delay_ms > 150 for delay_ms in seen.delays_ms) == pytest.approx(5 * 9, abs=15)
    assert seen.count("late") == sum(delay_ms > 10 for delay_ms in seen.delays_ms)
    assert arrivals_between(seen, 1.0, 3.0) == pytest.approx(50, abs=5)
