"""GraphQL asked as any request: errors are failures; with budgets, the time allowed grows with the points."""

from __future__ import annotations

from locust.env import Environment
from locust.exception import RescheduleTask

import json
from typing import Any, ClassVar

import pytest

from locustfiles.school import AccountPool, BudgetedGraphqlUser, PricedQuery
from plimsoll.users.answers import Answer, WrongAnswerError, field
from plimsoll.users.api import GraphqlQuery, GraphqlUser
from plimsoll.users.http_response import LeanResponse

DUCKS = PricedQuery("pond.ducks", "{ ducks }", lambda data: data["ducks"], points=3)


class Pond(BudgetedGraphqlUser):
    """A user whose one query gets a prepared answer."""

    host = "http://127.0.0.1:1"
    accounts = AccountPool("pond visitor", seeded=1)
    request_names: ClassVar[frozenset[str]] = frozenset({"pond.ducks"})

    def __init__(self, answer: object, elapsed_ms: float = 1.0) -> None:
        environment = Environment()
        super().__init__(environment)
        self.response = LeanResponse("http://127.0.0.1:1/graphql", 200, b"", json.dumps(answer).encode())
        self.response.elapsed_s = elapsed_ms / 1000
        self.failures: list[str] = []
        self.checks: dict[str, bool] = {}
        self.sent: dict[str, Any] = {}
        environment.events.request.add_listener(self.keep_failure)  # type: ignore[no-untyped-call]  # Locust
        self.client = self  # type: ignore[assignment]  # a stub of the part that is used

    def request(self, method: str, path: str, **options: Any) -> LeanResponse:
        """Keep what is sent, and give the answer."""
        self.sent = {"method": method, "path": path, **options}
        self.response.report_to(self.environment.events.request, method, path, {}, 0.0, path)
        return self.response

    def keep_failure(self, exception: Exception | None, **_: object) -> None:
        """Keep why the request failed."""
        if exception:
            self.failures.append(str(exception))

    def check(self, name: str, ok: object) -> bool:
        """Keep the soft check."""
        self.checks[name] = bool(ok)
        return bool(ok)


def told(points: int = 3) -> dict[str, object]:
    """Return a right answer that tells its complexity."""
    return {"data": {"ducks": 7}, "extensions": {"complexity": points}}


class Brook(GraphqlUser):
    """A user of a service that tells no complexity and has no login."""

    host = "http://127.0.0.1:1"
    request_names: ClassVar[frozenset[str]] = frozenset({"brook.ducks"})


@pytest.mark.parametrize(
    ("body", "ducks", "failure"),
    [
        (b'{"data": {"ducks": 7}}', 7, None),
        (b'{"data": {"ducks": 7}, "errors": [{"message": "no brook 12"}]}', None, "errors: no brook …"),
        (b'{"data": {}}', None, "'ducks' is missing"),
    ],
)
def test_plain_graphql_needs_no_extensions(body: bytes, ducks: int | None, failure: str | None) -> None:
    """A plain answer is read from its data alone, and errors in it are a failure of the query."""
    query = GraphqlQuery("brook.ducks", "{ ducks }", lambda data: field(data, "ducks", int))
    user, answer = Brook(Environment()), Answer(200, None, body)

    if failure is None:
        assert user.read_answer(query, answer) == ducks
    else:
        with pytest.raises(WrongAnswerError) as wrong:
            user.read_answer(query, answer)
        assert str(wrong.value) == failure


def test_a_query_is_posted_with_its_variables() -> None:
    """What the query reads of the data comes back; the body holds text and variables."""
    user = Pond(told())

    assert user.query(DUCKS, colour="green") == 7
    assert (user.sent["method"], user.sent["path"]) == ("POST", "/graphql")
    assert user.sent["json"] == {"query": "{ ducks }", "variables": {"colour": "green"}}


@pytest.mark.parametrize(("elapsed_ms", "in_time"), [(16.0, True), (16.5, False)])
def test_a_slow_answer_is_right_but_not_in_time(elapsed_ms: float, in_time: bool) -> None:
    """3 points may take 10 ms + 3 × 2 ms; longer fails the soft check and not the request."""
    user = Pond(told(), elapsed_ms)

    user.query(DUCKS)

    assert user.failures == []
    assert user.checks == {"pond.ducks.in_time": in_time}


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (told() | {"errors": [{"message": "no pond 12"}]}, "errors: no pond …"),
        (told() | {"errors": []}, "'errors' is empty"),
        (told(points=4), "'complexity' is not 3"),
        ({"data": {"ducks": 7}}, "'extensions' is missing"),
        (told() | {"data": None}, "'data' is null, expected an object"),
    ],
)
def test_errors_in_a_200_answer_are_failures(answer: object, failure: str) -> None:
    """Whatever is wrong with the answer is told without its numbers, and there is no soft check then."""
    user = Pond(answer)

    with pytest.raises(RescheduleTask):
        user.query(DUCKS)

    assert user.failures == [f"pond.ducks: {failure}"]
    assert user.checks == {}
