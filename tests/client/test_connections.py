"""Requests and responses as they should be, over connections that are kept."""

from __future__ import annotations

import gevent

from collections.abc import Iterator
from contextlib import closing

import pytest

from plimsoll.http1 import errors, pool
from tests.client.visitor import Visitor, wait_in_loop
from tests.fix_http_servers import BIG_FILE_BYTES, Nginx
from tests.scripted_server import Ending, ScriptedServer, Turn, answer, wait_until

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODIES: dict[str, tuple[Turn, bytes]] = {
    "of a length": ([answer(b"body")], b"body"),
    "of no length": ([answer(b"")], b""),
    "in chunks": ([CHUNKED + b"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"], b"body"),
    "in no chunk": ([CHUNKED + b"0\r\n\r\n"], b""),
    "in chunks with extensions": ([CHUNKED + b'4;a="b;c"\r\nbody\r\n0;d\r\n\r\n'], b"body"),
    "in chunks with trailers": ([CHUNKED + b"4\r\nbody\r\n0\r\nX-A: b\r\n\r\n"], b"body"),
    "in chunks of zero-padded sizes": ([CHUNKED + b"0004\r\nbody\r\n000\r\n\r\n"], b"body"),
    "in single bytes": ([bytes([byte]) for byte in CHUNKED + b"4\r\nbody\r\n0\r\n\r\n"], b"body"),
    "in single bytes, slowly": (
        [step for byte in answer(b"body") for step in (bytes([byte]), 0.001)],
        b"body",
    ),
    "after 100 Continue": ([b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"body")], b"body"),
    "after 103 Early Hints, later": (
        [b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", 0.02, answer(b"body")],
        b"body",
    ),
    "after an empty reason": ([b"HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\nbody"], b"body"),
    "after no reason": ([b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nbody"], b"body"),
    "after empty lines": ([b"\r\n\r\n" + answer(b"body")], b"body"),
    "with an offer of another protocol": ([answer(b"body", Upgrade="h2c", Connection="Upgrade")], b"body"),
    "after headers in odd cases": ([b"HTTP/1.1 200 OK\r\ncONTENT-lENGTH:4\r\n\r\nbody"], b"body"),
    "to keep, of HTTP/1.0": (
        [b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody"],
        b"body",
    ),
}
ENDING_BODIES: dict[str, Turn] = {
    "of HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\nbo", 0.02, b"dy", Ending.CLOSE],
    "of HTTP/1.1": [b"HTTP/1.1 200 OK\r\n\r\nbody", Ending.CLOSE],
    "with Connection: close": [answer(b"body", Connection="close"), Ending.CLOSE],
    "of a length in HTTP/1.0": [b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", Ending.CLOSE],
}
WITHOUT_BODY = {
    "HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
    "HEAD in chunks": ("HEAD", CHUNKED),
    "HEAD of no length": ("HEAD", b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n"),
    "204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "304": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
    "204 to DELETE": ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
}


def test_connection_is_kept(nginx: Nginx) -> None:
    """Twenty requests, of whatever kind, come on one connection."""
    visitor = Visitor(nginx.url)
    paths = ["/ok", "/text.txt", "/no-content", "/missing"] * 5
    replies = [visitor.get(path) for path in paths]

    assert [reply.status_code for reply in replies] == [200, 200, 204, 404] * 5
    assert len({reply.headers["X-Connection"] for reply in replies}) == 1
    assert visitor.counter.reconnects == 0


@pytest.mark.parametrize("kind", BODIES)
def test_body(server: ScriptedServer, kind: str) -> None:
    """It arrives whole, and the connection is kept."""
    turn, body = BODIES[kind]
    path = server.script(turn)
    visitor = Visitor(server.url)

    assert [visitor.get(path).content for _ in range(2)] == [body, body]
    assert server.connections == 1
    assert [event["response_length"] for event in visitor.events] == [len(body)] * 2


@pytest.mark.parametrize("kind", ENDING_BODIES)
def test_body_that_ends_with_the_connection(server: ScriptedServer, kind: str) -> None:
    """It arrives whole; the next request opens a connection, and that is no reconnect after a loss."""
    path = server.script(ENDING_BODIES[kind])
    visitor = Visitor(server.url)

    assert [visitor.get(path).text for _ in range(2)] == ["body", "body"]
    assert server.connections == 2
    assert [event["exception"] for event in visitor.events] == [None, None]


@pytest.mark.parametrize("kind", WITHOUT_BODY)
def test_response_without_body(server: ScriptedServer, kind: str) -> None:
    """Whatever its headers say, no body is waited for, and the connection is kept."""
    method, head = WITHOUT_BODY[kind]
    path = server.script([head], [answer()])
    visitor = Visitor(server.url)
    replies = [visitor.ask(method, path), visitor.get(path)]

    assert [reply.text for reply in replies] == ["", "ok"]
    assert server.connections == 1


def test_body_where_none_may_be(server: ScriptedServer) -> None:
    """A body in the response to HEAD is junk behind it: it is dropped, and the connection closed."""
    path = server.script([answer(b"body")])
    visitor = Visitor(server.url)

    assert [visitor.ask("HEAD", path).content for _ in range(2)] == [b"", b""]
    assert server.connections == 2


def test_empty_lines_before_the_response(server: ScriptedServer) -> None:
    """They are skipped, and the headers are found behind them."""
    path = server.script([b"\r\n\r\n" + answer(X_A="b")])

    assert dict(Visitor(server.url).get(path).headers) == {"Content-Length": "2", "X-A": "b"}


def test_huge_body(nginx: Nginx) -> None:
    """32 MiB arrive, and the connection serves on."""
    visitor = Visitor(nginx.url)
    big = visitor.get("/big")

    assert len(big.content) == visitor.events[0]["response_length"] == BIG_FILE_BYTES
    assert visitor.get("/ok").headers["X-Connection"] == big.headers["X-Connection"]


def test_huge_upload(server: ScriptedServer) -> None:
    """A body that no socket buffer holds is sent whole."""
    body = bytes(range(256)) * (1 << 15)
    path = server.script([answer()])

    assert Visitor(server.url).ask("POST", path, data=body).status_code == 200
    assert server.seen(path)[0].body == body


def test_ipv6() -> None:
    """A host may be an IPv6 address, which the Host header gives in brackets."""
    with closing(ScriptedServer("::1")) as server:
        path = server.script([answer()])
        response = Visitor(server.url).get(path)

        assert response.text == "ok"
        assert server.seen(path)[0].header("Host") == f"[::1]:{server.port}"


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    """Run a second origin."""
    with closing(ScriptedServer()) as server:
        yield server


def test_absolute_url(server: ScriptedServer, other: ScriptedServer) -> None:
    """Each origin has a connection of its own, which is kept too."""
    here, there = server.script([answer(b"here")]), other.script([answer(b"there")])
    visitor = Visitor(server.url)
    texts = [visitor.get(url).text for url in (here, other.url + there) * 3]

    assert texts == ["here", "there"] * 3
    assert (server.connections, other.connections) == (1, 1)
    assert other.seen(there)[0].header("Host") == f"127.0.0.1:{other.port}"


@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.RESET])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_connection_closed_while_idle(server: ScriptedServer, method: str, ending: Ending) -> None:
    """The next request reopens a connection that the server ended meanwhile: counted, and no failure."""
    path = server.script([answer(), 0.02, ending], [answer(b"again")])
    visitor = Visitor(server.url)
    visitor.ask(method, path)
    wait_in_loop(lambda: server.open_connections == 0)
    gevent.sleep(0.001)  # the kernel has it by now; the loop needs a turn to see it

    assert visitor.ask(method, path).text == "again"
    assert [event["exception"] for event in visitor.events] == [None, None]
    assert (server.connections, visitor.counter.reconnects) == (2, 1)


def test_connection_closed_behind_a_busy_loop(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was idle for long is checked, as a busy event loop may not know that it is closed."""
    monkeypatch.setattr(pool, "_CHECK_AFTER_S", 0.0)
    path = server.script([answer(), Ending.CLOSE], [answer(b"again")])
    visitor = Visitor(server.url)
    visitor.get(path)
    wait_until(lambda: server.open_connections == 0)

    assert visitor.ask("POST", path).text == "again"
    assert (server.connections, visitor.counter.reconnects) == (2, 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_idempotent_request_on_a_stale_connection(server: ScriptedServer, method: str) -> None:
    """Sent just as the server closed, and without a byte of a response, it is sent once more."""
    path = server.script([answer()], [Ending.CLOSE], [answer()])
    visitor = Visitor(server.url)
    visitor.get(path)

    assert visitor.ask(method, path).status_code == 200
    assert [seen.method for seen in server.seen(path)] == ["GET", method, method]
    assert visitor.counter.reconnects == 1
    assert len(visitor.events) == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_other_request_on_a_stale_connection(server: ScriptedServer, method: str) -> None:
    """The server may have received it, so it is never sent twice: it failed."""
    path = server.script([answer()], [Ending.CLOSE], [answer()])
    visitor = Visitor(server.url)
    visitor.get(path)

    assert visitor.fault(method, path, data="order") is errors.ClosedEarly
    assert [seen.method for seen in server.seen(path)] == ["GET", method]


def test_retry_is_no_loop(server: ScriptedServer) -> None:
    """A server that closes on the second try as well has failed the request."""
    path = server.script([answer()], [Ending.CLOSE])
    visitor = Visitor(server.url)
    visitor.get(path)

    assert visitor.fault("GET", path) is errors.ClosedEarly
    assert len(server.seen(path)) == 3


def test_no_retry_on_a_fresh_connection(server: ScriptedServer) -> None:
    """A new connection cannot be stale: the server did close on this request."""
    path = server.script([Ending.CLOSE], [answer()])

    assert Visitor(server.url).fault("GET", path) is errors.ClosedEarly
    assert len(server.seen(path)) == 1


def test_no_retry_after_the_first_byte(server: ScriptedServer) -> None:
    """A server that began to answer had received the request."""
    path = server.script([answer()], [b"H", Ending.CLOSE], [answer()])
    visitor = Visitor(server.url)
    visitor.get(path)

    assert visitor.fault("GET", path) is errors.ClosedEarly
    assert len(server.seen(path)) == 2
