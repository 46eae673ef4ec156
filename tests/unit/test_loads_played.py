"""Loads, whole runs under virtual time: arrivals, shapes, a frozen service, one too slow, a search."""

from __future__ import annotations

import gevent

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from measured.open_model import VISITOR as FROZEN_VISITOR
from measured.overload import CAPACITY_PER_S, DURATION_S, LIMIT, MOST_USERS, RATE_PER_S, VISITOR
from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage, Spacing
from plimsoll.loads.schedule import Schedule
from shapes.__main__ import find_shapes
from tests.arrivals import LOCUSTFILE, Seen, environment_of
from tests.fix_runs import Run
from tests.fix_virtual_runs import GreenletService, VirtualRun, VirtualRunner, one_server
from tests.in_process import Live, run_locust, run_reports
from tests.read_runs import interval_rows, recorded_ms
from tests.virtual_time import START_UNIX_S

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
    ("rate", "duration_s", "spacing"), [(500, 10, "even"), (0.5, 60, "even"), (100, 10, "poisson")]
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


LENGTH_S, PEAK_USERS = 60.0, 50
LOADS = {name: shape.schedule for name, shape in find_shapes().items()}
SCHEDULES = {name: load for name, load in LOADS.items() if isinstance(load, Schedule)}


@pytest.mark.parametrize("name", SCHEDULES)
def test_what_was_planned_is_played(tmp_path: Path, name: str) -> None:
    """Each second has the users that the pure function plans for its middle."""
    user_scale, time_scale = PEAK_USERS / SCHEDULES[name].peak_users, LENGTH_S / SCHEDULES[name].duration_s
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


ANSWER_S = 0.02
FREEZE_FROM_S, FREEZE_TO_S = 10.0, 12.0
RATE, FREEZE_RUN_S = 50, 20
PACED_USERS, PACING_S = 10, 0.2
ARRIVALS = f"""
class Arrivals(ArrivalShape):
    stages = (RateStage("hold", {FREEZE_RUN_S}, {RATE}, {RATE}),)
    max_users = 400
"""
Floats = NDArray[np.float64]


def frozen_run(
    run: VirtualRunner, service: GreenletService, shape: str, *arguments: str
) -> tuple[VirtualRun, Floats]:
    """Run against a service that stands still for a while, and return the run and what users saw."""
    visitor = FROZEN_VISITOR.format(folder=run.folder, pacing_s=PACING_S)
    run.locustfile.write_text(visitor + shape, encoding="utf-8")
    service.delay_s = thawed_after_s
    done = run("-H", service.url, *arguments, thresholds=None)
    (seen,) = run.folder.glob("*.csv")

    return done, np.loadtxt(seen, delimiter=",")


def thawed_after_s(_: str) -> float:
    """Return how long an answer takes that is asked for now."""
    elapsed_s = time.time() - START_UNIX_S
    is_frozen = FREEZE_FROM_S <= elapsed_s < FREEZE_TO_S
    return ANSWER_S + (FREEZE_TO_S - elapsed_s if is_frozen else 0)


def assert_recorded(directory: Path, histogram: str, truth_ms: Floats) -> None:
    """Hold requests and whole iterations, which are one request each, to what the users saw."""
    rows = interval_rows(directory)
    for q in (0.5, 0.9, 0.95, 0.99):
        expected = pytest.approx(np.quantile(truth_ms, q, method="inverted_cdf"), rel=0.004)
        assert [recorded_ms(rows, kind, histogram, q) for kind in ("GET", "iteration")] == [expected] * 2


def test_arrivals(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """The percentiles from the intended start are those of a user who comes when the schedule says so."""
    run, seen = frozen_run(virtual_run, virtual_service, ARRIVALS)
    started_s, ended_s = seen[np.argsort(seen[:, 1], kind="stable"), 1:].T
    intended_s = started_s[0] + np.arange(len(seen)) / RATE
    health = run.rows("health.csv")

    assert [sum(int(row[name]) for row in health) for name in ("started", "dropped")] == [len(seen), 0]
    assert run.read("run.json")["arrivals"]["planned"] == len(seen) == FREEZE_RUN_S * RATE
    assert {row["stage"] for row in interval_rows(run.directory)} == {"hold"}
    assert_recorded(run.directory, "response_", (ended_s - intended_s) * 1000)
    assert_recorded(run.directory, "", (ended_s - started_s) * 1000)
    assert (ended_s - intended_s).max() == pytest.approx(FREEZE_TO_S - FREEZE_FROM_S + ANSWER_S, abs=1 / RATE)


def test_paced_users(virtual_run: VirtualRunner, virtual_service: GreenletService) -> None:
    """Users at a pace hide a freeze from the service time; from the intended start it is there."""
    load = ("-u", str(PACED_USERS), "-r", str(PACED_USERS), "-t", f"{FREEZE_RUN_S}s")
    run, seen = frozen_run(virtual_run, virtual_service, "", *load)
    of_users = [seen[seen[:, 0] == user] for user in np.unique(seen[:, 0])]
    truth_ms = np.concatenate(
        [(own[:, 2] - own[0, 1] - PACING_S * np.arange(len(own))) * 1000 for own in of_users]
    )
    rows = interval_rows(run.directory)

    assert len(of_users) == PACED_USERS
    assert_recorded(run.directory, "response_", truth_ms)
    assert_recorded(run.directory, "", (seen[:, 2] - seen[:, 1]) * 1000)
    assert recorded_ms(rows, "GET", "response_", 0.95) > 1000
    assert recorded_ms(rows, "GET", "", 0.95) < 25


def test_a_service_too_slow_is_never_green(
    virtual_run: VirtualRunner, virtual_service: GreenletService
) -> None:
    """What never started is counted with no limit on it, and those who did cannot make the latency pass.

    Judged again with a limit that they all broke it is a FAIL.
    """
    # With 20 users and 50 answers a second each of them waits for 0.4 s.
    virtual_service.delay_s = one_server(CAPACITY_PER_S)
    virtual_run.locustfile.write_text(VISITOR, encoding="utf-8")
    run = virtual_run("-H", virtual_service.url, thresholds=LIMIT.format("5 s"))
    verdict = run.read("verdict.json")
    arrivals, (threshold,) = verdict["run"]["arrivals"], verdict["thresholds"]
    (check,) = (check for check in verdict["validity"] if check["check"] == "arrival_rate_kept")

    assert (run.status, verdict["verdict"], threshold["verdict"]) == (77, "INCONCLUSIVE", "INCONCLUSIVE")
    assert arrivals["planned"] == DURATION_S * RATE_PER_S == arrivals["started"] + arrivals["dropped"]
    assert arrivals["started"] == verdict["requests"][0]["n"]
    assert arrivals["started"] == pytest.approx(DURATION_S * CAPACITY_PER_S, abs=MOST_USERS)
    assert f"{arrivals['dropped']:,} dropped" in run.output
    assert check["value"] == pytest.approx(CAPACITY_PER_S / RATE_PER_S, abs=0.02)
    assert check["reason"].endswith("dropped): overload, not a latency estimate")
    assert {"kind": "check", "subject": "arrival_rate_kept", "text": check["reason"]} in verdict["reasons"]

    tight = run.directory / "tight.yaml"
    tight.write_text(LIMIT.format("100 ms"), encoding="utf-8")
    again = run_reports(["judge", str(run.directory), "--thresholds", str(tight)])

    assert (again.returncode, run.read("verdict.json")["thresholds"][0]["verdict"]) == (99, "FAIL")


SEARCHED_CAPACITY_PER_S = 55.0
THRESHOLDS = "thresholds:\n  - p95 < 300 ms\n  - error_rate < 5%\n  - dropped_iterations < 1%\n"


def test_the_capacity_is_in_the_interval(tmp_path: Path, virtual_service: GreenletService) -> None:
    """A service good for 55/s passes below and fails above; judging it again from the files says the same."""
    virtual_service.delay_s = one_server(SEARCHED_CAPACITY_PER_S)
    search = VirtualRunner(Path("tests/queueing_users.py"), tmp_path)
    run = search("-H", virtual_service.url, thresholds=THRESHOLDS)
    verdict = run.read("verdict.json")
    capacity = verdict["capacity"]
    tried = [(step["load"], step["verdict"]) for step in capacity["steps"]]

    assert tried == [(40, "PASS"), (80, "FAIL"), (60, "FAIL")], run.output
    assert run.read("run.json")["end_reason"] == "schedule ended"
    assert (capacity["unit"], capacity["passed"], capacity["failed"]) == ("/s", 40, 60)
    # All limits hold at the highest load that passed, which is what the run is judged at.
    assert {threshold["verdict"] for threshold in verdict["thresholds"]} == {"PASS"}
    assert "capacity: at least" in run.output

    again = run_reports(["judge", str(run.directory)])

    assert run.read("verdict.json")["capacity"] == capacity, again.stdout
