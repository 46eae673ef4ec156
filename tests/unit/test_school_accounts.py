"""Accounts of the school's journeys: one user each, given back by users that end, from where a run says."""

from __future__ import annotations

from locust import User
from locust.env import Environment

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locustfiles.careers import CareersUser
from locustfiles.orders import OrdersUser
from locustfiles.school import ADMINS, PARENTS, STUDENTS, AccountPool, Credentials, _pools
from locustfiles.school._accounts import Account, generated_accounts, seeded_accounts
from locustfiles.school._pools import VARIABLE, warn_of_shared
from locustfiles.volume import VolumeUser
from plimsoll.data import FeederExhausted
from plimsoll.data.channel import LocalChannel
from plimsoll.data.feeder import PROCESS
from plimsoll.data.sources import FeedError

TOKEN = "header.payload.signature"
MALLORY = Credentials("mallory@school.test", "", Account(TOKEN, 7, 9, "student"))


@pytest.fixture(autouse=True)
def _pools_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Deal accounts in this process, and leave its pools as they were."""
    monkeypatch.setattr(PROCESS, "channel", LocalChannel())
    before = [(pool, pool.accounts) for pool in (STUDENTS, ADMINS, PARENTS)]
    yield
    for pool, accounts in before:
        pool.fill(accounts)


def fill_pools(*user_classes: type[User], users: int = 1) -> None:
    """Fill the pools for a run of these classes."""
    options = Namespace(num_users=users, seed=3)
    environment = Environment(
        user_classes=list(user_classes), host="http://school.test", parsed_options=options
    )
    next(_pools.accounts.steps(environment))


def test_seeded_users_come_in_order() -> None:
    """In one process, the first user is number 1, and all have the published password."""
    pool = AccountPool("student", seeded=2)

    assert [pool.acquire() for _ in range(2)] == [
        Credentials("student-000001@plimsoll.test", "plimsoll"),
        Credentials("student-000002@plimsoll.test", "plimsoll"),
    ]


def test_nobody_is_two_users() -> None:
    """When every account is taken, one more user gets none, which ends it."""
    pool = AccountPool("student", seeded=1)
    pool.acquire()

    with pytest.raises(FeederExhausted, match=r"accounts: student.*: all rows used"):
        pool.acquire()


def test_the_account_of_a_user_that_ended_is_free() -> None:
    """A user that ends gives its account back, and the next one gets it."""
    pool = AccountPool("student", seeded=1)
    first = pool.acquire()
    pool.release(first)

    assert pool.acquire() == first


def test_a_circular_pool_is_shared() -> None:
    """Where users may share an account, the first follows the last, also when some have left."""
    pool = AccountPool("admin", seeded=2, strategy="circular")
    first = pool.acquire()
    pool.release(first)

    assert [pool.acquire() == first for _ in range(3)] == [False, True, False]


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


def test_generated_accounts_belong_to_their_seed() -> None:
    """Addresses and password of accounts made for a run are those of its seed, the same in every such run."""
    (account,) = generated_accounts("student", [1001], "7")

    assert account.email == "student-001001-seed7@plimsoll.test"
    assert [account] == generated_accounts("student", [1001], "7")
    assert generated_accounts("student", [1001], "8")[0].password != account.password != "plimsoll"


def test_an_empty_pool_is_refused() -> None:
    """A pool without an account cannot serve anybody, and says the size it got."""
    with pytest.raises(ValueError, match="accounts of role 'student': seeded must be at least 1, got 0"):
        AccountPool("student", 0)


def test_printed_credentials_hide_their_secrets() -> None:
    """Neither a password nor a token ever shows in a log or a traceback."""
    credentials = Credentials("someone@plimsoll.test", "hunter2", Account("t0ken", 1, 1, "student"))

    assert "hunter2" not in repr(credentials)
    assert "t0ken" not in repr(credentials)


def test_more_students_than_seeded_are_enrolled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load of 600 users has twice as many students: 1,000 that are there, and 200 whom an admin enrols."""
    enrolled: list[Any] = []
    monkeypatch.setattr(_pools, "enrol", lambda *arguments: enrolled.append(arguments))
    fill_pools(CareersUser, users=600)

    ((host, admin, newcomers),) = enrolled
    assert (host, admin.email) == ("http://school.test", "admin-000001@plimsoll.test")
    assert STUDENTS.accounts == [*seeded_accounts("student", 1000), *newcomers]
    assert len(newcomers) == 200


def test_a_smaller_run_has_all_seeded_students(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a run with more, one that needs none enrolled has those that were there from the start."""
    monkeypatch.setattr(_pools, "enrol", lambda *_: None)
    fill_pools(CareersUser, users=600)
    fill_pools(CareersUser, users=1)

    assert STUDENTS.accounts == seeded_accounts("student", 1000)


def test_students_register_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `register`, all students of a run are new ones, of its seed, and twice as many as its users."""
    registered: list[Credentials] = []
    monkeypatch.setenv(VARIABLE, "register")
    monkeypatch.setattr(_pools, "register", lambda _host, students: registered.extend(students))
    fill_pools(CareersUser, users=3)

    assert STUDENTS.accounts == registered == generated_accounts("student", range(1, 7), "3")


def test_accounts_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With `csv:FILE`, users have the accounts of their role in the file, in its order."""
    file = tmp_path / "accounts.csv"
    file.write_text(
        "role,email,password\nstudent,a@x.test,one\nparent,b@x.test,two\nstudent,c@x.test,three\n"
    )
    monkeypatch.setenv(VARIABLE, f"csv:{file}")
    fill_pools(CareersUser)

    assert STUDENTS.accounts == [Credentials("a@x.test", "one"), Credentials("c@x.test", "three")]
    assert PARENTS.accounts == seeded_accounts("parent", 500)  # no chosen class needs them


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("mail,password\na,b\n", "no column email, role; role, email, password are needed"),
        ("role,email,password\nparent,a,b\n", "no row has the role 'student', which .* need\n.*role 'admin'"),
    ],
)
def test_a_file_without_the_needed_accounts_is_refused(
    text: str, fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that lacks a column or a role of the chosen user classes is refused with all of its faults."""
    file = tmp_path / "accounts.csv"
    file.write_text(text)
    monkeypatch.setenv(VARIABLE, f"csv:{file}")

    with pytest.raises(FeedError, match=fault):
        fill_pools(OrdersUser)


def test_one_token_serves_all_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `token:TOKEN`, every user has the account of the token, and sends it without a login."""
    monkeypatch.setenv(VARIABLE, f"token:{TOKEN}")
    monkeypatch.setattr(_pools, "look_up", lambda _host, token: MALLORY if token == TOKEN else None)
    fill_pools(CareersUser, users=2)

    assert STUDENTS.accounts == [MALLORY] * 4
    pool = AccountPool("student", seeded=1)
    pool.fill([MALLORY])
    local = type("Local", (CareersUser,), {"host": "http://127.0.0.1:1", "accounts": pool})
    user = local(Environment())
    assert user.account() == MALLORY.account
    assert user.auth_headers() == {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("value", [TOKEN, "csv", "csv:", "token:", "register:now"])
def test_an_unknown_source_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is refused with what would be right, and not quoted: it may be a token."""
    monkeypatch.setenv(VARIABLE, value)

    with pytest.raises(FeedError) as refusal:
        fill_pools(CareersUser)

    assert str(refusal.value) == "SCHOOL_ACCOUNTS must be seeded, register, csv:FILE or token:TOKEN"
