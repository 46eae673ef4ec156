"""GraphQL over HTTP: a query is asked like any request, and `errors` in a 200 answer are a failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from plimsoll.users.answers import Answer, WrongAnswerError, field, filled
from plimsoll.users.api import MemberUser

T = TypeVar("T")

ALLOWED_MS = 10.0
ALLOWED_MS_PER_POINT = 2.0
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Query(Generic[T]):
    """A query under the name of its request; *read* makes something of the data, or says what is wrong.

    *points* is the complexity that the service must tell, where it is known beforehand.
    """

    name: str
    text: str
    read: Callable[[Any], T]
    points: int | None = None


class GraphqlUser(MemberUser):
    """A member who asks one GraphQL endpoint."""

    abstract = True
    path = "/graphql"

    def query(self, query: Query[T], **variables: object) -> T:
        """Ask a query and return what it reads from the data.

        Whether the answer came within 10 ms + 2 ms for each point of its complexity is the soft check
        NAME.in_time.

        Raises RescheduleTask after a wrong answer.
        """
        body = {"query": query.text, "variables": variables}
        value, in_time = self.ask(
            query.name, "POST", self.path, lambda answer: _read(query, answer), json=body
        )
        self.check(f"{query.name}.in_time", in_time)
        return value


def allowed_ms(points: int) -> float:
    """Return how long a query of so many points may take: 10 ms + 2 ms a point."""
    return ALLOWED_MS + ALLOWED_MS_PER_POINT * points


def _read(query: Query[T], answer: Answer) -> tuple[T, bool]:
    body = answer.body
    if "errors" in body:
        raise WrongAnswerError(f"errors: {_first_message(filled(body, 'errors', list)[0])}")
    points = field(field(body, "extensions", dict), "complexity", int)
    if query.points not in {None, points}:
        raise WrongAnswerError(f"'complexity' is not {query.points}")
    return query.read(field(body, "data", dict)), answer.elapsed_ms <= allowed_ms(points)


def _first_message(error: object) -> str:
    """Return what an error says, with its numbers left out so that equal faults group."""
    return _NUMBER.sub("…", filled(error, "message", str))
