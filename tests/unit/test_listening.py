"""No listener of the user's keeps ours from hearing an event, and none is heard twice."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

import gevent
from gevent import GreenletExit
from locust import User, events, task
from locust.env import Environment
from locust.event import EventHook, Events
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.runners import LocalRunner

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from plimsoll.listening import listen_first, listen_last, put_locust_first, surround
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock

RAISED = (
    RescheduleTask,
    RescheduleTaskImmediately,
    InterruptTaskSet,
    StopUser,
    StopTest,
    GreenletExit,
    SystemExit,
    ValueError,
)


def fire_request(hook: Any, exception: object = None) -> None:
    """Fire the event of one request as a client does."""
    told = {"request_type": "GET", "name": "home", "response_time": 5.0, "response_length": 1}
    hook.fire(**told, exception=exception, context={})


def raising(error: type[BaseException]) -> Callable[..., None]:
    """Return a listener that raises."""

    def listener(**_: Any) -> None:
        raise error

    return listener


def recorded(recorder: RequestRecorder) -> tuple[int, int]:
    """Return the requests and the failures among them since the last call."""
    block = recorder.aggregate()
    return (0, 0) if block is None else (block.scalars["n"].sum(), block.scalars["failures"].sum())


@pytest.fixture
def environment() -> Environment:
    """Return an environment with a runner, whose own listener counts requests."""
    environment = Environment()
    LocalRunner(environment)
    return environment


@pytest.fixture
def recorder(environment: Environment) -> Iterator[RequestRecorder]:
    """Return a recorder that listens, until the end of the test."""
    recorder = RequestRecorder([], RunClock())
    recorder.listen(environment)
    yield recorder
    recorder.stop(environment)


@pytest.mark.parametrize("error", RAISED)
def test_every_request_is_recorded_whoever_raises(error: type[BaseException]) -> None:
    """Listeners of before, of after and of during the run raise at each request: each is recorded once."""
    environment = Environment()
    hook = environment.events.request
    hook.add_listener(raising(error))  # as a locustfile does at import, before there is a runner
    runner = LocalRunner(environment)
    put_locust_first(environment.events)
    recorder = RequestRecorder([], RunClock())
    recorder.listen(environment)
    late = hook.add_listener(raising(error))
    for number in range(20):
        with suppress(*RAISED):
            fire_request(hook, ValueError("no") if number % 4 == 0 else None)
        hook.remove_listener(late)
        hook.add_listener(late)
    recorder.stop(environment)

    assert recorded(recorder) == (20, 5)
    total = runner.stats.total
    assert (total.num_requests, total.num_failures) == (20, 5)


def test_each_way_to_fire_is_recorded_once(environment: Environment, recorder: RequestRecorder) -> None:
    """Fired by the event, by a function kept from before, within measure, and by measure that fails."""
    hook = environment.events.request
    fire_request(hook)
    fire_request(type("Kept", (), {"fire": staticmethod(hook.fire)}))
    with hook.measure("SQL", "orders"):
        pass
    with hook.measure("SQL", "orders") as told:
        told["exception"] = ValueError("no such table")
    hook.add_listener(raising(RescheduleTask))
    with pytest.raises(RescheduleTask), hook.measure("SQL", "orders"):
        pass

    assert recorded(recorder) == (5, 1)


def test_environments_are_apart(environment: Environment, recorder: RequestRecorder) -> None:
    """Of several environments in a process each recorder has the requests of its own."""
    other = Environment()
    others = RequestRecorder([], RunClock())
    others.listen(other)
    fire_request(environment.events.request)
    for _ in range(2):
        fire_request(other.events.request)
    fire_request(events.request)
    others.stop(other)
    fire_request(other.events.request)

    assert (recorded(recorder), recorded(others)) == ((1, 0), (2, 0))


def test_users_who_end_their_task_at_a_failure(environment: Environment, recorder: RequestRecorder) -> None:
    """Locust's pattern for that: a listener, added as the user starts, raises RescheduleTask."""
    hook: Any = environment.events.request

    class Careful(User):
        """A user who goes on only after what went well, three tasks long."""

        left = 3

        def on_start(self) -> None:
            """Have failures end the task."""
            hook.add_listener(self.end_task)

        def end_task(self, exception: object, **_: Any) -> None:
            """End the task at a failure."""
            if exception:
                raise RescheduleTask

        @task
        def order(self) -> None:
            """Sign in, which fails, and never come to order."""
            Careful.left -= 1
            if Careful.left < 0:
                raise StopUser
            fire_request(hook, ValueError("no"))
            fire_request(hook)

    user: Any = Careful(environment)
    gevent.spawn(user.run).get(timeout=60)

    assert recorded(recorder) == (3, 3)


def test_locusts_listeners_come_first_in_their_order() -> None:
    """A listener of the import keeps Locust from counting neither requests nor exceptions."""
    environment = Environment()
    told: Events = environment.events
    for hook in (told.request, told.user_error):
        hook.add_listener(raising(StopUser))
    runner = LocalRunner(environment)
    put_locust_first(told)
    with pytest.raises(StopUser):
        fire_request(told.request)
    with pytest.raises(StopUser):
        told.user_error.fire(user_instance=None, exception=ValueError("no"), tb=None)

    assert runner.stats.total.num_requests == 1
    assert [each["msg"] for each in runner.exceptions.values()] == ["no"]


@pytest.mark.parametrize("error", RAISED)
def test_last_is_called_whoever_raises(error: type[BaseException]) -> None:
    """What is to be called last is, in its order, and what was raised goes on to whoever fired."""
    hook, calls = EventHook(), list[str]()
    listen_last(hook, lambda **_: calls.append("last"))
    listen_last(hook, lambda **_: calls.append("very last"))
    hook.add_listener(lambda **_: calls.append("added later"))
    listen_first(hook, lambda **_: calls.append("first"))
    hook.fire()
    hook.add_listener(raising(error))
    try:
        hook.fire()
    except error:
        calls.append("raised")

    all_of_them = ["first", "added later", "last", "very last"]
    # Locust logs any other exception and goes on.
    assert calls == [*all_of_them, *all_of_them, *(["raised"] if error is not ValueError else [])]


def test_a_fault_of_ours_at_the_end_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A last listener that fails is logged as any of Locust's, and the next is called."""
    hook, calls = EventHook(), list[str]()
    listen_last(hook, raising(ValueError))
    listen_last(hook, lambda **_: calls.append("last"))
    hook.fire()

    assert calls == ["last"]
    assert "Uncaught exception in event handler" in caplog.text


def test_surrounded() -> None:
    """What surrounds an event gets its arguments, and goes on when all listeners are done."""
    hook, calls = EventHook(), list[str]()

    @contextmanager
    def around(name: str) -> Iterator[None]:
        calls.append(f"before {name}")
        yield
        calls.append(f"after {name}")

    hook.add_listener(lambda name: calls.append(name))
    surround(hook, around)
    hook.fire(name="test_start")
    hook.add_listener(raising(StopUser))
    with pytest.raises(StopUser):
        hook.fire(name="test_start", reverse=True)

    assert calls == ["before test_start", "test_start", "after test_start", "before test_start"]
