"""The Locust user every HTTP journey is built on: it asks, checks the answer, and signs in."""

from __future__ import annotations

import gevent
from gevent import Greenlet
from gevent.pool import Group
from locust.exception import RescheduleTask

import random
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeVar

from plimsoll.data import seed_of
from plimsoll.http1.errors import BadStatus
from plimsoll.users.answers import (
    MAX_REASON_CHARS,
    RIGHT_STATES,
    Answer,
    Identifier,
    WrongAnswerError,
    filled,
    health_of,
    identifier,
    reason_of,
    status_only,
)
from plimsoll.users.http import LeanHttpUser
from plimsoll.users.http_response import LeanResponse
from plimsoll.users.identities import Credentials, Identity, Roster
from plimsoll.users.measuring import Measuring

T = TypeVar("T")


class Account(NamedTuple):
    """Who the service says has signed in; `student_id` is None for other roles than student."""

    token: str
    user_id: Identifier
    student_id: Any
    role: str


class ApiUser(Measuring, LeanHttpUser):
    """Talk JSON with a service: each request is named, its answer checked, a wrong one counted as a failure.

    A wrong answer also ends the iteration, as there is nothing right to go on with: the user pauses for its
    `wait_time` and starts its next task. A subclass declares every name it may send in `request_names`,
    those of its metrics and checks in `metric_names`, those of its transactions in `transaction_names`, and
    the tags it gives in `tag_names`; `check_health_of` counts states under names of its own.
    """

    abstract = True
    request_names: ClassVar[frozenset[str]] = frozenset()
    metric_names: ClassVar[frozenset[str] | None] = frozenset()
    transaction_names: ClassVar[frozenset[str] | None] = frozenset()
    tag_names: ClassVar[frozenset[str] | None] = frozenset()

    _account: Account | None = None

    def ask(
        self,
        name: str,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        *,
        json: Any = None,
        statuses: tuple[int, ...] = (200,),
        anonymous: bool = False,
        timeout_s: float | None = None,
    ) -> T:
        """Send a request under a declared name and return what `read` makes of the answer.

        The answer is right when its status is among the expected, 0 standing for none, and `read` raises
        nothing. Once signed in, the request carries the token unless it is to be anonymous.

        Raises RescheduleTask after a wrong answer, ValueError for a name that is not declared.
        """
        if name not in self.request_names:
            raise ValueError(f"request name {name!r} is not among {type(self).__name__}.request_names")
        token = None if anonymous or self._account is None else self._account.token
        headers = {"Authorization": f"Bearer {token}"} if token else None
        with self.client.request(
            method, path, name=name, json=json, headers=headers, timeout=timeout_s, catch_response=True
        ) as response:
            try:
                value = read(_answer_to(response, statuses))
            except Exception as fault:  # noqa: BLE001 - whatever a server's text makes a check raise is a failure
                response.failure(self.failure_text(name, reason_of(fault))[:MAX_REASON_CHARS])
            else:
                response.success()
                return value
        if token and response.status_code == 401:
            self._account = None  # expired or revoked: the next iteration signs in again
        raise RescheduleTask

    def failure_text(self, name: str, reason: str) -> str:
        """Return what a wrong answer is counted as: a text that is the same for equal faults."""
        return f"{name}: {reason}"

    def refused(
        self, name: str, method: str, path: str, status: int, *, json: Any = None, anonymous: bool = False
    ) -> None:
        """Send a request that the service must refuse with exactly this status; the refusal is a success."""
        self.ask(name, method, path, status_only, json=json, statuses=(status,), anonymous=anonymous)

    def check_health_of(self, name: str, path: str) -> None:
        """Ask a service how it is and count its state as NAME.STATE; it must be healthy or degraded.

        Being rate limited, an open breaker and no answer are failures of their own.
        """

        def read(answer: Answer) -> None:
            state = health_of(answer)
            self.count(f"{name}.{state.replace(' ', '_')}")
            if state not in RIGHT_STATES:
                raise WrongAnswerError(f"{state} ({answer.status or 'no answer'})")

        self.ask(name, "GET", path, read, statuses=(200, 429, 503, 0), anonymous=True)

    def sign_in(self, credentials: Credentials) -> Account:
        """Log in, as `auth.login`, and keep the token for the requests that follow."""
        body = {"email": credentials.email, "password": credentials.password}
        self._account = self.ask("auth.login", "POST", "/api/auth/login", _account, json=body, anonymous=True)
        return self._account

    def pause(self, least_s: float, most_s: float | None = None) -> None:
        """Think for so many seconds, or for a time drawn evenly between two bounds."""
        gevent.sleep(least_s if most_s is None else random.uniform(least_s, most_s))


class MemberUser(ApiUser):
    """A user with an identity of its own, dealt from a roster, which signs in before its first request."""

    abstract = True
    roster: ClassVar[Roster]

    other_rosters: ClassVar[Mapping[Roster, float]] = {}
    """Whom some of the users are instead, and which share of them, where `own_roster` says so."""

    _dealt: tuple[Roster, Identity] | None = None

    @cached_property
    def credentials(self) -> Credentials:
        """Who this user is: decided when first asked for, as the master may have to be asked."""
        roster = self.own_roster()
        identity = roster.deal(seed_of(self.environment))
        self._dealt = roster, identity
        return identity.credentials

    def own_roster(self) -> Roster:
        """Return whom this user is one of."""
        return self.roster

    def start(self, group: Group) -> Greenlet:
        """Start the user, whose identity another may have as soon as it has ended."""
        greenlet = super().start(group)
        greenlet.rawlink(lambda _: self._give_back())
        return greenlet

    def _give_back(self) -> None:
        if self._dealt:
            roster, identity = self._dealt
            roster.give_back(identity)

    def account(self) -> Account:
        """Return the account, signing in first where that is due; a refused login ends the iteration."""
        return self._account or self.sign_in(self.credentials)


def _answer_to(response: LeanResponse, statuses: tuple[int, ...]) -> Answer:
    if response.status_code not in statuses:
        # A status of 400 or more is an error too, but whether it is wrong is for us to say.
        if response.error is not None and not isinstance(response.error, BadStatus):
            raise WrongAnswerError(str(response.error))
        expected = " or ".join(str(status) for status in statuses if status)
        raise WrongAnswerError(f"got status {response.status_code}, expected {expected}")
    return Answer(response.status_code, response.headers, response.content, response.elapsed_s * 1000)


def _account(answer: Answer) -> Account:
    body = answer.body
    role = filled(body, "role", str)
    student_id = identifier(body, "studentId") if role == "student" else None
    return Account(filled(body, "token", str), identifier(body, "userId"), student_id, role)
