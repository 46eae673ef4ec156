"""Transactions are measured whole, with think time and without, and know what went wrong in them."""

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.exception import RescheduleTask

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plimsoll.context import Transaction, current_context, execution_of
from plimsoll.loads.intended_starts import UserRegistry
from plimsoll.recording.intervals import IntervalBatch
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock
from tests.users_at_work import spawn_user
from tests.virtual_time import virtual_time

Figures = dict[str, tuple[float, ...]]


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Let time pass only where a user sleeps."""
    with virtual_time():
        yield


@pytest.fixture
def environment() -> Environment:
    """Return an environment of Locust without users."""
    return Environment()


@pytest.fixture
def recorder(environment: Environment) -> Iterator[RequestRecorder]:
    """Return a recorder that listens, until the end of the test."""
    recorder = RequestRecorder([], RunClock())
    recorder.listen(environment)
    yield recorder
    recorder.stop(environment)


def ask(environment: Environment, name: str, response_time: float, exception: object = None) -> None:
    """Wait for an answer, and fire Locust's request event as a client does."""
    gevent.sleep(response_time / 1000)
    event: Any = environment.events.request
    event.fire(
        request_type="GET",
        name=name,
        response_time=response_time,
        response_length=1,
        exception=exception,
        context={},
    )


def as_user(environment: Environment, flow: Callable[[], None]) -> None:
    """Run a flow in the greenlet of a user; what it raises ends it."""
    spawn_user(environment, flow).join()


def figures(block: IntervalBatch | None, *columns: str) -> Figures:
    """Return columns of the rows by type and name, without those of requests."""
    assert block is not None
    return {
        f"{key.request_type}:{key.name}": tuple(float(block.scalars[column][row]) for column in columns)
        for row, key in enumerate(block.keys[position] for position in block.scalars["key"])
        if key.request_type != "GET"
    }


def test_both_times(environment: Environment, recorder: RequestRecorder) -> None:
    """A transaction is a row of its whole time, and one of the requests in it."""

    def flow() -> None:
        with Transaction("flow"):
            ask(environment, "a", 100.0)
            gevent.sleep(0.75)
            ask(environment, "b", 150.0)
        ask(environment, "c", 1000.0)

    as_user(environment, flow)

    assert figures(recorder.aggregate(), "n", "failures", "sum_ms") == {
        "transaction:flow": (1, 0, pytest.approx(1000)),
        "transaction_busy:flow": (1, 0, 250),
    }


def test_nested(environment: Environment, recorder: RequestRecorder) -> None:
    """A transaction within another is named after both, and its requests are in both."""

    def flow() -> None:
        with Transaction("flow"):
            ask(environment, "a", 100.0)
            gevent.sleep(1.9)
            with Transaction("login"):
                ask(environment, "b", 150.0)
                gevent.sleep(0.85)

    as_user(environment, flow)

    assert figures(recorder.aggregate(), "sum_ms") == {
        "transaction:flow": (pytest.approx(3000),),
        "transaction_busy:flow": (250,),
        "transaction:flow/login": (pytest.approx(1000),),
        "transaction_busy:flow/login": (150,),
    }


def test_failed_request(environment: Environment, recorder: RequestRecorder) -> None:
    """A failed request makes every transaction around it fail, which says which request it was."""

    def flow() -> None:
        with Transaction("flow"), Transaction("login"):
            ask(environment, "b", 150.0, ValueError("wrong"))

    as_user(environment, flow)
    block = recorder.aggregate()

    assert figures(block, "n", "failures") == dict.fromkeys(
        (f"{kind}:{name}" for kind in ("transaction", "transaction_busy") for name in ("flow", "flow/login")),
        (1, 1),
    )
    assert block is not None
    assert list(block.kinds) == ["ValueError: wrong", "b failed"]


def test_exception(environment: Environment, recorder: RequestRecorder) -> None:
    """A transaction that an exception leaves has failed, whether Locust or Python raised it."""

    def flow() -> None:
        with Transaction("flow"):
            raise RescheduleTask

    as_user(environment, flow)
    block = recorder.aggregate()

    assert figures(block, "n", "failures")["transaction:flow"] == (1, 1)
    assert block is not None
    assert list(block.kinds) == ["RescheduleTask"]


def test_killed_user(environment: Environment, recorder: RequestRecorder) -> None:
    """A transaction whose user is stopped has neither succeeded nor failed: it is unfinished."""
    begun = Event()

    def flow() -> None:
        with Transaction("flow"):
            begun.set()
            Event().wait()

    user = spawn_user(environment, flow)
    begun.wait()
    user.kill()

    assert figures(recorder.aggregate(), "n", "failures", "unfinished")["transaction:flow"] == (0, 0, 1)
    assert not execution_of(environment).transactions


def test_end_of_the_run(environment: Environment, recorder: RequestRecorder) -> None:
    """What is under way when the run ends is unfinished, once, whenever its user ends."""
    begun = Event()

    def flow() -> None:
        with Transaction("flow"), Transaction("login"):
            begun.set()
            Event().wait()

    user = spawn_user(environment, flow)
    begun.wait()
    recorder.stop(environment)
    user.kill()

    unfinished = figures(recorder.aggregate(), "unfinished")
    assert unfinished["transaction:flow"] == unfinished["transaction:flow/login"] == (1,)


def test_two_users(environment: Environment, recorder: RequestRecorder) -> None:
    """Requests count to the transaction of their own user only."""
    begun = Event()

    def wait() -> None:
        with Transaction("waiting"):
            begun.wait()

    def flow() -> None:
        with Transaction("flow"):
            ask(environment, "a", 100.0)
        begun.set()

    gevent.joinall([spawn_user(environment, wait), spawn_user(environment, flow)])
    sums = figures(recorder.aggregate(), "sum_ms")

    busy = {name: sums[f"transaction_busy:{name}"] for name in ("waiting", "flow")}
    assert busy == {"waiting": (0,), "flow": (100,)}


def test_late_iteration(environment: Environment, recorder: RequestRecorder) -> None:
    """A transaction that begins a late iteration has a response time, and its first request too."""
    execution_of(environment).task_starts = UserRegistry()

    def flow() -> None:
        current_context().begin_iteration("User.flow", delay_s=0.5)
        for name in ("first", "second"):
            with Transaction(name):
                ask(environment, "a", 100.0)
                gevent.sleep(0.9)
        current_context().end_iteration()

    as_user(environment, flow)
    block = recorder.aggregate()
    responses = figures(block, "response_sum_ms")

    assert responses["transaction:first"] == pytest.approx((1500,))
    assert responses["transaction:second"] == pytest.approx((1000,))
    assert math.isnan(responses["transaction_busy:first"][0])
    assert block is not None
    assert sorted(block.scalars["response_sum_ms"][block.scalars["key"] == 0]) == [100.0, 600.0]


def test_without_a_recording(environment: Environment) -> None:
    """Between runs a transaction is not recorded and leaves nothing behind."""

    def flow() -> None:
        with Transaction("flow"):
            assert len(execution_of(environment).transactions) == 1

    as_user(environment, flow)

    assert not execution_of(environment).transactions
