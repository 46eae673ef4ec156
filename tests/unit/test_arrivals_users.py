"""Users take arrivals: one iteration each, at once or when one comes, whatever becomes of it."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

import gevent
from gevent.pool import Group
from locust import TaskSet, User, constant, constant_pacing, task
from locust.env import Environment
from locust.exception import RescheduleTask, StopUser

from time import perf_counter
from typing import Any

import pytest

from plimsoll.context import execution_of, follow_users
from plimsoll.loads.idle_users import IdleUserPool
from plimsoll.loads.intended_starts import UserRegistry
from tests.users_at_work import Kept


class Open:
    """An open load in which users look for arrivals."""

    def __init__(self) -> None:
        follow_users()
        self.environment = Environment()
        self.pool = IdleUserPool()
        self.registry = UserRegistry(self.pool)
        self.execution = execution_of(self.environment)
        self.execution.task_starts = self.registry
        self.kept = Kept(self.environment)

    @property
    def ended(self) -> list[tuple[str, bool | None]]:
        """The iterations that have ended: name, and whether it failed; None for one that was cut off."""
        return [(each.name, None if each.is_cut_off else each.failed) for each in self.kept.iterations]

    def start(self, user_class: type[User], count: int = 1) -> Group:
        """Start users and let them come as far as they can."""
        users = Group()
        for _ in range(count):
            user_class(self.environment).start(users)
        settle()
        return users

    def arrive(self, arrivals: int, late_s: float = 0.0) -> None:
        """Let arrivals come, and users take them."""
        for _ in range(arrivals):
            self.pool.arrive(perf_counter() - late_s, perf_counter())
        settle()


@pytest.fixture
def load() -> Open:
    """Return an open load."""
    return Open()


class Visitor(User):
    """A user whose wait time would be a minute."""

    wait_time = constant(60)
    outcome: Any = None

    @task
    def visit(self) -> None:
        """Come to the end that the test wants."""
        if self.outcome:
            raise self.outcome


class Sitting(Visitor):
    """A user of a fixed number, at a pace of its own."""

    fixed_count = 1
    wait_time = constant_pacing(60)


def settle() -> None:
    """Let all greenlets run until they wait."""
    for _ in range(5):
        gevent.sleep(0)


def test_each_arrival_is_an_iteration(load: Open) -> None:
    """No iteration begins by itself, not the first either, and each arrival begins one."""
    users = load.start(Visitor, 2)
    before = load.ended
    load.arrive(5)
    users.kill()

    assert before == []
    assert load.ended == [("Visitor.visit", False)] * 5


def test_late_arrivals_are_taken_at_once(load: Open) -> None:
    """What was due before the user was free is begun without a wait, and known to be late."""
    load.arrive(3, late_s=0.5)
    users = load.start(Visitor)
    users.kill()

    assert len(load.ended) == 3
    assert load.execution.late == 3


@pytest.mark.parametrize(
    ("outcome", "is_told"),
    [
        pytest.param(ValueError("no"), [("Visitor.visit", True)], id="an exception is a failure"),
        pytest.param(RescheduleTask(), [("Visitor.visit", False)], id="going on to the next task is none"),
        pytest.param(StopUser(), [("Visitor.visit", False)], id="a user who leaves has done its task"),
        pytest.param(gevent.GreenletExit(), [("Visitor.visit", None)], id="who is stopped is cut off"),
    ],
)
def test_ends(
    load: Open, outcome: BaseException, is_told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of an iteration is told of as what it is."""
    monkeypatch.setattr(Visitor, "outcome", outcome)
    users = load.start(Visitor)
    load.arrive(1)
    users.kill()

    assert load.ended == is_told


class FakeRunner:
    """Is asked for users in the place of others, and starts them."""

    def __init__(self, environment: Environment, state: str, target_user_count: int) -> None:
        self.environment, self.state, self.target_user_count = environment, state, target_user_count
        self.users = Group()

    @property
    def user_count(self) -> int:
        """The users who are there."""
        return len(self.users)

    def spawn_users(self, counts: dict[str, int]) -> list[User]:
        """Start users."""
        assert counts == {"Visitor": 1}
        user = Visitor(self.environment)
        user.start(self.users)
        return [user]


@pytest.mark.parametrize(
    ("outcome", "state", "target_user_count", "stays"),
    [
        pytest.param(StopUser(), "running", 1, 1, id="a user who leaves is replaced"),
        pytest.param(StopUser(), "spawning", 2, 1, id="also while others are added"),
        pytest.param(StopUser(), "cleanup", 1, 0, id="not at the end of the load"),
        pytest.param(StopUser(), "running", 0, 0, id="not where no more are wanted"),
        pytest.param(gevent.GreenletExit(), "running", 1, 0, id="who is stopped is not replaced"),
    ],
)
def test_replaced(
    load: Open, monkeypatch: pytest.MonkeyPatch, outcome: BaseException, state: str,
    target_user_count: int, stays: int,
) -> None:  # fmt: skip
    """Whoever stops itself after an arrival makes place for one who takes the next; nobody else does."""
    monkeypatch.setattr(Visitor, "outcome", outcome)
    runner: Any = FakeRunner(load.environment, state, target_user_count)
    load.environment.runner = runner
    runner.spawn_users({"Visitor": 1})
    settle()
    load.arrive(1)
    counts = (runner.user_count, load.pool.users, len(load.registry.replacing))
    runner.users.kill()

    assert counts == (stays, stays, 0)


def test_users_come_and_go(load: Open) -> None:
    """The pool knows who is there, also when users are stopped while they are free."""
    users = load.start(Visitor, 3)
    counts = (load.pool.users, load.pool.busy, load.registry.present)
    users.kill()
    settle()

    assert counts == (3, 0, 3)
    assert (load.pool.users, load.pool.busy, load.registry.present) == (0, 0, 0)


def test_an_arrival_for_a_user_who_is_stopped(load: Open) -> None:
    """It goes to the next user who is free."""
    users = load.start(Visitor, 2)
    load.pool.arrive(perf_counter(), perf_counter())
    users.killone(next(iter(users)), block=False)
    settle()
    settle()
    users.kill()

    assert load.ended == [("Visitor.visit", False)]


def test_fixed_users_keep_their_pace(load: Open) -> None:
    """Users of a fixed count take no arrivals, and their iterations are not counted."""
    users = load.start(Sitting)
    counts = (load.pool.users, len(load.ended), load.execution.started)
    users.kill()

    assert counts == (0, 0, 0)


def test_waits_within_a_task_are_the_journeys_own(load: Open) -> None:
    """A task that waits does so for its wait time; only between tasks an arrival ends the wait."""

    class Thinking(User):
        """A user who thinks in the midst of a task."""

        wait_time = constant(60)

        @task
        def think(self) -> None:
            self.wait()

    users = load.start(Thinking)
    load.arrive(1)
    counts = (load.pool.busy, len(load.ended))
    users.kill()

    assert counts == (1, 0)


def test_graceful_stop(load: Open) -> None:
    """A user who was asked to stop ends after its task and takes no other arrival."""
    ends = gevent.event.Event()

    class Slow(User):
        """A user whose task lasts until the test ends it."""

        @task
        def last(self) -> None:
            ends.wait()

    user = Slow(load.environment)
    users = Group()
    user.start(users)
    settle()
    load.arrive(2)
    user.stop(force=False)
    ends.set()
    settle()

    assert load.ended == [("Slow.last", False)]
    assert (len(users), load.pool.users) == (0, 0)


def test_nested_tasks(load: Open) -> None:
    """A TaskSet is no iteration, the tasks in it are."""

    class Nested(User):
        """A user of nested tasks."""

        @task
        class Tasks(TaskSet):
            """The nested ones."""

            @task
            def step(self) -> None:
                """Go back to the user's tasks."""
                self.interrupt()

    users = load.start(Nested)
    load.arrive(3)
    users.kill()

    assert load.ended == [("Nested.step", False)] * 3
