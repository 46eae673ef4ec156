"""What a user's greenlets make is the user's, under the tags and in the transaction they were spawned in."""

import gevent
from gevent import Greenlet
from gevent.pool import Pool
from locust import User
from locust.env import Environment

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plimsoll.recording import spawning, transactions
from plimsoll.recording.origin import current_origin, tagged
from plimsoll.recording.transactions import Transaction, note_request


class Visitor(User):
    """A user whose class is to be known."""


class Guest(User):
    """A user whom another user brings."""


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    """Have greenlets inherit, in this test only."""
    spawning.watch_spawns()
    yield
    Greenlet.remove_spawn_callback(spawning._inherit)
    spawning.watch_spawns.cache_clear()


@pytest.fixture
def ended() -> Iterator[list[tuple[str, float, object]]]:
    """Return what was told of the transactions that have ended: name, time of the requests, failure."""
    ended: list[tuple[str, float, object]] = []

    def note(transaction: Transaction) -> None:
        ended.append((transaction.name, transaction.busy_ms, transaction.failure))

    transactions.add_listener(note)
    yield ended
    transactions.remove_listener(note)


def as_user(flow: Callable[[], Any]) -> Any:
    """Run a flow in the greenlet of a user, and return what it returns."""
    return gevent.spawn(lambda _: flow(), Visitor(Environment())).get()


def look() -> tuple[str, str]:
    """Return the user class and the tags of what the current greenlet does."""
    return current_origin().user_class, current_origin().tags


def test_side_by_side() -> None:
    """Greenlets of a task, of a pool and of another greenlet are the user's, with the tags around them."""

    def flow() -> list[tuple[str, str]]:
        with tagged(["content"]):
            inner = gevent.spawn(lambda: gevent.spawn(look).get())
            later = gevent.spawn_later(0.001, look)
            return [inner.get(), later.get(), *Pool(2).map(lambda _: look(), range(2))]

    assert as_user(flow) == [("Visitor", "content")] * 4


def test_tags_are_those_of_the_moment() -> None:
    """What was spawned before a block is not in it, however late it asks, and may have blocks of its own."""

    def flow() -> list[Any]:
        before = gevent.spawn(look)
        with tagged(["content"]):
            seen = before.get()

            def add() -> tuple[str, str]:
                with tagged(["slow"]):
                    return look()

            return [seen, gevent.spawn(add).get(), look()]

    assert as_user(flow) == [("Visitor", ""), ("Visitor", "content,slow"), ("Visitor", "content")]


def test_users_are_what_they_are() -> None:
    """A user who is spawned by a user has its own class and no tags; nobody's greenlets are nobody's."""

    def flow() -> Any:
        with tagged(["content"]):
            return gevent.spawn(lambda _: look(), Guest(Environment())).get()

    assert as_user(flow) == ("Guest", "")
    assert gevent.spawn(look).get() == ("", "")


def test_requests_side_by_side_are_in_the_transaction(ended: list[tuple[str, float, object]]) -> None:
    """Their times add up, one that fails lets it fail, and transactions in them are named as within it."""

    def ask() -> None:
        note_request("a", 100.0, None)
        with Transaction("inner"):
            note_request("b", 10.0, ValueError())

    def flow() -> None:
        with Transaction("outer"):
            gevent.joinall([gevent.spawn(ask) for _ in range(2)], raise_error=True)

    as_user(flow)

    assert [name for name, _, _ in ended] == ["outer/inner", "outer/inner", "outer"]
    assert ended[-1] == ("outer", 220.0, "b failed")


def test_what_outlives_its_transaction_is_in_no_other(ended: list[tuple[str, float, object]]) -> None:
    """A greenlet that goes on is not in the transactions that follow, and begins its own anew."""

    def flow() -> None:
        gone = gevent.event.Event()

        def go_on() -> None:
            gone.wait()
            note_request("late", 1000.0, ValueError())
            with Transaction("own"):
                pass

        with Transaction("first"):
            going = gevent.spawn(go_on)
            gevent.sleep(0)
        with Transaction("second"):
            gone.set()
            going.join()

    as_user(flow)

    assert ended == [("first", 0, None), ("own", 0, None), ("second", 0, None)]
