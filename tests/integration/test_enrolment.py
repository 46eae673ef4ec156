"""Accounts of a load at the bundled service: enrolled or registered before it, or that of one token."""

from __future__ import annotations

from locust.env import Environment

import logging
from argparse import Namespace

import pytest

from locustfiles.auth import AuthUser
from locustfiles.school import STUDENTS, Credentials, _pools
from locustfiles.school._accounts import Account, generated_accounts
from plimsoll import SetUpError
from tests import plain_http


def test_more_students_than_were_seeded_are_enrolled(
    service_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load of 501 users has 1,002 students, of whom the last can log in; a second run finds them again."""
    monkeypatch.setattr(STUDENTS, "accounts", STUDENTS.accounts)  # the run changes them
    options = Namespace(num_users=501, seed="5")
    environment = Environment(user_classes=[AuthUser], host=service_url, parsed_options=options)
    (last,) = generated_accounts("student", [1002], "5")
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            next(_pools.accounts.steps(environment))
            assert (len(STUDENTS.accounts), STUDENTS.accounts[-1]) == (1002, last)

    login = {"email": last.email, "password": last.password}
    assert caplog.text.count("enrolling 2 students") == 2
    assert plain_http.post(f"{service_url}/api/auth/login", json=login).status_code == 200
    assert last.password not in caplog.text


def test_registered_students_can_log_in(service_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `register`, twice as many students as users are there before the load; a second run finds them."""
    monkeypatch.setattr(STUDENTS, "accounts", STUDENTS.accounts)
    monkeypatch.setenv(_pools.VARIABLE, "register")
    options = Namespace(num_users=1, seed="77")
    environment = Environment(user_classes=[AuthUser], host=service_url, parsed_options=options)
    for _ in range(2):
        next(_pools.accounts.steps(environment))

    assert len(STUDENTS.accounts) == 2
    for student in STUDENTS.accounts:
        login = {"email": student.email, "password": student.password}
        assert plain_http.post(f"{service_url}/api/auth/login", json=login).status_code == 200


def test_a_token_tells_whose_it_is(service_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `token:TOKEN`, every student is the one whom the service knows by it; another token is refused."""
    monkeypatch.setattr(STUDENTS, "accounts", STUDENTS.accounts)
    (student, *_) = STUDENTS.accounts
    login = {"email": student.email, "password": student.password}
    known = plain_http.post(f"{service_url}/api/auth/login", json=login).json()
    options = Namespace(num_users=2, seed="1")
    environment = Environment(user_classes=[AuthUser], host=service_url, parsed_options=options)
    monkeypatch.setenv(_pools.VARIABLE, f"token:{known['token']}")
    next(_pools.accounts.steps(environment))

    account = Account(known["token"], known["userId"], known["studentId"], known["role"])
    assert STUDENTS.accounts == [Credentials(student.email, "", account)] * 4

    monkeypatch.setenv(_pools.VARIABLE, "token:other")
    with pytest.raises(SetUpError, match="does not say whose the token is: profile: got status 401"):
        next(_pools.accounts.steps(environment))
