"""The Locust users that HTTP journeys are built on: they ask, in JSON or GraphQL, and check the answer."""

from __future__ import annotations

import gevent
from locust.exception import RescheduleTask

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from plimsoll.http1.errors import BadStatus
from plimsoll.users.answers import (
    MAX_REASON_CHARS,
    Answer,
    WrongAnswerError,
    field,
    filled,
    reason_of,
    status_only,
)
from plimsoll.users.http import LeanHttpUser
from plimsoll.users.http_response import LeanResponse
from plimsoll.users.measuring import Measuring

T = TypeVar("T")

_NUMBER = re.compile(r"\d+")


class ApiUser(Measuring, LeanHttpUser):
    """Talk JSON with a service: each request is named, its answer checked, a wrong one counted as a failure.

    A wrong answer also ends the iteration, as there is nothing right to go on with: the user pauses for its
    `wait_time` and starts its next task. A subclass declares every name it may send in `request_names`,
    those of its metrics and checks in `metric_names`, those of its transactions in `transaction_names`, and
    the tags it gives in `tag_names`. One whose service has a login overrides `auth_headers`.
    """

    abstract = True
    request_names: ClassVar[frozenset[str]] = frozenset()
    metric_names: ClassVar[frozenset[str] | None] = frozenset()
    transaction_names: ClassVar[frozenset[str] | None] = frozenset()
    tag_names: ClassVar[frozenset[str] | None] = frozenset()

    def auth_headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate the user; none by default."""
        return {}

    def on_unauthorized(self) -> None:
        """Handle that a request with `auth_headers` failed with status 401; by default, do nothing."""

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
        nothing. The request has `auth_headers` unless it is to be anonymous.

        Raises RescheduleTask after a wrong answer, ValueError for a name that is not declared.
        """
        if name not in self.request_names:
            raise ValueError(f"request name {name!r} is not among {type(self).__name__}.request_names")
        headers = {} if anonymous else self.auth_headers()
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
        if headers and response.status_code == 401:
            self.on_unauthorized()
        raise RescheduleTask

    def failure_text(self, name: str, reason: str) -> str:
        """Return what a wrong answer is counted as: a text that is the same for equal faults."""
        return f"{name}: {reason}"

    def refused(
        self, name: str, method: str, path: str, status: int, *, json: Any = None, anonymous: bool = False
    ) -> None:
        """Send a request that the service must refuse with exactly this status; the refusal is a success."""
        self.ask(name, method, path, status_only, json=json, statuses=(status,), anonymous=anonymous)

    def report_request(
        self,
        request_type: str,
        name: str,
        duration_ms: float | None,
        started_s: float,
        size_bytes: int = 0,
        exception: Exception | None = None,
    ) -> None:
        """Report a request of another client than the user's own; it failed if there is an exception.

        *started_s* is in s since the epoch; without a duration, only the failure counts.
        """
        self.environment.events.request.fire(
            request_type=request_type,
            name=name,
            response_time=duration_ms,
            response_length=size_bytes,
            exception=exception,
            context=self.context(),
            start_time=started_s,
        )

    def pause(self, least_s: float, most_s: float | None = None) -> None:
        """Think for so many seconds, or for a time drawn evenly between two bounds."""
        gevent.sleep(least_s if most_s is None else random.uniform(least_s, most_s))


def _answer_to(response: LeanResponse, statuses: tuple[int, ...]) -> Answer:
    if response.status_code not in statuses:
        # A status of 400 or more is an error too, but whether it is wrong is for us to say.
        if response.error is not None and not isinstance(response.error, BadStatus):
            raise WrongAnswerError(str(response.error))
        expected = " or ".join(str(status) for status in statuses if status)
        raise WrongAnswerError(f"got status {response.status_code}, expected {expected}")
    return Answer(response.status_code, response.headers, response.content, response.elapsed_s * 1000)


@dataclass(frozen=True)
class GraphqlQuery(Generic[T]):
    """A query under the name of its request; *read* makes something of the data, or says what is wrong."""

    name: str
    text: str
    read: Callable[[Any], T]


class GraphqlUser(ApiUser):
    """A user who asks one GraphQL endpoint."""

    abstract = True
    path = "/graphql"

    def query(self, query: GraphqlQuery[T], **variables: object) -> T:
        """Ask a query and return what it reads from the data.

        Raises RescheduleTask after a wrong answer.
        """
        body = {"query": query.text, "variables": variables}
        return self.ask(
            query.name, "POST", self.path, lambda answer: self.read_answer(query, answer), json=body
        )

    def read_answer(self, query: GraphqlQuery[T], answer: Answer) -> T:
        """Return what a query reads from an answer; a subclass may check more of it, such as `extensions`.

        Raises WrongAnswerError.
        """
        body = answer.body
        if "errors" in body:
            message = filled(filled(body, "errors", list)[0], "message", str)
            # Without its numbers, so that equal faults group.
            raise WrongAnswerError(f"errors: {_NUMBER.sub('…', message)}")
        return query.read(field(body, "data", dict))
