"""Users with a constant pacing have intended starts, which a stall does not move."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

import gevent
from gevent.pool import Group
from locust import TaskSet, User, between, constant, constant_pacing, constant_throughput, task
from locust.env import Environment
from locust.user.task import LOCUST_STATE_STOPPING

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from plimsoll.context import Execution, current_context, execution_of, follow_users
from plimsoll.loads import intended_starts
from plimsoll.loads.arrival_shape import load_model
from plimsoll.loads.intended_starts import UserRegistry, is_paced
from plimsoll.locust_internals import pacing_s
from shapes.gradual_arrivals import GradualArrivalsShape
from shapes.ramp import RampShape


class Paced(User):
    """A user who is to start every half second."""

    wait_time = constant_pacing(0.5)

    @task
    def work(self) -> None:
        """Take as long as the test has it."""
        self.environment.clock.work()


class LeavingAtWork(Paced):
    """A paced user who is asked to stop while it works."""

    @task
    def leave(self) -> None:
        """Work, and be asked."""
        self.environment.clock.work()
        self._state = LOCUST_STATE_STOPPING


class Leaving(Paced):
    """A paced user who is asked to stop while it waits."""

    @task
    def leave(self) -> None:
        """Work, and be asked when the wait has begun."""
        clock = self.environment.clock
        clock.work()
        clock.when_asleep = lambda: setattr(self, "_state", LOCUST_STATE_STOPPING)


LeavingAtWork.tasks = LeavingAtWork.tasks[-1:]  # without the task of their base class
Leaving.tasks = Leaving.tasks[-1:]


class PacedWithin(User):
    """A user who waits, with tasks that are paced."""

    wait_time = constant(1)

    @task
    class Tasks(TaskSet):
        """Five a second."""

        wait_time = constant_throughput(5)


class Unpaced(User):
    """A user who thinks."""

    wait_time = between(1, 2)


class Clock:
    """A time that passes when somebody sleeps or works; it ends the user after some tasks."""

    def __init__(self, durations_s: list[float]) -> None:
        self.now_s = 100.0
        self.durations_s = durations_s
        self.execution = Execution()
        self.starts_s: list[float] = []
        self.delays_s: list[float] = []
        self.when_asleep: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s

    def work(self) -> None:
        """Note a start and take the next duration, or end the user after the last."""
        self.starts_s.append(round(self.now_s - 100, 6))
        self.delays_s.append(round(current_context().consume_start_delay_ms() / 1000, 6))
        if not self.durations_s:
            raise gevent.GreenletExit
        self.now_s += self.durations_s.pop(0)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds
        self.when_asleep()


def played(monkeypatch: pytest.MonkeyPatch, user_class: type[User], durations_s: list[float]) -> Clock:
    """Play a user whose tasks take these durations, with intended starts in force."""
    follow_users()
    clock = Clock(durations_s)
    monkeypatch.setattr(intended_starts, "perf_counter", clock)
    monkeypatch.setattr(gevent, "sleep", clock.sleep)
    environment: Any = Environment()
    environment.clock = clock
    clock.execution = execution_of(environment)
    clock.execution.task_starts = UserRegistry()
    users = Group()
    user_class(environment).start(users)
    users.join(timeout=60)
    return clock


def test_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks shorter than the pacing start at its multiples, however long they take."""
    clock = played(monkeypatch, Paced, [0.1, 0.4, 0.0])

    assert clock.starts_s == [0, 0.5, 1.0, 1.5]
    assert clock.delays_s == [0, 0, 0, 0]


def test_after_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 2 s of silence the starts of 0.5, 1.0, 1.5 and 2.0 s follow at once, late by what they missed."""
    clock = played(monkeypatch, Paced, [2.1, 0.1, 0.1, 0.1, 0.1, 0.1])

    assert clock.starts_s == [0, 2.1, 2.2, 2.3, 2.4, 2.5, 3.0]
    assert clock.delays_s == [0, 1.6, 1.2, 0.8, 0.4, 0, 0]
    assert clock.execution.late == 4


def test_other_users_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a pacing is not scheduled and waits as ever."""

    class Thinking(Paced):
        """A user who thinks."""

        wait_time = constant(3)

    clock = played(monkeypatch, Thinking, [1.0, 1.0])

    assert clock.starts_s == [0, 4, 8]
    assert clock.execution.started == 0


def test_tasks_with_a_wait_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a paced user a TaskSet with another wait time keeps to that one."""

    class Nested(Paced):
        """A paced user with tasks that wait."""

        class Waiting(TaskSet):
            """Two seconds from one to the next."""

            wait_time = constant(2)

            @task
            def work(self) -> None:
                """Take as long as the test has it."""
                self.user.environment.clock.work()

        tasks = [Waiting]  # noqa: RUF012 - as Locust has it

    del Nested.tasks[0]  # the task of its base class
    clock = played(monkeypatch, Nested, [0.5, 0.5])

    assert clock.starts_s == [0, 2.5, 5]
    assert clock.delays_s == [0, 0, 0]


@pytest.mark.parametrize("is_asked_while_it_waits", [True, False])
def test_a_paced_user_who_is_asked_to_stop(
    monkeypatch: pytest.MonkeyPatch, *, is_asked_while_it_waits: bool
) -> None:
    """It leaves after its task, or as soon as its wait is over."""
    clock = played(monkeypatch, Leaving if is_asked_while_it_waits else LeavingAtWork, [0.1, 0.1])

    assert clock.starts_s == [0]


@pytest.mark.parametrize(
    ("wait_time", "expected_s"),
    [
        pytest.param(constant_pacing(0.5), 0.5, id="a pacing"),
        pytest.param(constant_throughput(4), 0.25, id="a throughput is a pacing"),
        pytest.param(constant(0.5), None, id="a constant wait"),
        pytest.param(between(1, 2), None, id="a random wait"),
        pytest.param(None, None, id="none"),
        pytest.param(Paced(Environment()).wait_time, 0.5, id="a pacing of a user"),
    ],
)
def test_pacing_s(wait_time: Any, expected_s: float | None) -> None:
    """Locust's own paced wait times are known by what they are made of."""
    assert pacing_s(wait_time) == expected_s


def test_is_paced() -> None:
    """A user is paced by its own wait time or by that of tasks within it."""
    assert [is_paced([one]) for one in (Paced, PacedWithin, Unpaced)] == [True, True, False]


@pytest.mark.parametrize(
    ("shape", "user_classes", "model"),
    [
        pytest.param(GradualArrivalsShape, [Paced], "open", id="arrivals are open whoever takes them"),
        pytest.param(RampShape, [Unpaced, Paced], "paced", id="one paced class is enough"),
        pytest.param(None, [Unpaced], "closed", id="users who think"),
    ],
)
def test_load_model(shape: Any, user_classes: list[type[User]], model: str) -> None:
    """A run is open, paced or closed."""
    environment: Any = SimpleNamespace(shape_class=shape and shape(), user_classes=user_classes)

    assert load_model(environment) == model
