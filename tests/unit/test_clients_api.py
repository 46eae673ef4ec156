"""The user every HTTP journey is built on: what it sends, what it counts as wrong, when it signs in."""

from __future__ import annotations

from locust.env import Environment
from locust.exception import RescheduleTask

import json
from contextlib import nullcontext
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locustfiles.school import AccountPool, MemberUser
from plimsoll.http1.errors import BadStatus, ConnectionRefused, IncompleteBody
from plimsoll.users.answers import MAX_REASON_CHARS, Answer, field
from plimsoll.users.api import ApiUser

LOGIN = {"token": "t0ken", "userId": 1, "studentId": 7, "role": "student"}


class StubResponse:
    """What the client hands out: an answer, and in `outcome` what the user made of it."""

    def __init__(self, status: int, content: bytes | None, error: Exception | None = None) -> None:
        self.status_code = status
        self.content = content
        self.headers: dict[str, str] = {}
        self.error = error or (BadStatus(status) if status >= 400 else None)
        self.elapsed_s = 0.0
        self.outcome = "none"

    def __enter__(self) -> StubResponse:
        return self

    def __exit__(self, *_: object) -> None: ...

    def success(self) -> None:
        """Note that the request was right."""
        self.outcome = "success"

    def failure(self, text: str) -> None:
        """Note why the request was wrong."""
        self.outcome = text


class StubClient:
    """A client that gives prepared answers, one after the other, and keeps what was sent."""

    def __init__(self, responses: list[StubResponse]) -> None:
        self.responses = list(responses)
        self.sent: list[dict[str, Any]] = []

    def request(self, method: str, path: str, **options: Any) -> StubResponse:
        """Keep the request and give the next answer."""
        self.sent.append({"method": method, "path": path, **options})
        return self.responses.pop(0)


class Visitor(MemberUser):
    """A user of two names."""

    host = "http://127.0.0.1:1"
    accounts = AccountPool("visitor", seeded=1000)
    request_names: ClassVar[frozenset[str]] = frozenset({"auth.login", "shop.home"})


def answered(status: int, body: Any = None) -> StubResponse:
    """Return an answer with this JSON."""
    return StubResponse(status, json.dumps(body).encode())


def visitor(*responses: StubResponse) -> tuple[Visitor, StubClient]:
    """Return a user whose requests get these answers."""
    user, client = Visitor(Environment()), StubClient(list(responses))
    user.client = client  # type: ignore[assignment]  # a stub of the part that is used
    return user, client


def name_of(answer: Answer) -> str:
    """Read a name, which must be text."""
    return field(answer.body, "name", str)


def test_a_right_answer_is_read_and_counted_as_success() -> None:
    """The value that the check read comes back, and the request carries the declared name."""
    response = answered(200, {"name": "Ada"})
    user, client = visitor(response)

    assert user.ask("shop.home", "GET", "/home", name_of) == "Ada"
    assert response.outcome == "success"
    assert client.sent[0]["name"] == "shop.home"


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (answered(500), "shop.home: got status 500, expected 200 or 429"),
        (answered(200, {}), "shop.home: 'name' is missing"),
        (StubResponse(200, b"<html>"), "shop.home: the body is not JSON"),
        (
            StubResponse(0, None, ConnectionRefused()),
            "shop.home: the server refused the connection",
        ),
        (
            StubResponse(0, None, IncompleteBody("2 of 9 bytes")),
            "shop.home: the server closed the connection before the body was complete: 2 of 9 bytes",
        ),
    ],
)
def test_a_wrong_answer_is_a_failure_and_ends_the_iteration(response: StubResponse, failure: str) -> None:
    """Whatever is wrong, the request fails with a text of its name and reason, and the task stops there."""
    user, _ = visitor(response)

    with pytest.raises(RescheduleTask):
        user.ask("shop.home", "GET", "/home", name_of, statuses=(200, 429))

    assert response.outcome == failure


def test_a_check_that_stumbles_fails_its_request_only() -> None:
    """An error inside a check is a failure of the request, not a crash of the user."""
    response = answered(200, {"rows": 3})
    user, _ = visitor(response)

    with pytest.raises(RescheduleTask):
        user.ask("shop.home", "GET", "/home", lambda answer: answer.body["rows"][0])

    assert response.outcome == "shop.home: the answer cannot be read (TypeError)"


def test_a_refusal_that_is_expected_is_a_success() -> None:
    """Where 403 is the right answer, it is counted as one; its body does not matter."""
    response = StubResponse(403, b"<html>")
    user, _ = visitor(response)

    user.refused("shop.home", "GET", "/admin", 403)

    assert response.outcome == "success"


def test_an_undeclared_name_is_refused_before_anything_is_sent() -> None:
    """A name missing in the declaration is the programmer's error, and the text tells where to add it."""
    user, client = visitor()

    with pytest.raises(ValueError, match=r"'shop\.hmoe' is not among Visitor\.request_names"):
        user.ask("shop.hmoe", "GET", "/home", name_of)

    assert client.sent == []


def test_signing_in_happens_once_and_later_requests_carry_the_token() -> None:
    """The first look at the account logs in; from then on requests carry the token unless told otherwise."""
    user, client = visitor(answered(200, LOGIN), answered(200, {"name": "x"}), answered(401))

    assert [user.account().student_id, user.account().role] == [7, "student"]
    user.ask("shop.home", "GET", "/home", name_of)
    user.refused("shop.home", "GET", "/home", 401, anonymous=True)

    assert [sent["headers"] for sent in client.sent] == [{}, {"Authorization": "Bearer t0ken"}, {}]


def test_a_token_that_is_refused_is_replaced_in_the_next_iteration() -> None:
    """When a token has expired, its request fails, and the user signs in again before it goes on."""
    user, client = visitor(answered(200, LOGIN), answered(401), answered(200, LOGIN | {"token": "new"}))
    user.account()

    with pytest.raises(RescheduleTask):
        user.ask("shop.home", "GET", "/home", name_of)

    assert user.account().token == "new"
    assert len(client.sent) == 3


@pytest.mark.parametrize(
    "body", [LOGIN | {"token": ""}, LOGIN | {"studentId": None}, {}, [], None, LOGIN | {"role": 7}]
)
def test_a_failed_login_ends_the_iteration_and_keeps_nothing(body: Any) -> None:
    """A login without a usable token is a failure, and the next iteration tries again."""
    wrong, right = answered(200, body), answered(200, LOGIN)
    user, _ = visitor(wrong, right)

    with pytest.raises(RescheduleTask):
        user.account()

    assert wrong.outcome.startswith("auth.login: ")
    assert user.account().token == "t0ken"


@given(key=st.text(min_size=300, max_size=400))
def test_a_failure_text_is_bounded(key: str) -> None:
    """However long a reason is, its text stays short enough for a report."""
    response = answered(200, {})
    user, _ = visitor(response)

    with pytest.raises(RescheduleTask):
        user.ask("shop.home", "GET", "/home", lambda answer: field(answer.body, key, str))

    assert len(response.outcome) == MAX_REASON_CHARS


def test_two_users_get_two_accounts() -> None:
    """Each user has an account of its own from the pool of its class."""
    assert visitor()[0].credentials != visitor()[0].credentials


def test_certificates_are_verified_and_waiting_is_bounded() -> None:
    """Unlike Locust's, our users verify certificates, and no request waits longer than half a minute."""
    assert ApiUser.insecure is False
    assert ApiUser.connection_timeout <= 10
    assert ApiUser.network_timeout <= 30


@pytest.mark.parametrize(
    ("response", "states", "failure"),
    [
        (answered(200, {"status": "healthy"}), ["healthy"], None),
        (answered(200, {"status": "degraded"}), ["degraded"], None),
        (answered(429), ["rate_limited"], "rate limited (429)"),
        (answered(503), ["breaker_open"], "breaker open (503)"),
        (StubResponse(0, None, ConnectionRefused()), ["down"], "down (no answer)"),
        (answered(200, {"status": "fine"}), [], "'status' is neither healthy nor degraded"),
        (answered(500), [], "got status 500, expected 200 or 429 or 503"),
    ],
)
def test_each_state_of_a_service_is_counted(
    response: StubResponse, states: list[str], failure: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Healthy and degraded are right; all else is a failure, counted by name where the state is known."""
    user, _ = visitor(response)
    counted: list[str] = []
    monkeypatch.setattr(user, "count", counted.append)

    with nullcontext() if failure is None else pytest.raises(RescheduleTask):
        user.check_health_of("shop.home", "/health")

    assert counted == [f"shop.home.{state}" for state in states]
    assert response.outcome == ("success" if failure is None else f"shop.home: {failure}")


@pytest.mark.parametrize("role", ["admin", "parent"])
def test_only_students_have_a_student_id(role: str) -> None:
    """Whoever else signs in needs none."""
    user, _ = visitor(answered(200, LOGIN | {"role": role, "studentId": None}))

    assert user.account().student_id is None
