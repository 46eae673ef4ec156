"""A run is recorded from the end of its set-up to its end, in the process that plays it."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from locust import LoadTestShape, User, constant, task
from locust.env import Environment

import json
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.load.run_files import load, locate
from reports.thresholds.reading import parse_thresholds
from reports.verdict.verdict import reach_verdict
from shapes import _arrival_desk
from shapes._arrival_desk import keep_intended_starts
from shapes._arrival_shape import _receive_reports
from shapes._scheduled import ScheduledShape
from shapes.schedule import Schedule, Stage
from telemetry import session as session_module
from telemetry.judging import Judgement
from telemetry.session import Session
from telemetry.switch import UNRECORDED, _on_init
from tests.virtual_time import Clock, virtual_time


class Visitor(User):
    """A user who makes two requests a second."""

    wait_time = constant(0.5)

    @task
    def visit(self) -> None:
        """Fire the event of one request."""
        fire(self.environment)


class Risen(ScheduledShape):
    """Up to 20 users in 10 s, who stay for 5 s."""

    schedule = Schedule((Stage("rise", 10, 0, 20), Stage("hold", 5, 20, 20)))


def fire(environment: Environment) -> None:
    """Fire the event of one request of 5 ms."""
    event: Any = environment.events.request
    event.fire(
        request_type="GET",
        name="home",
        response_time=5.0,
        response_length=1,
        exception=None,
        start_time=time.time() - 0.005,
    )


class Process:
    """A single process of Locust with a session, without signals and with a judge who passes all."""

    def __init__(self, directory: Path, shape: LoadTestShape | None = None, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "run_dir": str(directory),
            "thresholds": None,
            "with_target": False,
            "warm_up": None,
            "run_time": None,
            "headless": False,
            "spawn_rate": None,
            "reset_stats": False,
            "user_scale": 1.0,
            "time_scale": 1.0,
        }
        self.environment = Environment(
            user_classes=[Visitor], shape_class=shape, parsed_options=Namespace(**defaults | options)
        )
        self.runner = self.environment.create_local_runner()
        self.directory = directory
        self.users: list[tuple[float, int]] = []
        Session(self.environment).listen()

    @property
    def facts(self) -> dict[str, Any]:
        """Return what run.json says."""
        facts: dict[str, Any] = json.loads((self.directory / "run.json").read_text())
        return facts

    @property
    def verdict(self) -> dict[str, Any]:
        """Return the verdict on the run: 4 users make 8 requests a second of 5 ms."""
        limits = parse_thresholds('thresholds: ["rps > 7", "rps < 9", "p95 < 9 ms", "error_rate < 1%"]')
        return reach_verdict(load(locate(self.directory)), limits)

    @property
    def failed_checks(self) -> list[str]:
        """Return the names of the checks that failed."""
        return [check["check"] for check in self.verdict["validity"] if not check["ok"]]

    def on(self, event_name: str, listener: Callable[..., None]) -> None:
        """Add a listener as a locustfile does."""
        getattr(self.environment.events, event_name).add_listener(listener)

    def play(self, clock: Clock, for_s: float) -> None:
        """Let a run play, noting its users second by second, and end it."""
        until_s = clock.elapsed_s + for_s
        while clock.elapsed_s < until_s:
            self.users.append((clock.elapsed_s, self.runner.user_count))
            gevent.sleep(1)
        self.runner.stop()
        gevent.sleep(10)
        self.runner.quit()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no signals taken and no process started to judge."""

    class Judge:
        def __init__(self, directory: Path) -> None:
            """Take any run."""

        def wait(self) -> Judgement:
            """Pass it."""
            return Judgement(0, "")

    monkeypatch.setattr(Session, "_take_signals", lambda _: None)
    monkeypatch.setattr(session_module, "Judging", Judge)


def test_set_up_before_the_load(tmp_path: Path) -> None:
    """Of -t 25 s a set-up of 10 s leaves 15 s of load, as planned; its own requests are not counted."""
    process = Process(tmp_path / "run", run_time=25)

    def prepare(**_: Any) -> None:
        for _request in range(20):
            fire(process.environment)
        gevent.sleep(10)

    with virtual_time() as clock:
        process.on("test_start", prepare)
        process.runner.start(4, 4)
        process.play(clock, 25)

    facts = process.facts
    assert (facts["set_up_s"], facts["planned_duration_s"]) == (10.0, 15.0)
    assert facts["end_reason"] == "run time reached"
    assert facts["locust_totals"] == {"requests": process.runner.stats.total.num_requests - 20, "failures": 0}
    assert facts["locust_totals"]["requests"] == pytest.approx(4 * 2 * 15, abs=8)


def test_a_shape_waits_for_the_set_up(tmp_path: Path) -> None:
    """Set-up that takes longer than a tick is done once, and then the whole schedule is played."""
    process, prepared = Process(tmp_path / "run", Risen()), list[float]()

    def prepare(**_: Any) -> None:
        prepared.append(clock.elapsed_s)
        gevent.sleep(7.3)

    with virtual_time() as clock:
        process.on("test_start", prepare)
        process.runner.start_shape()
        process.play(clock, 30)

    assert prepared == [0]
    rows = [line.split(",") for line in (tmp_path / "run" / "stages.csv").read_text().splitlines()[1:]]
    assert max(int(row[4]) for row in rows) == 20
    assert process.facts["end_reason"] == "schedule ended"
    assert float(rows[-1][1]) >= 14


def test_locust_as_a_library_without_our_options(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An Environment made by hand plays its run unrecorded, which is said, and nothing goes wrong."""
    monkeypatch.setattr(_arrival_desk, "watch_task_sets", lambda: None)
    for options in (None, Namespace(headless=True)):
        environment = Environment(user_classes=[Visitor], parsed_options=options)
        for listener in (_on_init, keep_intended_starts, _receive_reports):
            environment.events.init.add_listener(listener)
        runner = environment.create_local_runner()
        with virtual_time():
            environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
            runner.start(2, 2)
            gevent.sleep(5)
            runner.quit()
            environment.events.quitting.fire(environment=environment, reverse=True)
        assert runner.stats.total.num_requests > 10

    ours = [record for record in caplog.records if "CPU" not in record.getMessage()]
    assert [record.getMessage() for record in ours if record.levelname != "INFO"] == [UNRECORDED] * 2


def test_a_single_user_is_debugged_unrecorded(caplog: pytest.LogCaptureFixture) -> None:
    """run_single_user, which has options and no runner, is left alone without a word."""
    environment = Environment(parsed_options=Namespace(run_dir=None))
    environment.events.init.add_listener(_on_init)
    environment.events.init.fire(environment=environment, runner=None, web_ui=None)

    assert not caplog.records


def test_a_shape_of_ones_own_is_recorded_from_its_last_set_up(tmp_path: Path) -> None:
    """Locust breaks off test_start for each new tick of a shape, and starts it again: one run is recorded."""

    class Rising(LoadTestShape):
        """Other users at each tick of the first 4 s."""

        def tick(self) -> tuple[int, float] | None:
            """Return one more user a second, up to 4."""
            return min(4, int(self.get_run_time()) + 1), 4

    process, prepared = Process(tmp_path / "run", Rising()), list[float]()

    def prepare(**_: Any) -> None:
        prepared.append(clock.elapsed_s)
        gevent.sleep(3)

    with virtual_time() as clock:
        process.on("test_start", prepare)
        process.runner.start_shape()
        process.play(clock, 20)

    assert len(prepared) == 4
    assert process.facts["set_up_s"] == 3.0
    assert process.facts["locust_totals"]["requests"] > 0


def test_a_run_is_judged(tmp_path: Path) -> None:
    """A run that came to its end passes; those below differ from it in one thing."""
    process = Process(tmp_path / "run", run_time=60)
    with virtual_time() as clock:
        process.runner.start(4, 4)
        process.play(clock, 60)

    assert (process.verdict["verdict"], process.verdict["reasons"]) == ("PASS", [])
    assert process.facts["clock_steps"] == []


@pytest.mark.parametrize("file", ["health.csv", "stages.csv", "intervals.arrow", "run.json"])
def test_a_file_that_is_cut_to_half(tmp_path: Path, file: str) -> None:
    """Whichever file has lost its second half, the run does not pass."""
    process = Process(tmp_path / "run", run_time=60)
    with virtual_time() as clock:
        process.runner.start(4, 4)
        process.play(clock, 60)
    path = process.directory / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert process.verdict["verdict"] == "INCONCLUSIVE"


@pytest.mark.parametrize("forward_s", [3600.0, -3600.0])
def test_a_wall_clock_that_is_set(tmp_path: Path, forward_s: float) -> None:
    """An hour forward or back in the run changes no duration and no rate, and is named in the verdict."""
    process = Process(tmp_path / "run", run_time=60)
    with virtual_time() as clock:
        process.runner.start(4, 4)
        gevent.spawn_later(20.1, clock.set_wall_clock, forward_s)
        process.play(clock, 60)

    (step,) = process.facts["clock_steps"]
    assert step == {"process": "local", "at_s": pytest.approx(21, abs=0.1), "forward_s": forward_s}
    verdict = process.verdict
    assert verdict["run"]["duration_s"] == pytest.approx(60, abs=0.1)
    assert verdict["thresholds"][0]["value"] == pytest.approx(8, abs=0.2)
    assert (verdict["verdict"], process.failed_checks) == ("INCONCLUSIVE", ["clock_steps"])
    way = "forward" if forward_s > 0 else "back"
    assert f"the wall clock of process 'local' was set {way} by 3600 s, 21 s after" in verdict["reasons"][0]
    for file, column in (("health.csv", 0), ("stages.csv", 0), ("locust_stats_history.csv", 0)):
        rows = (process.directory / file).read_text().splitlines()[1:]
        written_s = sorted({float(row.split(",")[column]) for row in rows})
        assert written_s[-1] - written_s[0] < 80, file


def test_a_step_before_the_judged_time_is_named(tmp_path: Path) -> None:
    """While the users still come a step harms nothing."""
    process = Process(tmp_path / "run", run_time=60, spawn_rate=0.2)
    with virtual_time() as clock:
        process.runner.start(4, 0.2)
        gevent.spawn_later(5.1, clock.set_wall_clock, 3600)
        process.play(clock, 60)

    check = next(each for each in process.verdict["validity"] if each["check"] == "clock_steps")
    assert (check["ok"], process.failed_checks) == (True, [])
    assert "set forward by 3600 s, 6 s after the start" in check["reason"]


def test_a_generator_that_stands_still(tmp_path: Path) -> None:
    """Four stops of 3.5 s in 40 s are four late samples, and a third of the time without load."""
    process = Process(tmp_path / "run", run_time=40)
    with virtual_time() as clock:
        process.runner.start(4, 4)
        for at_s in (6, 14, 22, 30):
            gevent.spawn_later(at_s, clock.stand_still, 3.5)
        process.play(clock, 40)

    assert process.verdict["verdict"] == "INCONCLUSIVE"
    assert "generator_stalls" in process.failed_checks


def test_users_that_end_on_their_own(tmp_path: Path) -> None:
    """One user of two who is gone is half of the load."""
    process = Process(tmp_path / "run", run_time=60, spawn_rate=2)
    with virtual_time() as clock:
        process.runner.start(2, 2)
        gevent.spawn_later(20, lambda: next(iter(process.runner.user_greenlets)).kill())
        process.play(clock, 60)

    assert "load_reached" in process.failed_checks


class Own(LoadTestShape):
    """Stages of a user's own: 4 users for 40 s, 8 for 20 s, and 4 again, each reached at one a second."""

    def tick(self) -> tuple[int, float] | None:
        """Return the users of the stage, None after 90 s."""
        run_time_s = self.get_run_time()
        if run_time_s > 90:
            return None
        return (8 if 40 < run_time_s < 60 else 4), 1


def test_a_shape_of_ones_own_ends_when_it_says_so(tmp_path: Path) -> None:
    """Its ramps are on plan and its end is the planned one, whatever --run-time is; an earlier one is not."""
    whole = Process(tmp_path / "whole", Own(), run_time=240)
    stopped = Process(tmp_path / "stopped", Own(), run_time=20)
    for process, for_s in ((whole, 120), (stopped, 24)):
        with virtual_time() as clock:
            process.runner.start_shape()
            process.play(clock, for_s)

    assert (whole.failed_checks, whole.facts["end_reason"]) == ([], "schedule ended")
    assert (stopped.failed_checks, stopped.verdict["verdict"]) == (["planned_end"], "INCONCLUSIVE")
