"""Members, who have an account and sign in; their GraphQL, whose answers tell their points; health."""

from __future__ import annotations

from gevent import Greenlet
from gevent.pool import Group

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeVar

from locustfiles.school._accounts import Account, AccountPool, Credentials
from plimsoll import Answer, ApiUser, GraphqlQuery, GraphqlUser, WrongAnswerError, field, filled, identifier

RIGHT_STATES = ("healthy", "degraded")
_REFUSALS = {0: "down", 429: "rate limited", 503: "breaker open"}


class MemberUser(ApiUser):
    """A user with an account from a pool, which signs in when it first needs to.

    As the first base it gives other kinds of users an account: `class Pupil(MemberUser, WebSocketUser)`.
    """

    abstract = True
    accounts: ClassVar[AccountPool]

    other_accounts: ClassVar[Mapping[AccountPool, float]] = {}
    """From which pools some users have theirs, and the share of these users, where `own_accounts` says so."""

    _account: Account | None = None
    _acquired: tuple[AccountPool, Credentials] | None = None

    @cached_property
    def credentials(self) -> Credentials:
        """What this user signs in with: decided when first asked for, as the master may have to be asked."""
        pool = self.own_accounts()
        self._acquired = pool, pool.acquire()
        return self._acquired[1]

    def own_accounts(self) -> AccountPool:
        """Return the pool from which this user has its account."""
        return self.accounts

    def start(self, group: Group) -> Greenlet:
        """Start the user, whose account another may have as soon as it has ended."""
        greenlet = super().start(group)
        greenlet.rawlink(lambda _: self._release())
        return greenlet

    def _release(self) -> None:
        if self._acquired:
            pool, credentials = self._acquired
            pool.release(credentials)

    def auth_headers(self) -> Mapping[str, str]:
        """Return the header with the token, once signed in."""
        return {"Authorization": f"Bearer {self._account.token}"} if self._account else {}

    def on_unauthorized(self) -> None:
        """Forget a token that has expired: the next iteration signs in again."""
        self._account = None

    def account(self) -> Account:
        """Return the account, signing in first where that is due; a refused login ends the iteration."""
        return self._account or self.sign_in(self.credentials)

    def sign_in(self, credentials: Credentials) -> Account:
        """Log in, as `auth.login`, and keep the token for the requests that follow."""
        body = {"email": credentials.email, "password": credentials.password}
        self._account = credentials.account or self.ask(
            "auth.login", "POST", "/api/auth/login", _signed_in, json=body, anonymous=True
        )
        return self._account

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


def health_of(answer: Answer) -> str:
    """Return the state of a service: healthy, degraded, rate limited, breaker open, down.

    Raises WrongAnswerError where the answer does not say.
    """
    if answer.status in _REFUSALS:
        return _REFUSALS[answer.status]
    state = field(answer.body, "status", str)
    if state not in RIGHT_STATES:
        raise WrongAnswerError("'status' is neither healthy nor degraded")
    return state


def _signed_in(answer: Answer) -> Account:
    body = answer.body
    role = filled(body, "role", str)
    student_id = identifier(body, "studentId") if role == "student" else None
    return Account(filled(body, "token", str), identifier(body, "userId"), student_id, role)


T = TypeVar("T")

ALLOWED_MS = 10.0
ALLOWED_MS_PER_POINT = 2.0


@dataclass(frozen=True)
class PricedQuery(GraphqlQuery[T]):
    """A query whose complexity is known: the service must tell these points."""

    points: int


class BudgetedGraphqlUser(MemberUser, GraphqlUser):
    """A member whose queries may take 10 ms + 2 ms for each point: the soft check NAME.in_time."""

    abstract = True

    def read_answer(self, query: GraphqlQuery[T], answer: Answer) -> T:
        """Return what a query reads from an answer, which must tell its complexity."""
        value = super().read_answer(query, answer)
        points = field(field(answer.body, "extensions", dict), "complexity", int)
        if isinstance(query, PricedQuery) and query.points != points:
            raise WrongAnswerError(f"'complexity' is not {query.points}")
        self.check(f"{query.name}.in_time", answer.elapsed_ms <= allowed_ms(points))
        return value


def allowed_ms(points: int) -> float:
    """Return how long a query of so many points may take."""
    return ALLOWED_MS + ALLOWED_MS_PER_POINT * points
