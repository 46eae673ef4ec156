"""Sign-up and sign-in: register, register a taken email, log in, mistype the password, send no token.

A right answer: 201 for a new email, 409 for a taken one, 200 with a token for a login, 401 for a wrong
password or a missing token. The refusals have names of their own, so that they do not dilute the figures of
the successes.
"""

from __future__ import annotations

from locust import between, task

import random
import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.school import STUDENTS, Credentials, MemberUser
from plimsoll import Step, record_run, status_only

record_run()

WRONG_PASSWORD_SHARE = 0.05
LOGIN = {"auth.login": 1 - WRONG_PASSWORD_SHARE, "auth.login_wrong_password": WRONG_PASSWORD_SHARE}


class AuthUser(MemberUser):
    """Log in (8 of 10), register (1), or send no token (1); 5 % of the logins have a wrong password."""

    wait_time = between(1, 3)
    accounts = STUDENTS
    request_names: ClassVar[frozenset[str]] = frozenset(
        {"auth.login", "auth.login_wrong_password", "auth.no_token", "auth.register", "auth.register_taken"}
    )

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "log_in": (LOGIN,),
        "register": ("auth.register", "auth.register_taken", LOGIN),
        "come_without_token": ("auth.no_token",),
    }

    @task(8)
    def log_in(self) -> None:
        """Log in as a seeded student."""
        self.log_in_or_mistype(self.credentials)

    @task(1)
    def register(self) -> None:
        """Register a new email, fail to register it again, and log in with it."""
        # Random, since a number could be taken: the database may outlive the run.
        newcomer = Credentials(f"new-{uuid.uuid4().hex}@plimsoll.test")
        body = {"email": newcomer.email, "password": newcomer.password}
        path = "/api/auth/register"
        self.ask("auth.register", "POST", path, status_only, json=body, statuses=(201,), anonymous=True)
        self.refused("auth.register_taken", "POST", path, 409, json=body, anonymous=True)
        self.log_in_or_mistype(newcomer)

    @task(1)
    def come_without_token(self) -> None:
        """Ask for a protected page without a token."""
        self.refused("auth.no_token", "GET", "/api/users/profile", 401, anonymous=True)

    def log_in_or_mistype(self, credentials: Credentials) -> None:
        """Log in, but mistype the password in 5 % of all logins, which must not let us in."""
        if random.random() < WRONG_PASSWORD_SHARE:
            body = {"email": credentials.email, "password": credentials.password + "-mistyped"}
            self.refused(
                "auth.login_wrong_password", "POST", "/api/auth/login", 401, json=body, anonymous=True
            )
        else:
            self.sign_in(credentials)
