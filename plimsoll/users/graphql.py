"""GraphQL over HTTP: a query is asked like any request, and `errors` in a 200 answer are a failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from plimsoll.users.answers import Answer, WrongAnswerError, field, filled
from plimsoll.users.api import ApiUser

T = TypeVar("T")

_NUMBER = re.compile(r"\d+")


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
            raise WrongAnswerError(f"errors: {_first_message(filled(body, 'errors', list)[0])}")
        return query.read(field(body, "data", dict))


def _first_message(error: object) -> str:
    """Return what an error says, with its numbers left out so that equal faults group."""
    return _NUMBER.sub("…", filled(error, "message", str))
