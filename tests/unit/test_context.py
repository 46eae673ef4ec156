"""What a user's greenlets do is the user's: under its tags, and in its iteration and transaction."""

import gevent
import gevent.event
from gevent.pool import Group, Pool
from locust import TaskSet, User, constant_pacing, tag, task
from locust.env import Environment
from locust.exception import StopUser

import math
import time
from typing import Any

import pytest

from plimsoll.context import Transaction, current_context, execution_of, follow_users, tagged
from plimsoll.loads.intended_starts import UserRegistry
from tests.users_at_work import Kept, as_user, spawn_user


class Guest(User):
    """A user whom another user brings."""


@pytest.fixture
def environment() -> Environment:
    """Return an environment without a schedule."""
    return Environment()


@pytest.fixture
def scheduled(environment: Environment) -> Environment:
    """Return an environment whose tasks a schedule starts."""
    execution_of(environment).task_starts = UserRegistry()
    return environment


@pytest.fixture
def kept(environment: Environment) -> Kept:
    """Return what is recorded in the environment."""
    return Kept(environment)


def look() -> tuple[str, str]:
    """Return the user class and the tags of what the current greenlet does."""
    return current_context().attribution


def ask(name: str, response_time_ms: float, exception: object) -> None:
    """Have a request end, as the recorder takes it."""
    transaction = current_context().transaction
    assert transaction is not None
    transaction.note_request(name, response_time_ms, exception)


def test_tags_add_up(environment: Environment) -> None:
    """A block adds its tags to those around it, in whatever order, and takes them away again."""

    def flow() -> list[str]:
        seen = []
        with tagged(["slow"]):
            with tagged(["content", "slow"]):
                seen.append(look()[1])
            seen.append(look()[1])
        return [*seen, look()[1]]

    assert as_user(environment, flow) == ["content,slow", "slow", ""]


@pytest.mark.parametrize(
    ("tags", "recorded"),
    [
        (["b, a"], "a,b"),  # commas separate them in the file
        (["password=hunter2"], "password=***"),
    ],
)
def test_tags_as_they_are_recorded(tags: list[str], recorded: str) -> None:
    """A tag goes into files: one with a comma is several, and no secret stays."""
    with tagged(tags):
        assert look()[1] == recorded


def test_tasks_run_under_their_tags(environment: Environment) -> None:
    """A task of a user or of a TaskSet runs under the tags of Locust's own @tag, and no other does."""
    seen: list[tuple[str, str, str]] = []
    follow_users()

    class Steps(TaskSet):
        @tag("steps")
        @task
        def step(self) -> None:
            seen.append(("step", *look()))
            raise StopUser

    class Reader(User):
        tasks = [Steps]  # noqa: RUF012 - Locust's name

        def on_start(self) -> None:
            seen.append(("on_start", *look()))

    @tag("content", "slow")
    def read(user: User) -> None:
        seen.append(("read", *look()))
        user.tasks = [Steps]

    Reader.tasks = [read]
    users = Group()
    Reader(environment).start(users)
    users.join()

    assert seen == [
        ("on_start", "Reader", ""),
        ("read", "Reader", "content,slow"),
        ("step", "Reader", "steps"),
    ]


def test_greenlets_side_by_side(environment: Environment) -> None:
    """Greenlets of a task, of a pool and of another greenlet are the user's, with the tags around them."""

    def flow() -> list[tuple[str, str]]:
        with tagged(["content"]):
            inner = gevent.spawn(lambda: gevent.spawn(look).get())
            later = gevent.spawn_later(0.001, look)
            return [inner.get(), later.get(), *Pool(2).map(lambda _: look(), range(2))]

    assert as_user(environment, flow) == [("Visitor", "content")] * 4


def test_tags_are_those_of_the_moment(environment: Environment) -> None:
    """What was spawned before a block is not in it, however late it asks, and may have blocks of its own."""

    def flow() -> list[Any]:
        before = gevent.spawn(look)
        with tagged(["content"]):
            seen = before.get()

            def add() -> tuple[str, str]:
                with tagged(["slow"]):
                    return look()

            return [seen, gevent.spawn(add).get(), look()]

    assert as_user(environment, flow) == [
        ("Visitor", ""),
        ("Visitor", "content,slow"),
        ("Visitor", "content"),
    ]


def test_users_are_what_they_are(environment: Environment) -> None:
    """A user who is spawned by a user has its own class and no tags; other greenlets have no class."""

    def flow() -> Any:
        with tagged(["content"]):
            return as_user(environment, look, Guest)

    assert as_user(environment, flow) == ("Guest", "")
    assert gevent.spawn(look).get() == ("", "")


def test_requests_side_by_side_are_in_the_transaction(environment: Environment, kept: Kept) -> None:
    """Their times add up, one that fails lets it fail, and transactions in them are named as within it."""

    def visit() -> None:
        ask("a", 100.0, None)
        with Transaction("inner"):
            ask("b", 10.0, ValueError())

    def flow() -> None:
        with Transaction("outer"):
            gevent.joinall([gevent.spawn(visit) for _ in range(2)], raise_error=True)

    as_user(environment, flow)

    assert [each.name for each in kept.transactions] == ["outer/inner", "outer/inner", "outer"]
    assert (kept.transactions[-1].cumulated_ms, kept.transactions[-1].failure) == (220.0, "b failed")


def test_what_outlives_its_transaction_is_in_no_other(environment: Environment, kept: Kept) -> None:
    """A greenlet that goes on is not in the transactions that follow, and begins its own anew."""

    def flow() -> None:
        gone = gevent.event.Event()

        def go_on() -> None:
            gone.wait()
            ask("late", 1000.0, ValueError())
            with Transaction("own"):
                pass

        with Transaction("first"):
            going = gevent.spawn(go_on)
            gevent.sleep(0)
        with Transaction("second"):
            gone.set()
            going.join()

    as_user(environment, flow)
    ended = [(each.name, each.cumulated_ms, each.failure) for each in kept.transactions]

    assert ended == [("first", 0, None), ("own", 0, None), ("second", 0, None)]


def consume() -> float:
    """Return how late the next request of the current greenlet is, as the recorder asks."""
    return current_context().consume_start_delay_ms()


def test_no_schedule_no_delay(environment: Environment) -> None:
    """Without a schedule it is unknown how late a request is."""
    assert math.isnan(as_user(environment, consume))


def test_only_the_first_request_waits(scheduled: Environment) -> None:
    """The first request of an iteration has its delay, the others none, and those outside of any neither."""

    def flow() -> list[float]:
        before = consume()
        current_context().begin_iteration("Visitor.browse", 0.025)
        within = [consume() for _ in range(3)]
        current_context().end_iteration()
        current_context().begin_iteration("Visitor.browse", 0.025)
        current_context().end_iteration()
        return [before, *within, consume()]

    assert as_user(scheduled, flow) == [0.0, 25.0, 0.0, 0.0, 0.0]


def test_greenlets_have_iterations_of_their_own(scheduled: Environment) -> None:
    """The delay of one user is not taken by the request of another."""

    def flow() -> float:
        current_context().begin_iteration("Visitor.browse", 0.025)
        as_user(scheduled, lambda: current_context().begin_iteration("Visitor.browse", 0.5))
        return consume()

    assert as_user(scheduled, flow) == 25.0


def test_requests_side_by_side_belong_to_their_iteration(scheduled: Environment) -> None:
    """Of requests in greenlets that an iteration spawned, only the first has its delay."""

    def flow() -> list[float]:
        current_context().begin_iteration("Visitor.browse", 0.5)
        return [greenlet.get() for greenlet in [gevent.spawn(consume) for _ in range(3)]]

    assert as_user(scheduled, flow) == [500.0, 0.0, 0.0]


def test_what_is_spawned_before_an_iteration_is_of_none(scheduled: Environment) -> None:
    """A greenlet that listens from before the first iteration on takes the delay of none."""

    def flow() -> list[float]:
        begun = gevent.event.Event()
        listening = gevent.spawn(lambda: begun.wait() and consume())
        gevent.sleep(0)
        current_context().begin_iteration("Visitor.browse", 0.5)
        begun.set()
        return [listening.get(), consume()]

    assert as_user(scheduled, flow) == [0.0, 500.0]


def test_what_outlives_its_iteration_is_of_no_other(scheduled: Environment) -> None:
    """A greenlet that goes on asking does not take the delay of the iterations that follow."""
    asked: list[float] = []

    def go_on() -> None:
        for _ in range(2):
            asked.append(consume())
            gevent.sleep(0)

    def flow() -> float:
        current_context().begin_iteration("Visitor.browse", 0.5)
        listening = gevent.spawn(go_on)
        gevent.sleep(0)
        current_context().end_iteration()
        current_context().begin_iteration("Visitor.browse", 0.25)
        listening.join()
        return consume()

    assert as_user(scheduled, flow) == 250.0
    assert asked == [500.0, 0.0]


def test_counts(scheduled: Environment) -> None:
    """An iteration is late from over 10 ms on."""

    def flow() -> None:
        for delay_s in (0.0, 0.010, 0.011, 3.0):
            current_context().begin_iteration("Visitor.browse", delay_s)

    as_user(scheduled, flow)

    assert (execution_of(scheduled).started, execution_of(scheduled).late) == (4, 2)


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_the_end_of_an_iteration(scheduled: Environment, kept: Kept, *, is_cut_off: bool) -> None:
    """It is recorded under its tags, from its actual start to its end, by itself or cut off."""
    before_s = time.monotonic()

    def flow() -> None:
        with tagged(["content"]):
            current_context().begin_iteration("Visitor.browse", 2.0)
        current_context().end_iteration(cut_off=is_cut_off)

    as_user(scheduled, flow)
    (ended,) = kept.iterations

    assert (ended.name, tuple(ended.attribution), ended.delay_s) == (
        *("Visitor.browse", ("Visitor", "content"), 2.0),
    )
    assert (ended.failed, ended.is_cut_off) == (False, is_cut_off)
    assert before_s <= ended.started_s <= ended.ended_s <= time.monotonic()


def test_tasks_within_a_task_are_part_of_its_iteration(scheduled: Environment, kept: Kept) -> None:
    """A task may run a TaskSet by itself: that is one iteration, whose failures are those of its tasks."""
    follow_users()

    class Steps(TaskSet):
        @task
        def step(self) -> None:
            iteration = current_context().iteration
            assert iteration is not None
            iteration.failed = True
            raise StopUser

    class Walker(User):
        wait_time = constant_pacing(1)

        @task
        def walk(self) -> None:
            Steps(self).run()  # type: ignore[no-untyped-call] # Locust's own

    users = Group()
    Walker(scheduled).start(users)
    users.join(timeout=5)
    users.kill()

    assert [(each.name, each.failed) for each in kept.iterations] == [("Walker.walk", True)]
    assert execution_of(scheduled).started == 1


def test_environments_are_apart() -> None:
    """Each environment of a process has an execution of its own, and its users' greenlets have that."""
    one, other = Environment(), Environment()

    assert execution_of(one) is execution_of(one)
    assert as_user(one, lambda: current_context().execution) is execution_of(one)
    assert as_user(other, lambda: current_context().execution) is execution_of(other)
    assert execution_of(one) is not execution_of(other)


def test_killed_user(scheduled: Environment) -> None:
    """A user's greenlet keeps its context while it is being killed."""

    def flow() -> tuple[str, str]:
        gevent.getcurrent().kill(block=False)  # it goes on until it next waits
        return look()

    assert spawn_user(scheduled, flow).get() == ("Visitor", "")
