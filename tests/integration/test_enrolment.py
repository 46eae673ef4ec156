"""A load that needs more test users than the bundled service was seeded with enrols them first."""

from __future__ import annotations

from locust.env import Environment

import logging
from argparse import Namespace

import pytest

from locustfiles.auth import AuthUser
from locustfiles.school import STUDENTS, _pools
from locustfiles.school._accounts import generated_accounts
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
