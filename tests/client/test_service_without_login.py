"""The library's kinds of users against a service that knows neither login nor accounts."""

from __future__ import annotations

import gevent
from locust import User, constant, task
from locust.env import Environment
from locust.event import Events

from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar

import pytest

from plimsoll import (
    Answer,
    BrowserUser,
    GraphqlQuery,
    GraphqlUser,
    ScheduledCheckUser,
    WebSocket,
    WebSocketUser,
    WrongAnswerError,
    field,
    page_request_names,
    websocket_request_names,
)
from tests.http_service import Pond

SOON_S = 60.0
PAGES_SOON_S = 120.0
DUCKS = GraphqlQuery("pond.ducks", "{ ducks }", lambda data: field(data, "ducks", int))
SWANS = GraphqlQuery("pond.swans", "{ swans }", lambda data: field(data, "swans", int))


class PondGraphql(GraphqlUser):
    """Asks for ducks, which there are, and for swans, which are unknown."""

    wait_time = constant(0.01)
    request_names: ClassVar[frozenset[str]] = frozenset({"pond.ducks", "pond.swans"})

    @task
    def count_birds(self) -> None:
        """Ask both."""
        self.query(DUCKS)
        self.query(SWANS)


class PondWebSocket(WebSocketUser):
    """Talks over one WebSocket."""

    wait_time = constant(0.01)
    request_names: ClassVar[frozenset[str]] = frozenset({"pond.echo"} | websocket_request_names("pond"))
    websocket: WebSocket | None = None

    @task
    def talk(self) -> None:
        """Say something, and hear it again."""
        if self.websocket is None:
            self.websocket = self.connect("pond", "/ws")
        self.websocket.wait_until_open(SOON_S)
        self.websocket.ask("pond.echo", b"quack", said_again)


class PondCheck(ScheduledCheckUser):
    """Looks after the service."""

    scenario = "pond.check"
    every_s, limit_s = 0.05, SOON_S
    request_names: ClassVar[frozenset[str]] = frozenset({"pond.health"})

    def play(self) -> None:
        """Ask it how it is."""
        with self.step("health"):
            self.ask("pond.health", "GET", "/health", is_fine)


class PondBrowser(BrowserUser):
    """Is greeted by the page."""

    wait_time = constant(0.01)
    page_timeout = PAGES_SOON_S
    request_names: ClassVar[frozenset[str]] = frozenset(page_request_names(("pond.home",)))

    @task
    def come(self) -> None:
        """Go there, say a name, and leave."""
        self.goto("pond.home", "/", wait_for="#pond")
        self.fill("#who", "Ada")
        self.click("#greet", wait_for="#greeting:has-text('Hello Ada')")
        self.leave()


def said_again(text: bytes) -> None:
    """Check that an answer is what was said."""
    if text != b"quack":
        raise WrongAnswerError("not what was said")


def is_fine(answer: Answer) -> None:
    """Check that the service calls itself fine."""
    if field(answer.body, "status", str) != "fine":
        raise WrongAnswerError("'status' is not fine")


@pytest.fixture
def service() -> Iterator[Pond]:
    """Run the service for one test."""
    with closing(Pond()) as running:
        yield running


def play(service: Pond, kinds: list[type[User]], names: set[str], limit_s: float) -> dict[str, set[str]]:
    """Play users until requests of all names have ended; return the failures of each name."""
    failures: dict[str, set[str]] = {}

    def note(name: str, exception: Exception | None, **_: Any) -> None:
        failures.setdefault(name, set()).update({str(exception)} if exception else set())

    no_listeners: Any = Events  # which Locust gives no type
    environment = Environment(user_classes=kinds, host=service.url, events=no_listeners())
    add_listener: Any = environment.events.request.add_listener  # which Locust gives no type
    add_listener(note)
    runner = environment.create_local_runner()
    runner.start(len(kinds), spawn_rate=len(kinds))
    with gevent.Timeout(limit_s, exception=False):
        while not names <= failures.keys():
            gevent.sleep(0.01)
    runner.quit()
    assert [error["msg"] for error in runner.exceptions.values()] == []
    return failures


def test_no_kind_of_user_needs_a_login(service: Pond) -> None:
    """GraphQL, a WebSocket and a scheduled check ask for what they declare, and for no login."""
    names = {"pond.ducks", "pond.swans", "pond.connect", "pond.echo", "pond.health"}
    failures = play(service, [PondGraphql, PondWebSocket, PondCheck], names, SOON_S)

    assert failures.pop("pond.swans") == {"pond.swans: errors: Cannot query field 'swans'"}
    assert failures.keys() >= names - {"pond.swans"}
    assert set().union(*failures.values()) == set()
    assert {path for path, _ in service.seen} == {"/graphql", "/health", "/ws"}
    assert not any("Authorization" in headers for _, headers in service.seen)


@pytest.mark.usefixtures("chromium")
def test_a_browser_needs_no_login(service: Pond) -> None:
    """A browser journey goes to a page, fills and clicks, and measures it."""
    names = {"pond.home", "pond.home.ttfb", "pond.home.weight"}
    failures = play(service, [PondBrowser], names, PAGES_SOON_S)

    assert failures.keys() >= names
    assert set().union(*failures.values()) == set()
    assert {path for path, _ in service.seen} == {"/"}
