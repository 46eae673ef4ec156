"""Users take arrivals: one iteration each, at once or when one comes, whatever becomes of it."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

import gevent
from gevent.pool import Group
from locust import TaskSet, User, constant, constant_pacing, task
from locust.env import Environment
from locust.exception import RescheduleTask, StopUser

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest

from plimsoll.loads.idle_users import IdleUserPool
from plimsoll.loads.intended_starts import USERS, watch_task_sets
from plimsoll.loads.iterations import ITERATIONS


class Told(list[tuple[str, bool | None]]):
    """The iterations that have ended: name, and whether it failed; None for one that was cut off."""

    def __call__(
        self,
        user_class: type,
        name: str,
        intended_s: float,
        started_s: float,
        ended_s: float,
        *,
        failed: bool,
        cut_off: bool,
    ) -> None:
        """Take one."""
        assert intended_s <= started_s <= ended_s
        assert name.startswith(user_class.__name__)
        self.append((name, None if cut_off else failed))


@pytest.fixture
def told() -> Iterator[Told]:
    """Listen to the iterations of this process."""
    told = Told()
    ITERATIONS.add_listener(told)
    yield told
    ITERATIONS.remove_listener(told)


@pytest.fixture
def pool() -> Iterator[IdleUserPool]:
    """Have arrivals in force, and users who look for them."""
    watch_task_sets()
    ITERATIONS.is_scheduled, USERS.pool = True, IdleUserPool()
    yield USERS.pool
    ITERATIONS.is_scheduled, USERS.pool = False, None


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


def started(user_class: type[User], count: int = 1) -> Group:
    """Start users and let them come as far as they can."""
    users = Group()
    for _ in range(count):
        user_class(Environment()).start(users)
    settle()
    return users


def settle() -> None:
    """Let all greenlets run until they wait."""
    for _ in range(5):
        gevent.sleep(0)


def arrive(pool: IdleUserPool, arrivals: int, late_s: float = 0.0) -> None:
    """Let arrivals come, and users take them."""
    for _ in range(arrivals):
        pool.arrive(perf_counter() - late_s, perf_counter())
    settle()


def test_each_arrival_is_an_iteration(pool: IdleUserPool, told: Told) -> None:
    """No iteration begins by itself, not the first either, and each arrival begins one."""
    users = started(Visitor, 2)
    before = list(told)
    arrive(pool, 5)
    users.kill()

    assert before == []
    assert told == [("Visitor.visit", False)] * 5


def test_late_arrivals_are_taken_at_once(pool: IdleUserPool, told: Told) -> None:
    """What was due before the user was free is begun without a wait, and known to be late."""
    late = ITERATIONS.late
    arrive(pool, 3, late_s=0.5)
    users = started(Visitor)
    users.kill()

    assert len(told) == 3
    assert ITERATIONS.late == late + 3


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
    pool: IdleUserPool, told: Told, outcome: BaseException, is_told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of an iteration is told of as what it is."""
    monkeypatch.setattr(Visitor, "outcome", outcome)
    users = started(Visitor)
    arrive(pool, 1)
    users.kill()

    assert told == is_told


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
    pool: IdleUserPool, monkeypatch: pytest.MonkeyPatch, outcome: BaseException, state: str,
    target_user_count: int, stays: int,
) -> None:  # fmt: skip
    """Whoever stops itself after an arrival makes place for one who takes the next; nobody else does."""
    monkeypatch.setattr(Visitor, "outcome", outcome)
    environment = Environment()
    runner: Any = FakeRunner(environment, state, target_user_count)
    environment.runner = runner
    runner.spawn_users({"Visitor": 1})
    settle()
    arrive(pool, 1)
    counts = (runner.user_count, pool.users, len(USERS.replacing))
    runner.users.kill()

    assert counts == (stays, stays, 0)


def test_users_come_and_go(pool: IdleUserPool) -> None:
    """The pool knows who is there, also when users are stopped while they are free."""
    present = USERS.present
    users = started(Visitor, 3)
    counts = (pool.users, pool.busy, USERS.present - present)
    users.kill()
    settle()

    assert counts == (3, 0, 3)
    assert (pool.users, pool.busy, USERS.present - present) == (0, 0, 0)


def test_an_arrival_for_a_user_who_is_stopped(pool: IdleUserPool, told: Told) -> None:
    """It goes to the next user who is free."""
    users = started(Visitor, 2)
    pool.arrive(perf_counter(), perf_counter())
    users.killone(next(iter(users)), block=False)
    settle()
    settle()
    users.kill()

    assert told == [("Visitor.visit", False)]


def test_fixed_users_keep_their_pace(pool: IdleUserPool, told: Told) -> None:
    """Users of a fixed count take no arrivals, and their iterations are not counted."""
    count = ITERATIONS.started
    users = started(Sitting)
    counts = (pool.users, len(told), ITERATIONS.started - count)
    users.kill()

    assert counts == (0, 0, 0)


def test_waits_within_a_task_are_the_journeys_own(pool: IdleUserPool, told: Told) -> None:
    """A task that waits does so for its wait time; only between tasks an arrival ends the wait."""

    class Thinking(User):
        """A user who thinks in the midst of a task."""

        wait_time = constant(60)

        @task
        def think(self) -> None:
            self.wait()

    users = started(Thinking)
    arrive(pool, 1)
    counts = (pool.busy, len(told))
    users.kill()

    assert counts == (1, 0)


def test_graceful_stop(pool: IdleUserPool, told: Told) -> None:
    """A user who was asked to stop ends after its task and takes no other arrival."""
    ends = gevent.event.Event()

    class Slow(User):
        """A user whose task lasts until the test ends it."""

        @task
        def last(self) -> None:
            ends.wait()

    user = Slow(Environment())
    users = Group()
    user.start(users)
    settle()
    arrive(pool, 2)
    user.stop(force=False)
    ends.set()
    settle()

    assert told == [("Slow.last", False)]
    assert (len(users), pool.users) == (0, 0)


def test_nested_tasks(pool: IdleUserPool, told: Told) -> None:
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

    users = started(Nested)
    arrive(pool, 3)
    users.kill()

    assert told == [("Nested.step", False)] * 3
