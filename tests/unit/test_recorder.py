"""The recorder keeps every request of any user, by its type of error, and nothing of it breaks the load."""

import gevent
from locust.env import Environment
from locust.exception import CatchResponseError

import logging
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from plimsoll.context import Attribution, Iteration, Transaction, current_context, execution_of, tagged
from plimsoll.loads.intended_starts import UserRegistry
from plimsoll.recording.in_flight import Request
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.series import MAX_ERROR_TYPE_LENGTH, MAX_ERROR_TYPES, OTHER, ErrorTypes
from plimsoll.run_files.intervals import BUSY, TRANSACTION
from plimsoll.users.measuring import Measuring
from tests.users_at_work import as_user
from tests.virtual_time import START_MONOTONIC_S, START_UNIX_S, Clock, virtual_time


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

    def flow() -> None:
        with Request("GET", "before"):
            clock.stand_still(1)
            stopping: Any = environment.events.test_stopping
            stopping.fire(environment=environment)
            with Request("GET", "after"):
                recorder.stop(environment)

    as_user(environment, flow)
    block = recorder.aggregate()

    assert block is not None
    assert [tuple(key) for key in block.keys] == [("Visitor", "GET", "before", "")]
    assert block.scalars["unfinished"].tolist() == [1]


def test_what_no_user_does(recorder: RequestRecorder, environment: Environment) -> None:
    """What a greenlet measures that no user spawned is kept without a user class, also when it is cut off."""

    def monitor() -> None:
        with tagged({"slow"}), Transaction("look"):
            Measuring().gauge("queue", 7)
            with Transaction("closer"), Request("GET", "hangs"):
                gevent.sleep(60)

    greenlet = gevent.spawn(monitor)
    gevent.sleep(1)
    recorder.stop(environment)
    greenlet.kill()
    block = recorder.aggregate()

    assert block is not None
    kept = {(key.request_type, key.name, key.user_class, key.tags) for key in block.keys}
    assert kept == {
        ("gauge", "queue", "", "slow"),
        ("GET", "hangs", "", "slow"),
        *((kind, name, "", "slow") for kind in (TRANSACTION, BUSY) for name in ("look", "look/closer")),
    }
    assert block.scalars["unfinished"].sum() == 5


def test_request(environment: Environment, recorder: RequestRecorder) -> None:
    """A request is one row with its names, bytes and exact latency."""
    fire(environment)
    block = recorder.aggregate()

    assert block is not None
    assert [tuple(key) for key in block.keys] == [("", "GET", "home", "")]
    figures = {name: column.tolist() for name, column in block.scalars.items()}
    assert figures["n"] == [1]
    assert figures["failures"] == [0]
    assert figures["bytes"] == [100]
    assert figures["sum_ms"] == figures["min_ms"] == figures["max_ms"] == [12.5]


def test_user_class(environment: Environment, recorder: RequestRecorder) -> None:
    """The class of the user is known in the user's own greenlet, and in no other."""
    as_user(environment, lambda: fire(environment))
    gevent.spawn(fire, environment).get()
    block = recorder.aggregate()

    assert block is not None
    assert [key.user_class for key in block.keys] == ["Visitor", ""]


def test_told_start(environment: Environment, recorder: RequestRecorder) -> None:
    """The start that the event tells counts: judging a response may take time before the event is fired."""
    started_s = time.time() - 100
    fire(environment, start_time=started_s, response_time=1500.0)
    block = recorder.aggregate()

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
    block = recorder.aggregate()

    assert block is not None
    assert sorted(block.scalars["started_s"].tolist()) == starts
    assert block.scalars["ended_s"].max() <= START_UNIX_S + clock.elapsed_s
    assert clock.elapsed_s - began_s < 9


def test_a_late_event_is_no_step(environment: Environment, recorder: RequestRecorder, clock: Clock) -> None:
    """Half a minute after a step, the event of a request may come 5 s late."""
    clock.set_wall_clock(4)
    fire(environment)
    recorder.aggregate()
    clock.stand_still(30)
    started_s = time.time()
    clock.stand_still(5.1)
    fire(environment, start_time=started_s, response_time=100.0)
    block = recorder.aggregate()

    assert block is not None
    assert block.scalars["started_s"].tolist() == [START_UNIX_S + 30]


@pytest.mark.parametrize("response_time", [None, math.nan, -3.0, math.inf])
def test_latency_that_is_none(
    environment: Environment, recorder: RequestRecorder, response_time: float | None
) -> None:
    """A request without a usable latency is counted, but is in no histogram."""
    fire(environment, response_time=response_time)
    block = recorder.aggregate()

    assert block is not None
    assert block.scalars["n"].tolist() == [1]
    assert block.histograms["successes"].counts.sum() == 0
    assert math.isnan(block.scalars["sum_ms"][0])
    assert recorder.errors == 0


def test_failure_kinds(environment: Environment, recorder: RequestRecorder) -> None:
    """Failures are counted by what went wrong; their latencies are apart from the successes."""
    for failure in (ValueError("no stock"), ValueError("no stock"), "status 500"):
        fire(environment, exception=failure)
    block = recorder.aggregate()

    assert block is not None
    kinds = block.histograms["failure_kinds"]
    counts = {
        block.kinds[kind]: n for kind, n in zip(kinds.values.tolist(), kinds.counts.tolist(), strict=True)
    }
    assert counts == {"ValueError: no stock": 2, "status 500": 1}
    assert block.histograms["failed"].counts.sum() == 3
    assert block.histograms["successes"].counts.sum() == 0


def test_no_secrets_in_names(environment: Environment, recorder: RequestRecorder) -> None:
    """Names that differ in a secret only are one name without it."""
    for secret in ("abc", "def"):
        fire(environment, name=f"/home?token={secret}")
    block = recorder.aggregate()

    assert block is not None
    assert [key.name for key in block.keys] == ["/home?token=***"]
    assert block.scalars["n"].tolist() == [2]


def test_buffers_are_emptied(environment: Environment, recorder: RequestRecorder) -> None:
    """What was folded is not kept, and nothing comes of nothing."""
    fire(environment)
    recorder.aggregate()

    assert recorder.aggregate() is None


def test_wrong_values_break_nothing(
    environment: Environment, recorder: RequestRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """An event with values of wrong types is counted as an error, said once, and harms no other request."""
    caplog.set_level(logging.ERROR, "plimsoll")
    fire(environment, response_time="12 ms")
    fire(environment, name=["home"])
    fire(environment)
    block = recorder.aggregate()

    assert block is not None
    assert block.scalars["n"].tolist() == [1]
    assert recorder.errors == 2
    assert len([record for record in caplog.records if record.name == "plimsoll"]) == 1


@pytest.fixture
def scheduled(environment: Environment) -> Environment:
    """Return an environment in which a schedule says when iterations start."""
    execution_of(environment).task_starts = UserRegistry()
    return environment


def test_a_failed_request_fails_its_iteration(scheduled: Environment, recorder: RequestRecorder) -> None:
    """A request that fails within an iteration makes it fail; one that succeeds does not."""

    def flow() -> tuple[bool, bool]:
        fire(scheduled, exception=ValueError("no"))  # outside of an iteration: nothing to fail
        iteration = current_context().begin_iteration("Visitor.browse", 0.0)
        fire(scheduled)
        before = iteration.failed
        fire(scheduled, exception=ValueError("no"))
        return before, iteration.failed

    assert as_user(scheduled, flow) == (False, True)
    assert recorder.errors == 0


def test_response_time(scheduled: Environment, recorder: RequestRecorder) -> None:
    """The first request of an iteration that started late was waited for longer; the next ones were not."""

    def flow() -> None:
        current_context().begin_iteration("Visitor.browse", delay_s=0.5)
        fire(scheduled)
        fire(scheduled)

    as_user(scheduled, flow)
    block = recorder.aggregate()

    assert block is not None
    assert block.scalars["sum_ms"].tolist() == [25.0]
    assert block.scalars["response_sum_ms"].tolist() == [525.0]
    assert block.over_limits["response_over_limit"].tolist() == [[1]]


def test_no_response_time_without_a_schedule(environment: Environment, recorder: RequestRecorder) -> None:
    """Nobody waits for users who start when they please."""
    fire(environment)
    block = recorder.aggregate()

    assert block is not None
    assert math.isnan(block.scalars["response_sum_ms"][0])
    assert block.histograms["responses"].counts.sum() == 0
    assert block.over_limits["response_over_limit"].shape == (1, 0)


def iteration_ended(*, failed: bool = False, cut_off: bool = False) -> Iteration:
    """Return an iteration that started a second late and took two."""
    iteration = Iteration("Visitor.browse", Attribution("Visitor"), delay_s=1.0)
    iteration.started_s, iteration.ended_s = START_MONOTONIC_S + 1, START_MONOTONIC_S + 3
    iteration.failed, iteration.is_cut_off = failed, cut_off
    return iteration


@pytest.mark.parametrize("failed", [False, True])
def test_iteration(recorder: RequestRecorder, failed: bool) -> None:
    """A whole iteration is a row of its own, by both times, apart from the requests in it."""
    recorder.record_iteration(iteration_ended(failed=failed))
    block = recorder.aggregate()

    assert block is not None
    assert [tuple(key) for key in block.keys] == [("Visitor", "iteration", "Visitor.browse", "")]
    figures = {name: column.tolist() for name, column in block.scalars.items()}
    assert (figures["n"], figures["failures"]) == ([1], [int(failed)])
    assert (figures["started_s"], figures["ended_s"]) == ([START_UNIX_S + 1], [START_UNIX_S + 3])
    if not failed:
        assert (figures["sum_ms"], figures["response_sum_ms"]) == ([2000.0], [3000.0])


def test_iteration_that_was_cut_off(recorder: RequestRecorder) -> None:
    """What was under way when its user was stopped counts as unfinished at its age, never as an answer."""
    recorder.record_iteration(iteration_ended(failed=True, cut_off=True))
    block = recorder.aggregate()

    assert block is not None
    assert {name: block.scalars[name].tolist() for name in ("n", "failures", "unfinished")} == {
        "n": [0],
        "failures": [0],
        "unfinished": [1],
    }
    assert block.over_limits["unfinished_over_limit"].tolist() == [[1]]


def test_iterations_of_a_run_only(scheduled: Environment, recorder: RequestRecorder) -> None:
    """What a schedule starts is recorded up to the end of a run."""

    def flow() -> None:
        for _ in range(2):
            current_context().begin_iteration("Visitor.browse", 0.0)
            current_context().end_iteration()
            recorder.stop(scheduled)

    as_user(scheduled, flow)
    block = recorder.aggregate()

    assert block is not None
    assert block.scalars["n"].tolist() == [1]


def test_stopped(environment: Environment, recorder: RequestRecorder) -> None:
    """After its run a recorder keeps no more requests, however often it is told to stop."""
    recorder.stop(environment)
    recorder.stop(environment)
    fire(environment)

    assert recorder.aggregate() is None


def test_unfinished(recorder: RequestRecorder) -> None:
    """A request that was cut off is counted apart, with its age, in no row's n."""
    began_s = START_MONOTONIC_S
    recorder.record_unfinished(Attribution("Visitor"), "GET", "home", began_s, began_s + 3)
    block = recorder.aggregate()

    assert block is not None
    assert [tuple(key) for key in block.keys] == [("Visitor", "GET", "home", "")]
    assert block.scalars["n"].tolist() == [0]
    assert block.scalars["unfinished"].tolist() == [1]
    assert block.over_limits["unfinished_over_limit"].tolist() == [[1]]
    assert block.scalars["ended_s"].tolist() == [START_UNIX_S + 3]


@pytest.mark.parametrize(
    ("failure", "error_type"),
    [
        (CatchResponseError("3 careers, expected 4"), "3 careers, expected 4"),
        ("status 500", "status 500"),
        (ConnectionResetError("by peer"), "ConnectionResetError: by peer"),
        (TimeoutError(), "TimeoutError"),
        (CatchResponseError(""), "CatchResponseError"),
        ("GET /?token=abc", "GET /?token=***"),
        ("half \udc80 a character", r"half \udc80 a character"),
        ("x" * 500, "x" * MAX_ERROR_TYPE_LENGTH),
    ],
)
def test_text(failure: object, error_type: str) -> None:
    """A failure is named by what the journey said, or by the class of the exception and its text."""
    error_types = ErrorTypes()

    assert error_types.texts[error_types.id_of(failure)] == error_type


def test_storm_of_different_texts() -> None:
    """An error text with an id in it fills the table once; later texts are "other"."""
    error_types = ErrorTypes()
    numbers = [error_types.id_of(f"order {order} is lost") for order in range(10 * MAX_ERROR_TYPES)]

    assert len(error_types.texts) == MAX_ERROR_TYPES
    assert error_types.texts[numbers[0]] == "order 0 is lost"
    assert error_types.texts[numbers[-1]] == OTHER
    assert error_types.id_of("order 0 is lost") == numbers[0]


def test_cache_is_bounded() -> None:
    """Texts that differ in their secrets are one type, however many there are."""
    error_types = ErrorTypes()
    numbers = {error_types.id_of(f"refused token={secret}") for secret in range(6 * MAX_ERROR_TYPES)}

    assert len(numbers) == 1
    assert len(error_types._seen) <= 4 * MAX_ERROR_TYPES
