"""A process dispatches its part of the arrivals to its users, by the clock, which is virtual here."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

import gevent
from locust import User
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import LocalRunner, MasterRunner

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from plimsoll.context import execution_of
from plimsoll.loads import arrival_dispatcher
from plimsoll.loads.arrival_dispatcher import (
    ARRIVALS_OPTION,
    ASSIGNMENT_MESSAGE,
    REPORT_MESSAGE,
    ArrivalDispatcher,
    Assignment,
    Report,
    keep_intended_starts,
)
from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from plimsoll.loads.arrival_shape import LEAD_S
from plimsoll.loads.idle_users import IdleUserPool, Waiter
from plimsoll.loads.intended_starts import UserRegistry
from tests.unit.test_arrivals_shape import FakeMaster, HundredSeconds
from tests.virtual_time import Clock, virtual_time

# 100/s for 1 s: arrivals at 5, 15, … 995 ms.
SCHEDULE = ArrivalSchedule((RateStage("hold", 1, 100, 100),), max_users=10)


class Visitor(User):
    """A user class."""


class FakeRunner:
    """A runner with a number of users, which keeps the messages that it sends."""

    def __init__(self) -> None:
        self.environment = Environment()
        self.user_count = 0
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.fails = False

    def send_message(self, kind: str, data: dict[str, Any]) -> None:
        """Note a message, or fail to send it."""
        if self.fails:
            raise RPCError("broken")
        self.sent.append((kind, data))


class FreeUser:
    """A user who is free again at once, and notes what it was given."""

    def __init__(self, pool: IdleUserPool) -> None:
        self.pool = pool
        self.given_s: list[float] = []
        self.given_at_s: list[float] = []
        self.waiter: Waiter
        pool.join(Visitor)
        self.wait()

    def wait(self) -> None:
        """Be free."""
        self.waiter = self.pool.wait(Visitor, self.take)

    def take(self) -> None:
        """Take what has come."""
        assert self.waiter.arrival is not None
        self.given_s.append(self.waiter.arrival.intended_s)
        self.given_at_s.append(time.perf_counter())
        self.wait()


@pytest.fixture(autouse=True)
def clock() -> Iterator[Clock]:
    """Let time be virtual."""
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def runner() -> FakeRunner:
    """Return a runner without users."""
    return FakeRunner()


@pytest.fixture
def dispatcher(runner: FakeRunner) -> Iterator[ArrivalDispatcher]:
    """Open a dispatcher."""
    dispatcher = ArrivalDispatcher(runner)  # type: ignore[arg-type] # all that a dispatcher wants of a runner
    yield dispatcher
    dispatcher.close()


def assignment(
    part: int = 0, parts: int = 1, from_s: float = 0.0, elapsed_s: float = 0.0, *, at_max_users: bool = False
) -> Assignment:
    """Return an assignment of a part of the schedule, at a moment of the run."""
    return Assignment(
        stages=list(SCHEDULE.stages),
        max_users=SCHEDULE.max_users,
        spacing=SCHEDULE.spacing,
        seed=SCHEDULE.seed,
        part=part,
        parts=parts,
        from_s=from_s,
        elapsed_s=elapsed_s,
        at_max_users=at_max_users,
    )


def until_over(dispatcher: ArrivalDispatcher) -> None:
    """Wait for the end of the schedule."""
    assert dispatcher._dispatching is not None
    dispatcher._dispatching.join()
    assert dispatcher._is_over


def test_the_whole_schedule(dispatcher: ArrivalDispatcher) -> None:
    """Each arrival is given at its intended start and not before; the first moment is the master's."""
    user = FreeUser(dispatcher.pool)
    began_s = time.perf_counter() + 0.1
    dispatcher.apply_assignment(assignment(elapsed_s=-0.1))
    until_over(dispatcher)
    due_s = [began_s + start_s for start_s in SCHEDULE.starts()]

    assert user.given_s == pytest.approx(due_s)
    assert user.given_at_s == pytest.approx(due_s)


def test_what_was_missed_comes_at_once(dispatcher: ArrivalDispatcher) -> None:
    """A process that was away catches up, each arrival with the start it was to have."""
    user = FreeUser(dispatcher.pool)
    dispatcher.apply_assignment(assignment(elapsed_s=0.5))
    gevent.sleep(0)

    assert len(user.given_s) == 50
    assert user.given_at_s[0] - user.given_s[0] == pytest.approx(0.495)


def test_a_repeated_assignment_changes_nothing(dispatcher: ArrivalDispatcher) -> None:
    """The master repeats itself every second."""
    user = FreeUser(dispatcher.pool)
    dispatcher.apply_assignment(assignment(part=1, parts=2))
    for _ in range(3):
        gevent.sleep(0.02)
        dispatcher.apply_assignment(assignment(part=1, parts=2, elapsed_s=0.9))
    until_over(dispatcher)

    assert len(user.given_s) == 50


@pytest.mark.parametrize("turn_s", [0.5, 0.52])
def test_a_new_assignment_follows_the_old(dispatcher: ArrivalDispatcher, turn_s: float) -> None:
    """Up to the moment of the new assignment the old one holds, then the new one does."""
    user = FreeUser(dispatcher.pool)
    dispatcher.apply_assignment(assignment(part=0, parts=2))
    gevent.sleep(0.05)
    dispatcher.apply_assignment(assignment(part=0, parts=1, from_s=turn_s))
    until_over(dispatcher)
    before = [start_s for start_s in SCHEDULE.starts(0, 2) if start_s < turn_s]

    after = [start_s for start_s in SCHEDULE.starts() if start_s >= turn_s]

    first_s = user.given_s[0]
    assert [given_s - first_s + 0.005 for given_s in user.given_s] == pytest.approx([*before, *after])


def test_nothing_is_dropped_while_users_are_added(dispatcher: ArrivalDispatcher) -> None:
    """What finds no free user waits for the users that are still to come."""
    dispatcher.apply_assignment(assignment())
    gevent.sleep(0.15)

    assert dispatcher._execution.dropped == 0
    assert dispatcher.pool.needed_users >= 10


def test_drops_when_all_users_are_there(
    dispatcher: ArrivalDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all users there, what has waited for its grace is dropped, what is younger waits."""
    monkeypatch.setattr(arrival_dispatcher, "DROP_AFTER_S", 0.05)
    dispatcher.pool.join(Visitor)  # and never free
    dispatcher.apply_assignment(assignment(at_max_users=True))
    gevent.sleep(0.299)

    # At 0.295 s, those from before 0.245 s.
    assert dispatcher._execution.dropped == 24
    assert dispatcher.pool.oldest_noticed_s() == pytest.approx(time.perf_counter() - 0.054)


def test_no_drops_while_users_sign_in(
    dispatcher: ArrivalDispatcher, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who was started and has not come to its first iteration is still to come."""
    monkeypatch.setattr(arrival_dispatcher, "DROP_AFTER_S", 0.02)
    runner.user_count = 1
    dispatcher.apply_assignment(assignment(at_max_users=True))
    gevent.sleep(0.1)

    assert dispatcher._execution.dropped == 0


def test_what_has_not_begun_at_the_end_never_does(dispatcher: ArrivalDispatcher) -> None:
    """Started and dropped are together what was planned."""
    dispatcher.apply_assignment(assignment(elapsed_s=0.75))
    until_over(dispatcher)

    assert dispatcher._execution.dropped == 100
    assert dispatcher.pool.oldest_noticed_s() is None


def test_what_has_not_begun_when_the_run_is_stopped_never_does(dispatcher: ArrivalDispatcher) -> None:
    """A run that is stopped early counts what was due by then."""
    dispatcher.apply_assignment(assignment(elapsed_s=0.5))
    gevent.sleep(0)
    dispatcher.close()

    assert dispatcher._execution.dropped == 50


def test_reports(dispatcher: ArrivalDispatcher, runner: FakeRunner) -> None:
    """The master is told of users, of who is needed, and of the end; a broken connection is tried again."""
    runner.user_count = 1
    runner.fails = True
    FreeUser(dispatcher.pool)
    gevent.sleep(0.6)
    runner.fails = False
    gevent.sleep(0.6)
    first = runner.sent[0]
    dispatcher.apply_assignment(assignment(elapsed_s=1.0))
    until_over(dispatcher)
    gevent.sleep(0.6)

    assert first == (REPORT_MESSAGE, Report(1, 1, 0, 0, is_over=False)._asdict())
    assert runner.sent[-1][1]["is_over"]


class LocalRun:
    """A local runner's listeners, without the runner."""

    def __init__(self, user_classes: list[type[User]]) -> None:
        self.environment = Environment(user_classes=user_classes)
        self.environment.parsed_options = SimpleNamespace()
        self.runner = LocalRunner(self.environment)
        keep_intended_starts(self.environment, self.runner)

    def start(self, *, is_open: bool) -> None:
        """Start a run."""
        setattr(self.environment.parsed_options, ARRIVALS_OPTION, is_open)
        self.environment.events.test_start.fire(environment=self.environment)

    def stop(self) -> None:
        """End the run."""
        self.environment.events.test_stop.fire(environment=self.environment)

    @property
    def users(self) -> Any:
        """What starts the tasks of its users, None where Locust does."""
        return execution_of(self.environment).task_starts


def test_an_open_run_and_another_after_it() -> None:
    """Arrivals are in force in the run that has them."""
    run = LocalRun([Visitor])
    run.runner.send_message(ASSIGNMENT_MESSAGE, assignment()._asdict())  # before the start: nobody to take it
    run.start(is_open=True)
    during = run.users
    run.stop()
    run.start(is_open=False)
    run.stop()

    assert isinstance(during, UserRegistry)
    assert run.users is None


def test_an_assignment_is_applied_by_the_dispatcher_of_the_run() -> None:
    """The master's message begins the schedule."""
    run = LocalRun([Visitor])
    run.start(is_open=True)
    user = FreeUser(run.users._pool)
    run.runner.send_message(ASSIGNMENT_MESSAGE, assignment(elapsed_s=0.5)._asdict())
    gevent.sleep(0.01)
    run.stop()

    assert len(user.given_s) == 51


class Master(MasterRunner):
    """A master without its sockets."""

    def __init__(self) -> None:
        """Have nothing."""

    def __del__(self) -> None:
        """There is nothing to free."""


def test_a_master_has_no_users_to_hand_arrivals_to() -> None:
    """Nothing is registered with a runner that only tells others."""
    environment = Environment()
    before = len(environment.events.test_start._handlers)
    keep_intended_starts(environment, Master())

    assert len(environment.events.test_start._handlers) == before


class Cluster:
    """A shape on a master, and dispatchers of workers, each with as many free users as may be wanted."""

    def __init__(self, *workers: str) -> None:
        self.master, self.shape = FakeMaster(*workers), HundredSeconds()
        self.master.send_message = self.deal  # type: ignore[method-assign]
        self.shape.runner = self.master
        self.shape.reset_time()
        self.runners = {worker: FakeRunner() for worker in workers}
        self.dispatchers = {worker: ArrivalDispatcher(runner) for worker, runner in self.runners.items()}  # type: ignore[arg-type]
        self.users = {worker: FreeUser(dispatcher.pool) for worker, dispatcher in self.dispatchers.items()}
        for dispatcher in self.dispatchers.values():
            for _ in range(100):
                dispatcher.pool.join(Visitor)
        self.reporting = gevent.spawn(self.report)

    def deal(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:
        """Take an assignment of the master to its worker."""
        assert msg_type == ASSIGNMENT_MESSAGE
        self.dispatchers[client_id or ""].apply_assignment(Assignment(**data))

    def report(self) -> None:
        """Take the reports of the workers to the master."""
        while True:
            for worker, runner in self.runners.items():
                for kind, data in runner.sent:
                    assert kind == REPORT_MESSAGE
                    self.shape.take_report(worker, Report(**data))
                runner.sent.clear()
            gevent.sleep(0.1)

    def play(self, duration_s: int) -> None:
        """Have the shape asked once a second."""
        for _ in range(duration_s):
            self.shape.tick()
            gevent.sleep(1)

    def given_s(self, worker: str) -> list[float]:
        """Return the intended starts of what a worker's users were given, in seconds of the schedule."""
        assert self.shape._began_s is not None
        return [given_s - self.shape._began_s for given_s in self.users[worker].given_s]

    def close(self) -> None:
        """End it."""
        self.reporting.kill()
        for dispatcher in self.dispatchers.values():
            dispatcher.close()


def test_the_arrivals_of_a_lost_worker_go_to_the_other() -> None:
    """Two workers start each arrival once; when one is lost the other starts all, half a second later."""
    schedule, cluster = HundredSeconds().schedule, Cluster("one", "two")
    cluster.play(40)
    together = sorted(cluster.given_s("one") + cluster.given_s("two"))
    cluster.master.lose("two")
    cluster.dispatchers["two"].close()
    gevent.sleep(0.3)
    lost_s = cluster.shape.get_run_time()
    cluster.play(120)
    from_s, given_s = cluster.shape._from_s, cluster.given_s("one")
    cluster.close()

    due_s = list(schedule.starts())
    assert together == pytest.approx(due_s[: len(together)])
    assert len(together) == 385  # 40 s after its first tick the schedule has begun for 38.5 s
    assert from_s == pytest.approx(lost_s + LEAD_S)
    mine = [start_s for start_s in schedule.starts(0, 2) if start_s < from_s]
    assert given_s == pytest.approx([*mine, *(start_s for start_s in due_s if start_s >= from_s)])
