"""A run is recorded from the end of its set-up to its end, in the process that plays it."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from locust import LoadTestShape, User, constant, task
from locust.env import Environment

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
    event.fire(request_type="GET", name="home", response_time=5.0, response_length=1, exception=None)


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
