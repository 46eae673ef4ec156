"""Identities: deterministic, of one person each, and given back by users that end."""

from __future__ import annotations

from locust import User
from locust.env import Environment

from argparse import Namespace

import pytest

from locustfiles.careers import CareersUser
from locustfiles.orders import OrdersUser
from locustfiles.volume import VolumeUser
from plimsoll.data import FeederExhausted
from plimsoll.users.identities import Credentials, Roster
from plimsoll.users.rosters import ADMINS, warn_of_shared


def test_seeded_users_come_in_order() -> None:
    """In one process, the first user is number 1, and all have the published password."""
    roster = Roster("student", seeded=2)

    assert [roster.deal("1").credentials for _ in range(2)] == [
        Credentials("student-000001@plimsoll.test", "plimsoll"),
        Credentials("student-000002@plimsoll.test", "plimsoll"),
    ]


def test_nobody_is_two_users() -> None:
    """When every test user is some user, one more gets none, which ends it."""
    roster = Roster("student", seeded=1)
    roster.deal("1")

    with pytest.raises(FeederExhausted, match=r"test users: student.*: every row is used"):
        roster.deal("1")


def test_who_has_left_may_be_another() -> None:
    """A user that ends gives its identity back, and the next one gets it."""
    roster = Roster("student", seeded=1)
    first = roster.deal("1")
    roster.give_back(first)

    assert roster.deal("1") == first


def test_a_circular_roster_is_shared() -> None:
    """Where users may be the same person, the first follows the last, also when some have left."""
    roster = Roster("admin", seeded=2, way="circular")
    roster.give_back(roster.deal("1"))

    assert [roster.deal("1").number for _ in range(3)] == [2, 1, 2]


@pytest.mark.parametrize(
    ("user_class", "users", "warning"),
    [
        # One visitor of ten is an admin.
        (OrdersUser, 200, None),
        (OrdersUser, 300, "about 30 users are to be admins at once, and there are 20"),
        (VolumeUser, 20, None),
        (VolumeUser, 21, "about 21 users are to be admins at once, and there are 20"),
        (CareersUser, 1000, None),
    ],
)
def test_too_few_admins_are_told(
    user_class: type[User], users: int, warning: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever starts a load is told when several of its users will be the same admin, and only then."""
    environment = Environment(user_classes=[user_class], parsed_options=Namespace(num_users=users))
    warn_of_shared(environment, ADMINS)

    assert [record.getMessage().partition(":")[0] for record in caplog.records] == (
        [warning] if warning else []
    )


def test_user_classes_share_a_load(caplog: pytest.LogCaptureFixture) -> None:
    """Of 300 users, two thirds of them visitors by their weights, 20 are admins: as many as there are."""
    assert (OrdersUser.weight, ADMINS.seeded) == (2, 20)
    other: type[User] = type("Other", (User,), {"weight": 1})
    options = Namespace(num_users=300)
    warn_of_shared(Environment(user_classes=[OrdersUser, other], parsed_options=options), ADMINS)

    assert caplog.records == []


def test_enrolled_users_belong_to_their_seed() -> None:
    """Beyond the seeded users, addresses and passwords are those of the seed, the same in every run of it."""
    roster = Roster("student", seeded=1000)
    enrolled = roster.credentials(1001, "7")

    assert enrolled.email == "student-001001-seed7@plimsoll.test"
    assert enrolled == Roster("student", seeded=1000).credentials(1001, "7")
    assert roster.credentials(1001, "8").password != enrolled.password != "plimsoll"


def test_a_roster_does_not_shrink() -> None:
    """Seeded users are there whatever a run needs; a run that needs more has more."""
    roster = Roster("student", seeded=2)
    roster.grow(1)
    roster.deal("1"), roster.deal("1")

    with pytest.raises(FeederExhausted):
        roster.deal("1")


def test_a_roster_grows() -> None:
    """A run that needs more users than were seeded is given them."""
    roster = Roster("student", seeded=1)
    roster.grow(3)

    assert [roster.deal("1").number for _ in range(3)] == [1, 2, 3]


def test_an_empty_roster_is_refused() -> None:
    """A roster without anybody cannot deal identities, and says the size it got."""
    with pytest.raises(ValueError, match="roster 'student': seeded must be at least 1, got 0"):
        Roster("student", 0)


def test_printed_credentials_hide_the_password() -> None:
    """A password never shows in a log or a traceback."""
    assert "hunter2" not in repr(Credentials("someone@plimsoll.test", "hunter2"))
