"""A single process of Locust, played from its start to its exit status within the process of the tests."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from gevent import get_hub
from locust import LoadTestShape, User, constant, task
from locust.env import Environment

import json
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plimsoll.recording import session as session_module
from plimsoll.recording.judging import Judgement
from plimsoll.recording.options import options_of
from plimsoll.recording.process_end import ProcessEnd
from plimsoll.run_files.exit_status import ExitStatus
from reports.load.run_files import load, locate
from reports.thresholds.reading import parse_thresholds
from reports.verdict.verdict import reach_verdict
from tests.watchers import silent, watched_by

DEFAULTS: dict[str, Any] = {
    "run_dir": None,
    "database_url": None,
    "thresholds": None,
    "with_service": False,
    "warm_up": None,
    "run_time": None,
    "headless": False,
    "autostart": False,
    "spawn_rate": None,
    "reset_stats": False,
    "user_scale": 1.0,
    "time_scale": 1.0,
    "expect_workers": 1,
}


def fire(environment: Environment, name: str = "home", exception: Exception | str | None = None) -> None:
    """Fire the event of one request of 5 ms."""
    event: Any = environment.events.request
    event.fire(
        request_type="GET",
        name=name,
        response_time=5.0,
        response_length=1,
        exception=exception,
        start_time=time.time() - 0.005,
    )


class Visitor(User):
    """A user who makes two requests a second."""

    wait_time = constant(0.5)

    @task
    def visit(self) -> None:
        """Fire the event of one request."""
        fire(self.environment)


class Judge:
    """Reaches the verdict that a test wants, or INCONCLUSIVE of a run that was broken off."""

    status = 0

    def __init__(self, directory: Path) -> None:
        self.run_directory = directory
        self.is_killed = False

    def wait(self) -> Judgement:
        """Return the verdict."""
        facts = json.loads((self.run_directory / "run.json").read_text())
        is_broken_off = facts["aborted"] and not self.status
        return Judgement(ExitStatus.INCONCLUSIVE if is_broken_off else self.status, "judged")

    def kill(self) -> None:
        """Note that it was."""
        self.is_killed = True


class LocustProcess:
    """A single process of Locust that records its runs, without signals."""

    def __init__(self, directory: Path, shape: LoadTestShape | None = None, **options: Any) -> None:
        self.directory = directory
        known = DEFAULTS | {"run_dir": str(directory)} | options
        user_class: type[User] = type("Visitor", (Visitor,), {})  # a test may change it
        self.user_class: Any = user_class
        self.environment = Environment(
            user_classes=[user_class], shape_class=shape, parsed_options=Namespace(**known)
        )
        self.runner = self.environment.create_local_runner()
        self.end = ProcessEnd(self.environment)

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

    def listen(self) -> LocustProcess:
        """Have the runs of this process recorded from now on."""
        self.end.listen()
        return self

    def play(self, for_s: float) -> None:
        """Let a run of the web UI play and end it."""
        gevent.sleep(for_s)
        self.runner.stop()
        gevent.sleep(10)
        self.runner.quit()

    def run(self) -> int:
        """Play a headless run as the main function of Locust does, and return the exit status."""
        status: Any = None
        try:
            try:
                self._start()
                self.runner.greenlet.join()
            except KeyboardInterrupt:
                pass
            status = self._shut_down()
        except SystemExit as error:
            status = error.code
        settled = self.end.settle(None)
        return int(status if settled is None else settled)

    def _start(self) -> None:
        if self.environment.shape_class:
            try:
                self.runner.start_shape()
                assert self.runner.shape_greenlet
                self.runner.shape_greenlet.join()
            finally:
                self.runner.quit()
            return
        gevent.spawn(self.runner.start, 4, 4)
        run_time_s: float | None = options_of(self.environment).run_time
        if run_time_s:
            gevent.spawn_later(run_time_s, self.runner.quit)

    def _shut_down(self) -> int:
        self.environment.events.quitting.fire(environment=self.environment, reverse=True)
        status = self.environment.process_exit_code
        self.runner.quit()
        self.environment.events.quit.fire(exit_code=status)
        assert status is not None
        return status


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Judge]]:
    """Have no signals taken and no process started to judge or watch; `status` is that of each verdict."""
    hub, judge = get_hub(), type("Judge", (Judge,), {})
    monkeypatch.setattr(hub, "handle_error", hub.handle_error)  # the test may change it
    monkeypatch.setattr(ProcessEnd, "take_signals", lambda _: None)
    monkeypatch.setattr(session_module, "Judging", judge)
    with watched_by(silent):
        yield judge
