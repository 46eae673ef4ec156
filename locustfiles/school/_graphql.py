"""GraphQL where each answer tells its complexity in points, which say how long the query may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from locustfiles.school._member import MemberUser
from plimsoll import Answer, GraphqlQuery, GraphqlUser, WrongAnswerError, field

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
