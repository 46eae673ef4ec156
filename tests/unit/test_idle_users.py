"""Arrivals meet users: first come first served, each class its share, nothing lost."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.loads.idle_users import Due, IdleUserPool, Waiter


class Buyer:
    """A user class."""


class Visitor:
    """Another one."""


def pool_of(**users: int) -> IdleUserPool:
    """Return a pool with so many users of each class, none of them free."""
    pool = IdleUserPool()
    for name, count in users.items():
        for _ in range(count):
            pool.join({"buyers": Buyer, "visitors": Visitor}[name])
    return pool


def free(
    pool: IdleUserPool, user_class: type = Buyer, woken: list[str] | None = None, name: str = ""
) -> Waiter:
    """Let a user be free, who notes its name when it is woken."""
    return pool.wait(user_class, lambda: woken.append(name) if woken is not None else None)


def test_the_longest_free_user_comes_first() -> None:
    """Users are served in the order in which they became free."""
    pool, woken = pool_of(buyers=3), list[str]()
    waiters = [free(pool, woken=woken, name=name) for name in "abc"]
    pool.arrive(1.0, 1.0)
    pool.arrive(2.0, 2.001)

    assert woken == ["a", "b"]
    assert [waiter.arrival for waiter in waiters] == [Due(1.0, 1.0), Due(2.0, 2.001), None]


def test_arrivals_wait_for_a_free_user() -> None:
    """What is due before a user is free is taken oldest first, with its intended start."""
    pool = pool_of(buyers=1)
    pool.arrive(1.0, 1.5)
    pool.arrive(2.0, 2.0)

    assert [pool.take(Buyer), pool.take(Buyer), pool.take(Buyer)] == [Due(1.0, 1.5), Due(2.0, 2.0), None]


def test_arrivals_before_all_users() -> None:
    """What is due before there is a user of any class is for whoever comes first."""
    pool = IdleUserPool()
    pool.arrive(1.0, 1.0)
    pool.join(Visitor)

    assert pool.take(Visitor) == Due(1.0, 1.0)


def test_classes_get_their_share() -> None:
    """Three buyers and a visitor get three arrivals and one in turn, also where all visitors are busy."""
    pool = pool_of(buyers=3, visitors=1)
    for number in range(8):
        pool.arrive(float(number), float(number))
    taken = Counter[type](
        {kind: sum(pool.take(kind) is not None for _ in range(8)) for kind in (Buyer, Visitor)}
    )

    assert taken == {Buyer: 6, Visitor: 2}


def test_not_all_workers_begin_with_the_same_class() -> None:
    """A worker with another part of the arrivals begins elsewhere in the sequence of classes."""
    first = []
    for part in range(4):
        pool = pool_of(buyers=1, visitors=1)
        pool.skip_draws(part)
        pool.arrive(0.0, 0.0)
        first.append(Buyer if pool.take(Buyer) else Visitor)

    assert first == [Buyer, Visitor, Buyer, Visitor]


def test_a_user_who_ends_takes_no_arrival() -> None:
    """A user who is stopped while it is free is passed over."""
    pool, woken = pool_of(buyers=2), list[str]()
    first, _ = free(pool, woken=woken, name="first"), free(pool, woken=woken, name="second")
    pool.give_up(first)
    pool.leave(Buyer)
    pool.arrive(1.0, 1.0)

    assert woken == ["second"]
    assert (pool.users, pool.busy) == (1, 1)


def test_an_arrival_outlives_its_user() -> None:
    """A user who is stopped before it wakes up hands its arrival to the next."""
    pool, woken = pool_of(buyers=2), list[str]()
    first, _ = free(pool, woken=woken, name="first"), free(pool, woken=woken, name="second")
    pool.arrive(1.0, 1.0)
    pool.give_up(first)

    assert woken == ["first", "second"]


def test_drop() -> None:
    """Only what has been due since before the moment is dropped."""
    pool = pool_of(buyers=1)
    for noticed_s in (1.0, 2.0, 3.0):
        pool.arrive(0.5, noticed_s)

    assert pool.oldest_noticed_s() == 1.0
    assert pool.drop(2.5) == 2
    assert pool.oldest_noticed_s() == 3.0
    assert (pool.drop(99), pool.oldest_noticed_s()) == (1, None)


@pytest.mark.parametrize(
    ("arrivals", "needed"),
    [
        pytest.param(0, 0, id="nobody is needed where nothing arrives"),
        pytest.param(4, 4, id="who is busy is needed"),
        pytest.param(8, 8, id="what is due needs a user"),
    ],
)
def test_needed_users(arrivals: int, needed: int) -> None:
    """It takes the users who are busy and one for each arrival that waits."""
    pool = pool_of(buyers=3, visitors=1)
    for _ in range(3):
        free(pool, Buyer)
    free(pool, Visitor)
    for _ in range(arrivals):
        pool.arrive(0.0, 0.0)

    assert pool.needed_users == needed


def test_the_shortest_class_decides() -> None:
    """With half of the users visitors, two more of these take four more users."""
    pool = pool_of(buyers=2, visitors=2)
    free(pool, Buyer)
    free(pool, Buyer)
    for _ in range(4):  # two for each class
        pool.arrive(0.0, 0.0)
    for _ in range(4):
        pool.arrive(0.0, 0.0)

    # visitors: 2 busy and 4 due, 3 times as many as there are
    assert pool.needed_users == 12


@given(st.lists(st.sampled_from(["arrive", "free", "leave"]), max_size=60))
def test_nothing_is_lost(steps: list[str]) -> None:
    """Whatever comes in whichever order, each arrival is with one user, or waits, or was dropped."""
    pool, given, arrived = pool_of(buyers=1), 0, 0
    waiting: list[Waiter] = []
    for step in steps:
        if step == "arrive":
            arrived += 1
            pool.arrive(arrived, arrived)
        elif step == "leave" and waiting:
            pool.give_up(waiting.pop())
            pool.leave(Buyer)
        elif step == "free":
            pool.join(Buyer)
            if pool.take(Buyer) is None:
                waiting.append(free(pool))
            else:
                given += 1
        given += sum(waiter.arrival is not None for waiter in waiting)
        waiting = [waiter for waiter in waiting if waiter.arrival is None]

    assert given + pool.drop(float("inf")) == arrived
    assert pool.busy == pool.users - len(waiting)
