"""One WebSocket against a server that a test plays by hand, over a pair of sockets."""

from __future__ import annotations

import gevent
from gevent import socket as gevent_socket

import time
from collections.abc import Iterator

import pytest
from websockets.client import ClientProtocol
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from plimsoll.http1.connect import OpenSocket, Socket, default_ssl_context
from plimsoll.http1.errors import ConnectionRefused, ConnectTimeout
from plimsoll.http1.url import parse_url
from plimsoll.users.websocket import BACK_OFF_MOST_S, back_off_s
from plimsoll.users.websocket_connection import (
    MAX_UNSENT_BYTES,
    ConnectionLost,
    HandshakeRefused,
    Message,
    Pong,
    WebSocketConnection,
    open_websocket,
)

SOON_S = 60.0


class Server:
    """The other end: says what a test has it say."""

    def __init__(self, sock: gevent_socket.socket) -> None:
        self.sock, self.protocol = sock, ServerProtocol()

    def hear(self) -> list[object]:
        """Wait for something and return what it was."""
        self.protocol.receive_data(self.sock.recv(65536))
        return list(self.protocol.events_received())

    def flush(self) -> None:
        """Send what the protocol has to say."""
        for data in self.protocol.data_to_send():
            if data:
                self.sock.sendall(data)

    def answer_handshake(self, status: int = 101) -> None:
        """Take the handshake, or refuse it."""
        (request,) = self.hear()
        assert isinstance(request, Request)
        accepted = self.protocol.accept(request)
        self.protocol.send_response(accepted if status == 101 else self.protocol.reject(status, "no"))
        self.flush()


@pytest.fixture
def ends() -> Iterator[tuple[WebSocketConnection, Server]]:
    """Connect a client, before its handshake, with a server."""
    listener = gevent_socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    ours = Socket()
    ours.connect(listener.getsockname())
    ours.settimeout(0)
    theirs, _ = listener.accept()
    listener.close()
    protocol = ClientProtocol(parse_uri("ws://localhost/room"))
    connection = WebSocketConnection(OpenSocket(ours, None), protocol)
    yield connection, Server(theirs)
    connection.close()
    theirs.close()


@pytest.fixture
def opened(ends: tuple[WebSocketConnection, Server]) -> tuple[WebSocketConnection, Server]:
    """Shake hands."""
    connection, server = ends
    answering = gevent.spawn(server.answer_handshake)
    connection.shake_hands({"Authorization": "Bearer t"})
    answering.get()
    return connection, server


def test_refusal_has_its_status(ends: tuple[WebSocketConnection, Server]) -> None:
    """A handshake that is answered with 403 says so."""
    connection, server = ends
    gevent.spawn(server.answer_handshake, 403)

    with pytest.raises(HandshakeRefused, match="status 403") as refused:
        connection.shake_hands({})
    assert refused.value.status == 403


@pytest.mark.parametrize("answer", [b"", b"SMTP ready\r\n\r\n", b"x" * 100_000 + b"\r\n\r\n"])
def test_what_is_no_handshake_is_told(ends: tuple[WebSocketConnection, Server], answer: bytes) -> None:
    """A server that closes or speaks something else has refused."""
    connection, server = ends

    def speak() -> None:
        server.sock.recv(65536)
        server.sock.sendall(answer)
        server.sock.close()

    gevent.spawn(speak)
    with pytest.raises(HandshakeRefused, match="its answer is none"):
        connection.shake_hands({})


def test_messages_are_whole_and_stamped_at_receipt(
    opened: tuple[WebSocketConnection, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces make one message; its stamp is of when it came, however late it is taken."""
    connection, server = opened
    server.protocol.send_text(b"one ", fin=False)
    server.protocol.send_continuation(b"whole", fin=True)
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    server.flush()
    with gevent.Timeout(SOON_S):
        while not connection._waiting:
            gevent.sleep(0.001)
    monkeypatch.setattr(time, "time", lambda: 2000.0)
    heard = connection.receive(SOON_S)

    assert isinstance(heard, Message)
    assert (heard.text, heard.received_s) == (b"one whole", 1000.0)
    assert connection.receive(0.01) is None


def test_what_is_sent_arrives(opened: tuple[WebSocketConnection, Server]) -> None:
    """A message arrives as it is."""
    connection, server = opened
    connection.send("Ω".encode())

    (frame,) = server.hear()

    assert getattr(frame, "data", None) == "Ω".encode()


def test_a_pong_gives_the_round_trip(opened: tuple[WebSocketConnection, Server]) -> None:
    """The pong of our ping comes back with both stamps; one that nobody asked for is not heard."""
    connection, server = opened
    server.protocol.send_pong(b"unasked")
    before_s = time.time()
    connection.ping()
    server.hear()
    server.flush()

    pong = connection.receive(SOON_S)

    assert isinstance(pong, Pong)
    assert before_s <= pong.sent_s <= pong.received_s <= time.time()
    assert connection.receive(0.01) is None


def test_a_close_loses_nothing_that_came_before(opened: tuple[WebSocketConnection, Server]) -> None:
    """First the messages, then the loss with the server's code."""
    connection, server = opened
    server.protocol.send_text(b"last")
    server.protocol.send_close(CloseCode.SERVICE_RESTART)
    server.flush()

    assert getattr(connection.receive(SOON_S), "text", None) == b"last"
    with pytest.raises(ConnectionLost, match="closed by the server with 1012"):
        connection.receive(SOON_S)
    assert not connection.is_open


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "without a word"), (b"\xff\xff\xff", "broke the protocol")]
)
def test_rude_ends_are_told(opened: tuple[WebSocketConnection, Server], data: bytes, reason: str) -> None:
    """A connection that just ends, and one with nonsense on it, is lost."""
    connection, server = opened
    if data:
        server.sock.sendall(data)
    else:
        server.sock.close()

    with pytest.raises(ConnectionLost, match=reason):
        connection.receive(SOON_S)


def test_goodbye_is_answered(opened: tuple[WebSocketConnection, Server]) -> None:
    """The goodbye waits for the server's."""
    connection, server = opened

    def answer() -> None:
        server.hear()
        server.flush()

    gevent.spawn(answer)
    connection.say_goodbye(SOON_S)

    assert not connection.is_open


def test_goodbye_without_an_answer_is_told(opened: tuple[WebSocketConnection, Server]) -> None:
    """A server that does not say goodbye is not waited for."""
    connection, _ = opened

    with pytest.raises(ConnectionLost, match="no answer to the goodbye"):
        connection.say_goodbye(0.02)


def test_who_takes_nothing_is_given_up(opened: tuple[WebSocketConnection, Server]) -> None:
    """Sending never waits: what the server does not take is kept, up to a limit."""
    connection, _ = opened
    for _ in range(200):
        connection.send(b"x" * (MAX_UNSENT_BYTES // 10))

    with pytest.raises(ConnectionLost, match="takes no messages"):
        connection.receive(SOON_S)


def test_more_than_the_socket_takes_arrives_later(opened: tuple[WebSocketConnection, Server]) -> None:
    """A message larger than the socket's buffers is sent by the event loop."""
    connection, server = opened
    total, received = 900_000, 0
    connection.send(b"x" * total)
    with gevent.Timeout(SOON_S):
        while received < total:
            received += len(server.sock.recv(65536))

    assert connection.is_open


def test_nobody_there_is_refused_and_silence_is_a_timeout() -> None:
    """Opening fails by name, and in time."""
    with gevent_socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = parse_url(f"http://127.0.0.1:{listener.getsockname()[1]}/room?x=1")
        with pytest.raises(ConnectionRefused):
            open_websocket(url, {}, default_ssl_context(insecure=False), SOON_S)
        listener.listen()
        with pytest.raises(ConnectTimeout):
            open_websocket(url, {}, default_ssl_context(insecure=False), 0.05)


def test_back_off_doubles_up_to_its_most() -> None:
    """After n failures the wait is half to all of 0.1·2^n s, and never over 5 s."""
    for failures in range(2000):
        most_s = min(0.1 * 2.0 ** min(failures, 50), BACK_OFF_MOST_S)

        assert most_s / 2 <= back_off_s(failures) <= most_s
