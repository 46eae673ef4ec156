"""The recorder keeps every request of any user, and nothing of it can break the load."""

import gevent
from locust import User
from locust.env import Environment

import logging
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from plimsoll.loads.iterations import Iterations
from plimsoll.recording import in_flight
from plimsoll.recording.origin import origin_of
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock
from tests.virtual_time import START_MONOTONIC_S, START_UNIX_S, Clock, virtual_time


class Visitor(User):
    """A user whose class is to be seen in the rows."""

    def run_request(self, environment: Environment, **changes: Any) -> None:
        """Fire the event of one request."""
        fire(environment, **changes)


def fire(environment: Environment, **changes: Any) -> None:
    """Fire Locust's request event as a client does."""
    told = {"request_type": "GET", "name": "home", "response_time": 12.5, "response_length": 100}
    event: Any = environment.events.request
    event.fire(**told | {"exception": None, "context": {}} | changes)


@pytest.fixture
def environment() -> Environment:
    """Return an environment of Locust without users."""
    return Environment()


@pytest.fixture(autouse=True)
def clock() -> Iterator[Clock]:
    """Let time pass only where a test says so."""
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def recorder(environment: Environment) -> Iterator[RequestRecorder]:
    """Return a recorder that listens, until the end of the test."""
    recorder = RequestRecorder([100.0], RunClock())
    recorder.listen(environment)
    yield recorder
    recorder.stop(environment)


def test_what_is_cut_off_counts_if_it_was_begun_under_load(
    environment: Environment, recorder: RequestRecorder, clock: Clock
) -> None:
    """Of two requests that the end of the run cuts off the one that was begun before the users were told."""
    with in_flight.Request("GET", "before"):
        clock.stand_still(1)
        stopping: Any = environment.events.test_stopping
        stopping.fire(environment=environment)
        with in_flight.Request("GET", "after"):
            in_flight.cut_off_all()
    block = recorder.fold()

    assert block is not None
    assert [tuple(key) for key in block.keys] == [("", "GET", "before", "")]
    assert block.scalars["unfinished"].tolist() == [1]


def test_request(environment: Environment, recorder: RequestRecorder) -> None:
    """A request is one row with its names, bytes and exact latency."""
    fire(environment)
    block = recorder.fold()

    assert block is not None
    assert [tuple(key) for key in block.keys] == [("", "GET", "home", "")]
    figures = {name: column.tolist() for name, column in block.scalars.items()}
    assert figures["n"] == [1]
    assert figures["failures"] == [0]
    assert figures["bytes"] == [100]
    assert figures["sum_ms"] == figures["min_ms"] == figures["max_ms"] == [12.5]


def test_user_class(environment: Environment, recorder: RequestRecorder) -> None:
    """The class of the user is known in the user's own greenlet, and stays so while it is being killed."""
    visitor = Visitor(environment)

    def run_user(user: Visitor) -> None:
        user.run_request(environment)
        gevent.getcurrent().kill(block=False)  # it goes on until it next waits, without its arguments
        user.run_request(environment)

    gevent.spawn(run_user, visitor).get()
    block = recorder.fold()

    assert block is not None
    assert [key.user_class for key in block.keys] == ["Visitor"]
    assert block.scalars["n"].sum() == 2


def test_argument_that_is_no_user(environment: Environment, recorder: RequestRecorder) -> None:
    """A request made in a greenlet of a journey's own is recorded without a user class."""
    gevent.spawn(lambda _: fire(environment), "/some/path").get()
    block = recorder.fold()

    assert block is not None
    assert [key.user_class for key in block.keys] == [""]


def test_told_start(environment: Environment, recorder: RequestRecorder) -> None:
    """The start that the event tells counts: judging a response may take time before the event is fired."""
    started_s = time.time() - 100
    fire(environment, start_time=started_s, response_time=1500.0)
    block = recorder.fold()

    assert block is not None
    assert block.scalars["started_s"].tolist() == [math.floor(started_s)]
    assert block.scalars["ended_s"].tolist() == [math.floor(started_s + 1.5)]


@pytest.mark.parametrize("forward_s", [3600.0, -3600.0, 2.0, -2.0])
@pytest.mark.parametrize("late_s", [0.0, 0.3])
def test_a_wall_clock_that_is_set(
    environment: Environment, recorder: RequestRecorder, clock: Clock, forward_s: float, late_s: float
) -> None:
    """Requests before, across and after a step are where they were, also those whose event comes late."""

    def ask(before_s: float, after_s: float) -> None:
        """Make a request that is under way for so long before and after the step."""
        started_s = time.time()
        clock.stand_still(before_s)
        if before_s and after_s:
            clock.set_wall_clock(forward_s)
        clock.stand_still(after_s)
        duration_ms = 1000 * (before_s + after_s)
        clock.stand_still(late_s)
        fire(environment, start_time=started_s, response_time=duration_ms)

    began_s = clock.elapsed_s
    starts = []
    for before_s, after_s in ((0.5, 0.0), (1.5, 2.5), (0.0, 0.5)):
        starts.append(math.floor(START_UNIX_S + clock.elapsed_s))
        ask(before_s, after_s)
        clock.stand_still(1)
    block = recorder.fold()

    assert block is not None
    assert sorted(block.scalars["started_s"].tolist()) == starts
    assert block.scalars["ended_s"].max() <= START_UNIX_S + clock.elapsed_s
    assert clock.elapsed_s - began_s < 9


def test_a_late_event_is_no_step(environment: Environment, recorder: RequestRecorder, clock: Clock) -> None:
    """Half a minute after a step, the event of a request may come 5 s late."""
    clock.set_wall_clock(4)
    fire(environment)
    recorder.fold()
    clock.stand_still(30)
    started_s = time.time()
    clock.stand_still(5.1)
    fire(environment, start_time=started_s, response_time=100.0)
    block = recorder.fold()

    assert block is not None
    assert block.scalars["started_s"].tolist() == [START_UNIX_S + 30]


@pytest.mark.parametrize("response_time", [None, math.nan, -3.0, math.inf])
def test_latency_that_is_none(
    environment: Environment, recorder: RequestRecorder, response_time: float | None
) -> None:
    """A request without a usable latency is counted, but is in no histogram."""
    fire(environment, response_time=response_time)
    block = recorder.fold()

    assert block is not None
    assert block.scalars["n"].tolist() == [1]
    assert block.tallies["successes"].counts.sum() == 0
    assert math.isnan(block.scalars["sum_ms"][0])
    assert recorder.errors == 0


def test_failure_kinds(environment: Environment, recorder: RequestRecorder) -> None:
    """Failures are counted by what went wrong; their latencies are apart from the successes."""
    for failure in (ValueError("no stock"), ValueError("no stock"), "status 500"):
        fire(environment, exception=failure)
    block = recorder.fold()

    assert block is not None
    kinds = block.tallies["failure_kinds"]
    counts = {
        block.kinds[kind]: n for kind, n in zip(kinds.values.tolist(), kinds.counts.tolist(), strict=True)
    }
    assert counts == {"ValueError: no stock": 2, "status 500": 1}
    assert block.tallies["failed"].counts.sum() == 3
    assert block.tallies["successes"].counts.sum() == 0


def test_no_secrets_in_names(environment: Environment, recorder: RequestRecorder) -> None:
    """Names that differ in a secret only are one name without it."""
    for secret in ("abc", "def"):
        fire(environment, name=f"/home?token={secret}")
    block = recorder.fold()

    assert block is not None
    assert [key.name for key in block.keys] == ["/home?token=***"]
    assert block.scalars["n"].tolist() == [2]


def test_buffers_are_emptied(environment: Environment, recorder: RequestRecorder) -> None:
    """What was folded is not kept, and nothing comes of nothing."""
    fire(environment)
    recorder.fold()

    assert recorder.fold() is None


def test_wrong_values_break_nothing(
    environment: Environment, recorder: RequestRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """An event with values of wrong types is counted as an error, said once, and harms no other request."""
    caplog.set_level(logging.ERROR, "plimsoll")
    fire(environment, response_time="12 ms")
    fire(environment, name=["home"])
    fire(environment)
    block = recorder.fold()

    assert block is not None
    assert block.scalars["n"].tolist() == [1]
    assert recorder.errors == 2
    assert len([record for record in caplog.records if record.name == "plimsoll"]) == 1


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch) -> Iterations:
    """Return the iterations of a process in which a schedule says when they start."""
    iterations = Iterations()
    iterations.is_scheduled = True
    monkeypatch.setattr("plimsoll.recording.recorder.ITERATIONS", iterations)
    return iterations


def test_a_failed_request_fails_its_iteration(
    scheduled: Iterations, environment: Environment, recorder: RequestRecorder
) -> None:
    """A request that fails within an iteration makes it fail; one that succeeds does not."""
    iteration = scheduled.start(0.0)
    fire(environment)
    before = iteration.failed
    fire(environment, exception=ValueError("no"))

    assert (before, iteration.failed, recorder.errors) == (False, True, 0)


def test_response_time(scheduled: Iterations, environment: Environment) -> None:
    """The first request of an iteration that started late was waited for longer; the next ones were not."""
    recorder = RequestRecorder([100.0], RunClock())
    recorder.listen(environment)
    scheduled.start(delay_s=0.5)
    fire(environment)
    fire(environment)
    block = recorder.fold()
    recorder.stop(environment)

    assert block is not None
    assert block.scalars["sum_ms"].tolist() == [25.0]
    assert block.scalars["response_sum_ms"].tolist() == [525.0]
    assert block.over_limits["response_over_limit"].tolist() == [[1]]


def test_no_response_time_without_a_schedule(environment: Environment, recorder: RequestRecorder) -> None:
    """Nobody waits for users who start when they please."""
    fire(environment)
    block = recorder.fold()

    assert block is not None
    assert math.isnan(block.scalars["response_sum_ms"][0])
    assert block.tallies["responses"].counts.sum() == 0
    assert block.over_limits["response_over_limit"].shape == (1, 0)


@pytest.mark.parametrize("failed", [False, True])
def test_iteration(recorder: RequestRecorder, failed: bool) -> None:
    """A whole iteration is a row of its own, by both times, apart from the requests in it."""
    recorder.record_iteration(
        Visitor,
        "Visitor.browse",
        START_MONOTONIC_S,
        START_MONOTONIC_S + 1,
        START_MONOTONIC_S + 3,
        failed=failed,
        cut_off=False,
    )
    block = recorder.fold()

    assert block is not None
    assert [tuple(key) for key in block.keys] == [("Visitor", "iteration", "Visitor.browse", "")]
    figures = {name: column.tolist() for name, column in block.scalars.items()}
    assert (figures["n"], figures["failures"]) == ([1], [int(failed)])
    assert (figures["started_s"], figures["ended_s"]) == ([START_UNIX_S + 1], [START_UNIX_S + 3])
    if not failed:
        assert (figures["sum_ms"], figures["response_sum_ms"]) == ([2000.0], [3000.0])


def test_iteration_that_was_cut_off(recorder: RequestRecorder) -> None:
    """What was under way when its user was stopped counts as unfinished at its age, never as an answer."""
    recorder.record_iteration(
        Visitor,
        "Visitor.browse",
        START_MONOTONIC_S,
        START_MONOTONIC_S + 1,
        START_MONOTONIC_S + 3,
        failed=True,
        cut_off=True,
    )
    block = recorder.fold()

    assert block is not None
    assert {name: block.scalars[name].tolist() for name in ("n", "failures", "unfinished")} == {
        "n": [0],
        "failures": [0],
        "unfinished": [1],
    }
    assert block.over_limits["unfinished_over_limit"].tolist() == [[1]]


def test_iterations_of_a_run_only(scheduled: Iterations, environment: Environment) -> None:
    """What a schedule starts is recorded from the start of a run to its end."""
    recorder = RequestRecorder([100.0], RunClock())
    recorder.listen(environment)
    scheduled.end(scheduled.start(delay_s=0.0), Visitor, "Visitor.browse")
    recorder.stop(environment)
    scheduled.end(scheduled.start(delay_s=0.0), Visitor, "Visitor.browse")
    block = recorder.fold()

    assert block is not None
    assert block.scalars["n"].tolist() == [1]


def test_stopped(environment: Environment, recorder: RequestRecorder) -> None:
    """After its run a recorder keeps no more requests, however often it is told to stop."""
    recorder.stop(environment)
    recorder.stop(environment)
    fire(environment)

    assert recorder.fold() is None


def test_unfinished(recorder: RequestRecorder) -> None:
    """A request that was cut off is counted apart, with its age, in no row's n."""
    began_s = START_MONOTONIC_S
    recorder.record_unfinished(origin_of("Visitor", ""), "GET", "home", began_s, began_s + 3)
    block = recorder.fold()

    assert block is not None
    assert [tuple(key) for key in block.keys] == [("Visitor", "GET", "home", "")]
    assert block.scalars["n"].tolist() == [0]
    assert block.scalars["unfinished"].tolist() == [1]
    assert block.over_limits["unfinished_over_limit"].tolist() == [[1]]
    assert block.scalars["ended_s"].tolist() == [START_UNIX_S + 3]
