"""The shape asks for as many users as it takes, deals the shares, and ends when all is done."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from locust import User
from locust.env import Environment
from locust.runners import STATE_MISSING, STATE_RUNNING, LocalRunner, MasterRunner

from types import SimpleNamespace
from typing import Any

import pytest

from plimsoll.loads import arrival_shape
from plimsoll.loads.arrival_dispatcher import ARRIVALS_OPTION, ASSIGNMENT_MESSAGE, REPORT_MESSAGE, Report
from plimsoll.loads.arrival_schedule import RateStage
from plimsoll.loads.arrival_shape import ArrivalShape


class Visitor(User):
    """A user class."""

    weight = 9


class Rare(User):
    """Another, of which there is one for nine of the first."""


class Fixed(User):
    """A class with a fixed number of users."""

    fixed_count = 3


class HundredSeconds(ArrivalShape):
    """10/s for 100 s."""

    stages = (RateStage("hold", 100, 10, 10),)
    max_users = 100


class FakeMaster(MasterRunner):
    """A master with workers that are only said to be there."""

    def __init__(self, *workers: str, user_classes: tuple[type[User], ...] = (Visitor,)) -> None:
        self.environment = Environment(user_classes=list(user_classes))
        self.environment.parsed_options = SimpleNamespace(user_scale=1.0, time_scale=1.0)
        self.clients: Any = SimpleNamespace(all=[])
        self.sent: dict[str, dict[str, Any]] = {}
        self.connect(*workers)

    def __del__(self) -> None:
        """There is nothing to free."""

    def connect(self, *workers: str) -> None:
        """Have these workers."""
        self.clients.all += [SimpleNamespace(id=worker, state=STATE_RUNNING) for worker in workers]

    def lose(self, worker: str) -> None:
        """Have a worker no more."""
        for client in self.clients.all:
            if client.id == worker:
                client.state = STATE_MISSING

    def send_message(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:
        """Note the last message to each worker."""
        assert msg_type == ASSIGNMENT_MESSAGE
        assert client_id is not None
        self.sent[client_id] = data


class Play:
    """A shape with a master, at a time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *workers: str, **options: Any) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(arrival_shape, "perf_counter", lambda: self.now_s)
        self.master = FakeMaster(*workers, **options)
        self.shape = HundredSeconds()
        self.shape.runner = self.master
        self.shape.start_time = self.now_s

    def tick_at(self, now_s: float) -> tuple[int, float] | None:
        """Ask the shape at so many seconds after its first tick."""
        self.now_s = 1000.0 + now_s
        return self.shape.tick()

    def report(self, worker: str, users: int, **facts: Any) -> None:
        """Have a worker tell of its users."""
        told = {"users": users, "starting": 0, "busy": 0, "needed": 0, "is_over": False} | facts
        self.shape.take_report(worker, Report(**told))

    def begin(self) -> None:
        """Get the first users ready, so that the schedule begins at 1.5 s."""
        self.tick_at(0)
        workers = [client.id for client in self.master.clients.all]
        for worker in workers:
            self.report(worker, 20 // len(workers))
        self.tick_at(1)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Play with two workers."""
    return Play(monkeypatch, "one", "two")


def test_first_users(play: Play) -> None:
    """There are users for the arrivals of the first two seconds, and workers know that these will come."""
    assert play.tick_at(0) == (20, 20.0)
    assert getattr(play.master.environment.parsed_options, ARRIVALS_OPTION)


@pytest.mark.parametrize(
    ("user_classes", "users"),
    [
        pytest.param((Visitor, Fixed), 23, id="users of a fixed count come on top"),
        pytest.param((Visitor, Rare), 20, id="one of ten is there among twenty"),
        pytest.param((Fixed,), 23, id="nobody takes arrivals"),
    ],
)
def test_classes(monkeypatch: pytest.MonkeyPatch, user_classes: tuple[type[User], ...], users: int) -> None:
    """All classes have their users."""
    told = Play(monkeypatch, "one", user_classes=user_classes).tick_at(0)

    assert told is not None
    assert told[0] == users


def test_rare_classes_have_users_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a low rate there are so many users that the weights give one to each class."""
    play = Play(monkeypatch, "one", user_classes=(Visitor, Rare))
    play.shape.stages = (RateStage("hold", 100, 2, 2),)
    play.shape.max_users = 20

    assert play.tick_at(0) == (10, 10.0)


def test_the_schedule_begins_when_its_users_are_ready(play: Play) -> None:
    """Until then no time passes; then all workers are told of the same moment, half a second ahead."""
    play.tick_at(0)
    play.report("one", 10)
    play.tick_at(1)
    play.report("two", 9, starting=1)
    play.tick_at(2)
    before = (play.shape.get_run_time(), dict(play.master.sent))
    play.report("two", 10)
    play.tick_at(3)
    play.now_s += 1.5

    assert before == (0.0, {})
    assert play.shape.get_run_time() == pytest.approx(1.0)
    shares = [play.master.sent[worker] for worker in ("one", "two")]
    assert [(told["part"], told["parts"], told["from_s"]) for told in shares] == [(0, 2, 0.0), (1, 2, 0.0)]
    assert [told["elapsed_s"] for told in shares] == pytest.approx([-0.5, -0.5])


def test_users_who_never_get_ready(play: Play) -> None:
    """After half a minute the schedule begins all the same."""
    play.tick_at(0)
    play.report("one", 10)
    play.tick_at(30.1)

    assert list(play.master.sent) == ["one"]


def test_users_are_added_up_to_the_most(play: Play) -> None:
    """There are users for all that is due and under way and for two seconds more, never fewer than before."""
    play.begin()
    play.report("one", 10, busy=10, needed=15)
    play.report("two", 10, busy=10, needed=12)
    short = play.tick_at(2)
    at_max_users_before = play.master.sent["one"]["at_max_users"]
    play.report("one", 30, needed=0)
    enough = play.tick_at(3)
    play.report("one", 30, needed=5000)
    most = play.tick_at(4)

    assert short == enough == (47, 27.0)
    assert most == (100, 53.0)
    assert (at_max_users_before, play.master.sent["one"]["at_max_users"]) == (False, True)


def test_a_worker_is_lost(play: Play) -> None:
    """Its share goes to the other, from a moment that both can know in time."""
    play.begin()
    play.master.lose("two")
    play.tick_at(11.5)
    told = play.master.sent["one"]

    assert (told["part"], told["parts"], told["from_s"]) == (0, 1, 10.5)


def test_a_worker_joins(play: Play) -> None:
    """It gets a share when it has users, and all get it from the same moment on."""
    play.begin()
    play.master.connect("three")
    play.tick_at(5)
    before = "three" in play.master.sent
    play.report("three", 7)
    play.tick_at(6.5)
    play.tick_at(7.5)
    told = [play.master.sent[worker] for worker in ("one", "three", "two")]

    assert not before
    assert [(share["part"], share["parts"], share["from_s"]) for share in told] == [
        (0, 3, 5.5),
        (1, 3, 5.5),
        (2, 3, 5.5),
    ]


def test_the_end(play: Play) -> None:
    """The shape ends when nothing is under way any more."""
    play.begin()
    play.report("one", 10, is_over=True)
    play.report("two", 10, is_over=True, busy=1)
    under_way = play.tick_at(101.6)
    play.report("two", 10, is_over=True)

    assert under_way is not None
    assert play.tick_at(102.6) is None


def test_the_end_of_patience(play: Play) -> None:
    """Half a minute after the schedule the shape ends, whatever is under way."""
    play.begin()
    play.report("one", 10, is_over=True, busy=10)

    assert play.tick_at(131.4) is not None
    assert play.tick_at(131.6) is None


def test_a_second_run(play: Play) -> None:
    """The web UI uses the same shape object for every run."""
    play.begin()
    play.shape.reset_time()
    play.shape.start_time = play.now_s

    assert play.shape.get_run_time() == 0.0
    assert play.tick_at(50) == (20, 20.0)
    assert play.shape.get_run_time() == 0.0


def test_listeners() -> None:
    """Reports are received, and the next run of the web UI starts without arrivals."""
    shape = HundredSeconds()
    environment = Environment(user_classes=[Visitor], shape_class=shape)
    environment.parsed_options = SimpleNamespace(**{ARRIVALS_OPTION: True})
    runner = LocalRunner(environment)
    arrival_shape._receive_reports(environment, runner)
    report = {"users": 3, "starting": 0, "busy": 1, "needed": 1, "is_over": False}
    runner.send_message(REPORT_MESSAGE, report)
    environment.events.test_stop.fire(environment=environment)

    assert shape._reports["local"]._asdict() == report
    assert not getattr(environment.parsed_options, ARRIVALS_OPTION)
