"""A user's WebSocket, against a server that a test plays by hand."""

from __future__ import annotations

import gevent
from gevent import socket as gevent_socket
from gevent.pool import Group
from locust.env import Environment
from locust.exception import RescheduleTask

from collections.abc import Iterator
from typing import Any, cast

import pytest
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from locustfiles.school import StampedListener
from plimsoll.context import Transaction, execution_of, tagged
from plimsoll.users import websocket
from plimsoll.users.websocket import WebSocket, WebSocketUser, websocket_request_names
from tests.users_at_work import as_user
from tests.virtual_time import virtual_time

SOON_S = 60.0
ANSWER_S = 0.01


class StubUser:
    """As much of a user as a WebSocket knows."""

    request_tracker = None
    request_names = frozenset({"club.sum"})
    ssl_context_factory = None
    insecure = False
    connection_timeout = SOON_S

    def __init__(self, host: str) -> None:
        self.host, self.environment = host, Environment()
        self.events: list[dict[str, Any]] = []
        self.tokens = ["old"]

    def report_request(
        self,
        request_type: str,
        name: str,
        duration_ms: float | None,
        started_s: float,
        size_bytes: int = 0,
        exception: Exception | None = None,
    ) -> None:
        """Keep the request as its event has it."""
        self.events.append(
            {
                "request_type": request_type,
                "name": name,
                "response_time": duration_ms,
                "start_time": started_s,
                "response_length": size_bytes,
                "exception": exception,
            }
        )

    def auth_headers(self) -> dict[str, str]:
        """Return the header with the newest token."""
        return {"Authorization": f"Bearer {self.tokens[-1]}"}

    def on_unauthorized(self) -> None:
        """Get a new token."""
        self.tokens.append("new")

    def failure_text(self, name: str, reason: str) -> str:
        """Return the text of a failure."""
        return f"{name}: {reason}"

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
        self.words, self.right_token = list[bytes](), ""
        self.answers: dict[bytes, bytes] = {}
        """What is said to a message, nothing to any other; the empty answer is to hang up."""
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
        while is_known and (data := connection.recv(65536)):
            protocol.receive_data(data)
            for frame in protocol.events_received():
                answer = self.answers.get(bytes(frame.data)) if isinstance(frame, Frame) else None
                if answer == b"":
                    return
                if answer is not None:
                    gevent.sleep(ANSWER_S)
                    protocol.send_text(answer)
                    connection.sendall(b"".join(protocol.data_to_send()))

    def close(self) -> None:
        """Stop serving."""
        self._serving.kill()
        self._listener.close()


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Let time be virtual: a message is there before the clock goes on."""
    with virtual_time():
        yield


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


def connect(user: StubUser) -> WebSocket:
    """Open a WebSocket on which messages of type talk are measured."""
    return WebSocket(cast("WebSocketUser", user), "club", "/ws", StampedListener("talk"))


def said(number: int) -> bytes:
    """Return a message that was sent at the beginning of time."""
    return b'{"type": "talk", "sender": "a", "seq": %d, "sentAt": 0}' % number


def test_messages_and_gaps_are_requests(server: RoomServer, user: StubUser) -> None:
    """Each message is a request from its stamp, each number that is missing a failed one."""
    server.words = [said(1), said(4), b"nonsense"]
    club = connect(user)
    heard = user.wait_for("talk", 3)
    club.close()

    assert [event["exception"] is None for event in heard] == [True, True, False]
    assert heard[0]["start_time"] == 0
    assert heard[0]["response_time"] > 1e12  # ms since the beginning of time
    assert heard[0]["response_length"] == len(said(1))
    assert ["dropped on an open" in str(event["exception"]) for event in user.named("club.drop")] == [
        True
    ] * 2
    assert {event["request_type"] for event in user.events} == {"WS"}
    assert {event["name"] for event in user.events} <= websocket_request_names("club") | {"talk"}


def test_a_silent_server_is_left_and_come_back_to(
    server: RoomServer, user: StubUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers no ping is lost, which is counted; then comes the reconnect, and what was missed."""
    monkeypatch.setattr(websocket, "PING_INTERVAL_S", 0.05)
    monkeypatch.setattr(websocket, "PONG_LIMIT_S", 0.02)
    server.words = [said(1)]
    club = connect(user)
    user.wait_for("talk")
    server.words = [said(3)]
    (back,) = user.wait_for("club.reconnect")
    (missed,) = user.wait_for("club.drop")
    club.close()

    assert "no answer to a ping" in str(user.named("club.lost")[0]["exception"])
    assert back["response_time"] > 0
    assert back["exception"] is None
    assert "missed while the connection was lost" in str(missed["exception"])


def test_a_refused_token_is_replaced(server: RoomServer, user: StubUser) -> None:
    """After a 401 the user signs in again, and gets in."""
    server.right_token = "new"
    club = connect(user)
    refused, accepted = user.wait_for("club.connect", 2)
    club.close()

    assert "status 401" in str(refused["exception"])
    assert accepted["exception"] is None
    assert user.tokens == ["old", "new"]


def test_an_answer_is_asked_for_over_an_open_connection(server: RoomServer, user: StubUser) -> None:
    """What is asked is a request of its own name, from sending to the next message, which is read."""
    server.answers = {b"6 x 7": b"42"}
    club = WebSocket(cast("WebSocketUser", user), "club", "/ws", None)
    club.wait_until_open(SOON_S)

    assert club.ask("club.sum", b"6 x 7", int) == 42
    (asked,) = user.named("club.sum")
    club.close()
    assert asked["exception"] is None
    assert asked["response_time"] == pytest.approx(1000 * ANSWER_S)
    assert asked["response_length"] == 2


def test_a_wrong_answer_none_and_a_loss_are_failures(server: RoomServer, user: StubUser) -> None:
    """A wrong answer, none in time and a connection lost meanwhile are failures with their reasons."""
    server.answers = {b"6 x 7": b"dunno", b"leave": b""}
    club = WebSocket(cast("WebSocketUser", user), "club", "/ws", None)
    club.wait_until_open(SOON_S)
    for text, timeout_s in ((b"6 x 7", SOON_S), (b"hello", 0.05), (b"leave", SOON_S)):
        with pytest.raises(RescheduleTask):
            club.ask("club.sum", text, int, timeout_s)
    failures = [str(event["exception"]) for event in user.named("club.sum")]
    club.close()

    assert failures == [
        "club.sum: the answer cannot be read (ValueError)",
        "club.sum: no answer within 0.05 s",
        "club.sum: the connection was lost: closed by the server without a word",
    ]


def test_only_declared_names_are_asked(user: StubUser) -> None:
    """A name that is not declared is refused, and the text tells where to add it."""
    club = connect(user)

    with pytest.raises(ValueError, match=r"'club\.summ' is not among StubUser\.request_names"):
        club.ask("club.summ", b"", int)
    club.close()


def test_leaving_before_there_is_a_connection_is_quiet(user: StubUser) -> None:
    """Nothing is left to say goodbye to."""
    club = connect(user)
    club.close()

    assert not club.is_open
    assert user.events == []


def test_it_outlives_the_task_that_opens_it(user: StubUser) -> None:
    """Its requests are the user's, and not under the tags or in the transaction in which it was opened."""

    def flow() -> Any:
        with tagged(["content"]), Transaction("sign in"):
            return connect(user)

    club = as_user(user.environment, flow)
    context = club._greenlet.plimsoll_context
    club.close()

    assert context.attribution == ("StubUser", "")
    assert context.transaction is None
    assert context.execution is execution_of(user.environment)
