"""WebSockets over TLS, against another implementation of them: who is trusted, and that all arrives."""

from __future__ import annotations

import gevent
from locust.env import Environment

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from plimsoll.http1.errors import CertificateInvalid, TlsFailed
from plimsoll.http1.url import parse_url
from plimsoll.users.websocket import WebSocketUser
from plimsoll.users.websocket_connection import (
    ConnectionLost,
    Message,
    Pong,
    WebSocketConnection,
    open_websocket,
)
from tests.certificates import Certificates

SOON_S = 60.0
BIG = b"x" * 700_000
"""Many records of TLS, and more than a socket takes at once."""
CLOSE = "close"

Serve = Callable[[str], str]


def echo(connection: ServerConnection) -> None:
    """Say what is said, until told to close."""
    for message in connection:
        if message == CLOSE:
            return
        connection.send(message)


@contextmanager
def serving(tls: ssl.SSLContext | None) -> Iterator[str]:
    """Serve on a free port of loopback and give the address."""
    with serve(echo, "127.0.0.1", 0, ssl=tls, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def serve_tls(certificates: Certificates) -> Iterator[Serve]:
    """Give a function that starts a server which shows the certificate of this name, and returns its URL."""
    with ExitStack() as running:
        yield lambda name: running.enter_context(serving(certificates.server_context(name)))


@pytest.fixture
def connection(serve_tls: Serve, certificates: Certificates) -> Iterator[WebSocketConnection]:
    """Open a WebSocket to a server whose certificate is good."""
    url = parse_url(f"{serve_tls('good')}/room?echo=true")
    opened = open_websocket(url, {"Authorization": "Bearer t"}, certificates.client_context(), SOON_S)
    yield opened
    opened.close()


def heard(connection: WebSocketConnection) -> bytes:
    """Wait for a message and return its text."""
    message = connection.receive(SOON_S)
    assert isinstance(message, Message)
    return message.text


def test_all_arrives_in_both_ways(connection: WebSocketConnection) -> None:
    """Small and big messages come back whole and in order, and a ping is answered."""
    for text in (b"one", BIG, b"two"):
        connection.send(text)
    answers = [heard(connection) for _ in range(3)]
    connection.ping()

    assert answers == [b"one", BIG, b"two"]
    assert isinstance(connection.receive(SOON_S), Pong)


def test_both_ends_may_close(connection: WebSocketConnection) -> None:
    """A server that closes is lost with its code."""
    connection.send(CLOSE.encode())

    with pytest.raises(ConnectionLost, match="closed by the server with 1000"):
        connection.receive(SOON_S)


def test_goodbye_is_answered(connection: WebSocketConnection) -> None:
    """The goodbye of the client comes to its end."""
    connection.say_goodbye(SOON_S)

    assert not connection.is_open


def test_what_is_no_tls_is_told(certificates: Certificates) -> None:
    """A server that speaks no TLS is a failed handshake."""
    with serving(None) as url, pytest.raises(TlsFailed):
        open_websocket(parse_url(f"{url}/room"), {}, certificates.client_context(), SOON_S)


def first_event(host: str, **attributes: Any) -> dict[str, Any]:
    """Open a WebSocket and return the first event that is reported of it."""
    environment, events = Environment(), list[dict[str, Any]]()
    add_listener: Any = environment.events.request.add_listener  # which Locust gives no type
    add_listener(lambda **event: events.append(event))
    user = type("Visitor", (WebSocketUser,), {"host": host, **attributes})(environment)
    websocket = user.connect("club", "/ws")
    with gevent.Timeout(SOON_S):
        while not events:
            gevent.sleep(0.005)
    first = events[0]
    websocket.close()
    return first


@pytest.mark.parametrize(
    ("name", "reason"), [("expired", "expired"), ("elsewhere", "mismatch"), ("self_signed", "self-signed")]
)
def test_a_bad_certificate_is_a_failed_connect(
    serve_tls: Serve, certificates: Certificates, name: str, reason: str
) -> None:
    """It is a named failure of the room's connect, and says why."""
    event = first_event(serve_tls(name), ssl_context_factory=certificates.client_context)

    assert (event["request_type"], event["name"]) == ("WS", "club.connect")
    assert isinstance(event["exception"], CertificateInvalid)
    assert reason in str(event["exception"])


@pytest.mark.parametrize("name", ["good", "expired", "elsewhere", "self_signed"])
def test_who_says_so_takes_any_certificate(serve_tls: Serve, name: str) -> None:
    """With `insecure` the connect succeeds and is timed with its TLS; by default nobody unknown is."""
    url, before_s = serve_tls(name), time.perf_counter()
    taken = first_event(url, insecure=True)

    assert (taken["name"], taken["exception"]) == ("club.connect", None)
    assert 0 < taken["response_time"] < (time.perf_counter() - before_s) * 1000
    assert isinstance(first_event(url)["exception"], CertificateInvalid)
