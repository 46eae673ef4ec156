"""A user's place in a room, against a server that a test plays by hand."""

from __future__ import annotations

import gevent
from gevent import socket as gevent_socket
from gevent.pool import Group

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from websockets.http11 import Request
from websockets.server import ServerProtocol

from plimsoll.users import websocket
from plimsoll.users.websocket import Room, RoomUser, event_names

SOON_S = 5.0


class StubUser:
    """As much of a user as a room knows."""

    request_tracker = None
    ssl_context_factory = None
    insecure = False
    connection_timeout = SOON_S

    def __init__(self, host: str) -> None:
        self.host = host
        self.events: list[dict[str, Any]] = []
        self.credentials = "who"
        self.tokens = ["old"]
        request = SimpleNamespace(fire=lambda **event: self.events.append(event))
        self.environment = SimpleNamespace(events=SimpleNamespace(request=request))

    def account(self) -> SimpleNamespace:
        """Return the account with the newest token."""
        return SimpleNamespace(token=self.tokens[-1])

    def sign_in(self, _credentials: object) -> SimpleNamespace:
        """Get a new token."""
        self.tokens.append("new")
        return self.account()

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the events of a name so far."""
        return [event for event in self.events if event["name"] == name]

    def wait_for(self, name: str, number: int = 1) -> list[dict[str, Any]]:
        """Wait until there are so many events of a name."""
        with gevent.Timeout(SOON_S):
            while len(self.named(name)) < number:
                gevent.sleep(0.005)
        return self.named(name)


class RoomServer:
    """Lets everybody in whose token is right, says what a test has prepared, and answers no ping."""

    def __init__(self) -> None:
        self.status, self.words, self.right_token = 101, list[bytes](), ""
        self._listener = gevent_socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._serving = Group()
        self._serving.spawn(self._serve)

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._serving.spawn(self._welcome, connection)

    def _welcome(self, connection: gevent_socket.socket) -> None:
        with connection:
            self._talk(connection)

    def _talk(self, connection: gevent_socket.socket) -> None:
        protocol = ServerProtocol()
        protocol.receive_data(connection.recv(65536))
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        is_known = request.headers["Authorization"].endswith(self.right_token)
        protocol.send_response(protocol.accept(request) if is_known else protocol.reject(401, ""))
        for text in self.words if is_known else ():
            protocol.send_text(text)
        for data in protocol.data_to_send():
            connection.sendall(data)
        while is_known and connection.recv(65536):
            pass

    def close(self) -> None:
        """Stop serving."""
        self._serving.kill()
        self._listener.close()


@pytest.fixture(autouse=True)
def short_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for a goodbye, which this server never says."""
    monkeypatch.setattr(websocket, "GOODBYE_LIMIT_S", 0.02)


@pytest.fixture
def server() -> Iterator[RoomServer]:
    """Run a server for one test."""
    running = RoomServer()
    yield running
    running.close()


@pytest.fixture
def user(server: RoomServer) -> StubUser:
    """Have a user of that server."""
    return StubUser(server.url)


def enter(user: StubUser) -> Room:
    """Enter a room of talk."""
    return Room(cast("RoomUser", user), "club", "/ws", "talk")


def said(number: int) -> bytes:
    """Return a message that was sent at the beginning of time."""
    return b'{"type": "talk", "sender": "a", "seq": %d, "sentAt": 0}' % number


def test_messages_and_gaps_are_requests(server: RoomServer, user: StubUser) -> None:
    """Each message is a request from its stamp, each number that is missing a failed one."""
    server.words = [said(1), said(4), b"nonsense"]
    room = enter(user)
    heard = user.wait_for("talk", 3)
    room.leave()

    assert [event["exception"] is None for event in heard] == [True, True, False]
    assert heard[0]["start_time"] == 0
    assert heard[0]["response_time"] > 1e12  # ms since the beginning of time
    assert heard[0]["response_length"] == len(said(1))
    assert ["dropped on an open" in str(event["exception"]) for event in user.named("club.drop")] == [
        True
    ] * 2
    assert {event["request_type"] for event in user.events} == {"WS"}
    assert {event["name"] for event in user.events} <= event_names("club") | {"talk"}


def test_a_silent_server_is_left_and_come_back_to(
    server: RoomServer, user: StubUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers no ping is lost, which is counted; then comes the reconnect, and what was missed."""
    monkeypatch.setattr(websocket, "PING_INTERVAL_S", 0.05)
    monkeypatch.setattr(websocket, "PONG_LIMIT_S", 0.02)
    server.words = [said(1)]
    room = enter(user)
    user.wait_for("talk")
    server.words = [said(3)]
    (back,) = user.wait_for("club.reconnect")
    (missed,) = user.wait_for("club.drop")
    room.leave()

    assert "no answer to a ping" in str(user.named("club.lost")[0]["exception"])
    assert back["response_time"] > 0
    assert back["exception"] is None
    assert "missed while the connection was lost" in str(missed["exception"])


def test_a_refused_token_is_replaced(server: RoomServer, user: StubUser) -> None:
    """After a 401 the user signs in again, and gets in."""
    server.right_token = "new"
    room = enter(user)
    refused, accepted = user.wait_for("club.connect", 2)
    room.leave()

    assert "status 401" in str(refused["exception"])
    assert accepted["exception"] is None
    assert user.tokens == ["old", "new"]


def test_leaving_before_there_is_a_connection_is_quiet(user: StubUser) -> None:
    """Nothing is left to say goodbye to."""
    room = enter(user)
    room.leave()

    assert not room.is_open
    assert user.events == []
