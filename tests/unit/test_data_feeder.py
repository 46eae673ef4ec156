"""A feeder in one process: what it asks for, what its users get, and how it ends."""

from __future__ import annotations

import gevent
from locust.rpc import Message
from locust.runners import MasterRunner

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plimsoll.data.channel import ASK_MESSAGE, LocalChannel
from plimsoll.data.feeder import (
    ANSWER_LIMIT_S,
    GIVE_UP_S,
    PROCESS,
    STOCK_ROWS,
    Block,
    Feeder,
    FeederExhausted,
)
from plimsoll.data.sources import FeedError
from tests.unit.test_data_rows import Numbers
from tests.virtual_time import Clock, virtual_time


class SlowChannel:
    """A channel on which answers come when the test says so."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.exhausted: list[str] = []

    def begin(self, seed: str) -> None:
        """Do nothing."""

    def ask(self, key: str, wanted: int) -> None:  # noqa: ARG002 - there is one feeder
        """Keep for how many users was asked."""
        self.asked.append(wanted)

    def report_exhausted(self, key: str) -> None:
        """Keep who has no more."""
        self.exhausted.append(key)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Clock]:
    """Let time be virtual."""
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def channel() -> Iterator[SlowChannel]:
    """Have feeders ask a channel of the test's."""
    slow = SlowChannel()
    PROCESS.channel = slow
    yield slow
    PROCESS.channel = LocalChannel()


def feeder(rows: int = 0) -> Feeder[int]:
    """Return a feeder of numbers."""
    return Feeder(Numbers(rows), "unique")


def users_of(fed: Feeder[int], number: int) -> list[Any]:
    """Start users that each ask for one row, and have all of them wait for it."""
    users = [gevent.spawn(fed.next) for _ in range(number)]
    gevent.sleep(0)
    return users


def test_a_single_process_deals_to_itself() -> None:
    """Without a master, rows come in order until there are no more."""
    fed = feeder(3)

    assert [fed.next() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(FeederExhausted):
        fed.next()


def test_users_wait_for_the_answer(channel: SlowChannel) -> None:
    """The master is asked once for the first, and for all who came meanwhile when its answer is there."""
    fed = feeder()
    users = users_of(fed, 5)
    assert channel.asked == [1]

    fed.take(Block([0], is_last=False))
    gevent.sleep(0.01)
    assert channel.asked == [1, 4]

    fed.take(Block([1, 2, 3, 4], is_last=False))
    gevent.joinall(users)
    assert sorted(user.value for user in users) == [0, 1, 2, 3, 4]
    assert sum(channel.asked[2:]) == 0


def test_stock_is_filled_up_before_it_is_used_up(channel: SlowChannel) -> None:
    """When fewer than half of a block are left, more are asked for, and nobody waits."""
    fed = feeder()
    fed.take(Block(list(range(10)), is_last=False))

    assert [fed.next() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert channel.asked == []
    fed.next()
    assert channel.asked == [0]


def test_who_gets_nothing_ends(channel: SlowChannel) -> None:
    """Users beyond the last row end like stopped ones; that there are no more is told once."""
    fed = feeder()
    users = users_of(fed, 3)
    fed.take(Block([0], is_last=True))
    gevent.joinall(users)

    assert sorted(isinstance(user.value, FeederExhausted) for user in users) == [False, True, True]
    assert channel.exhausted == [fed.key]


def test_a_row_given_back_goes_to_who_waits(channel: SlowChannel) -> None:
    """A user that ends leaves its row to one that has waited for rows from the master."""
    fed = feeder()
    (user,) = users_of(fed, 1)
    fed.release(7)
    user.join()

    assert user.value == 7
    assert channel.exhausted == []


def test_an_answer_that_is_lost_is_asked_for_again(channel: SlowChannel) -> None:
    """A connection that breaks costs time, not users."""
    fed = feeder()
    (user,) = users_of(fed, 1)
    gevent.sleep(3 * ANSWER_LIMIT_S + 0.1)
    assert channel.asked == [1] * 4

    fed.take(Block([0], is_last=False))
    user.join()
    assert user.value == 0


def test_a_master_that_does_not_answer(channel: SlowChannel, clock: Clock) -> None:  # noqa: ARG001 - it is in place
    """Nobody waits for ever, and the text says for what."""
    with pytest.raises(FeedError, match=r"unique numbers.*: no rows from the master"):
        feeder().next()
    assert clock.elapsed_s == pytest.approx(GIVE_UP_S, abs=ANSWER_LIMIT_S)


def test_a_master_without_the_feeder(channel: SlowChannel) -> None:  # noqa: ARG001 - it is in place
    """A master that has loaded something else says so, and its text is what the users fail with."""
    fed = feeder()
    fed.refuse("the master has no such feeder")

    with pytest.raises(FeedError, match="the master has no such feeder"):
        fed.next()


def test_feeders_of_the_same_file_are_told_apart() -> None:
    """Each has a key of its own, which counts in the order of the locustfile."""
    first, second = feeder(), feeder()

    assert first.key != second.key


def test_a_process_that_does_not_know_what_it_is_deals_nothing(
    channel: SlowChannel,  # noqa: ARG001 - it is put back
) -> None:
    """Users of a worker that joins a load wait until it knows its master, and get no rows of others."""
    PROCESS.channel = None
    fed = feeder(3)
    (user,) = users_of(fed, 1)
    gevent.sleep(2 * ANSWER_LIMIT_S)
    assert not user.ready()

    PROCESS.channel = LocalChannel()
    user.join()
    assert user.value == 0


class Master(MasterRunner):
    """A master of two workers that keeps what it sends."""

    worker_count = 2
    greenlet = None  # which Locust looks for when it is gone

    def __init__(self) -> None:
        self.answers: list[list[int]] = []
        self.listeners: dict[str, Callable[..., None]] = {}

    def register_message(  # type: ignore[override] # listeners are called in turn anyway
        self, msg_type: str, listener: Callable[..., None], **_: Any
    ) -> None:
        """Keep who hears a message."""
        self.listeners[msg_type] = listener

    def send_message(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:  # noqa: ARG002 - Locust's
        """Keep the rows that are sent."""
        self.answers.append(json.loads(data["rows"]))

    def ask_from(self, worker: str, fed: Feeder[int], wanted: int) -> list[int]:
        """Return the rows that a worker gets when so many of its users wait for one."""
        question = {"feeder": fed.key, "ask": len(self.answers), "wanted": wanted}
        self.listeners[ASK_MESSAGE](Message(ASK_MESSAGE, question, worker))  # type: ignore[no-untyped-call] # Locust's
        return self.answers[-1]


def test_a_killed_worker_takes_its_rows_with_it() -> None:
    """Its rows are dealt to no other worker, up to the last row: each of the rest is dealt once."""
    fed, master = feeder(1000), Master()
    LocalChannel(master).begin("1")
    rows = master.ask_from("stays", fed, 20) + master.ask_from("killed", fed, 20)
    assert len(rows) == 2 * (20 + STOCK_ROWS)

    for _ in range(50):  # more often than there are rows for
        rows += master.ask_from("in its place", fed, 20) + master.ask_from("stays", fed, 20)

    assert sorted(rows) == list(range(1000))


def test_random_rows_are_the_same_on_one_process_and_on_two_workers() -> None:
    """What is drawn depends on the seed and the feeder, not on who asks."""
    fed: Feeder[int] = Feeder(Numbers(1000), "random")
    fed.allocator.open("")
    master = Master()
    LocalChannel(master).begin("7")
    on_workers = master.ask_from("first", fed, 3) + master.ask_from("second", fed, 1)
    PROCESS.channel = LocalChannel()
    PROCESS.channel.begin("7")

    assert [fed.next() for _ in range(200)] == on_workers[:200]
    PROCESS.channel.begin("8")
    fed.begin()
    assert [fed.next() for _ in range(200)] != on_workers[:200]
