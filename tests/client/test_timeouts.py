"""Nothing is waited for without end, and what took too long is named: connecting, silence, or all of it.

What depends on when bytes come is tested in virtual time, on one end of a pair of sockets.
"""

from __future__ import annotations

import gevent

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import pytest

from plimsoll.http1 import errors
from plimsoll.http1.connect import OpenSocket
from plimsoll.http1.connection import Connection
from tests.client.visitor import Visitor
from tests.scripted_server import Ending, ScriptedServer, answer, unanswering_port
from tests.virtual_time import Clock, virtual_time

READ_TIMEOUT_S = 30.0
SHORT_S = 0.05
TEN_BYTES = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BEFORE_SILENCE = {
    "before the first byte": b"",
    "in the status line": b"HTTP/1.1 20",
    "in the headers": b"HTTP/1.1 200 OK\r\nX-A",
    "after an interim response": b"HTTP/1.1 100 Continue\r\n\r\n",
    "before the body": TEN_BYTES,
    "in the body": TEN_BYTES + b"half",
    "in a chunk": CHUNKED + b"a\r\nhalf",
    "in a body until the end": b"HTTP/1.0 200 OK\r\n\r\nhalf",
}
DRIPS = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


class Line(NamedTuple):
    """A connection, the server's end of it, and the clock."""

    connection: Connection
    server: socket.socket
    clock: Clock

    def ask(
        self, *later: tuple[float, bytes], total_timeout_s: float = 1000.0, request: bytes = b"?"
    ) -> float:
        """Send a request, to which the server sends each bytes so much later; return how long it took."""
        started_s = self.clock.elapsed_s
        server = gevent.spawn(self._send, later)
        try:
            self.connection.exchange(request, False, time.perf_counter() + total_timeout_s)  # noqa: FBT003 - no HEAD
        finally:
            server.kill()
        return self.clock.elapsed_s - started_s

    def ends_with(self, failure: type[Exception], *later: tuple[float, bytes], **options: Any) -> float:
        """Send a request that must fail; return how long that took."""
        started_s = self.clock.elapsed_s
        with pytest.raises(failure):
            self.ask(*later, **options)
        assert not self.connection.is_open
        return self.clock.elapsed_s - started_s

    def _send(self, later: tuple[tuple[float, bytes], ...]) -> None:
        for after_s, data in later:
            gevent.sleep(after_s)
            self.server.send(data)


@pytest.fixture
def line() -> Iterator[Line]:
    """Give a connection in virtual time."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with theirs, virtual_time() as clock:
        connection = Connection(OpenSocket(ours, None), READ_TIMEOUT_S)
        yield Line(connection, theirs, clock)
        connection.close()


@pytest.mark.parametrize("where", BEFORE_SILENCE)
def test_silence(line: Line, where: str) -> None:
    """Wherever the server falls silent, it is a read timeout, counted from the last byte."""
    assert line.ends_with(errors.ReadTimeout, (10.0, BEFORE_SILENCE[where])) == (
        10 + READ_TIMEOUT_S if BEFORE_SILENCE[where] else READ_TIMEOUT_S
    )


@pytest.mark.parametrize("what", DRIPS)
def test_drip(line: Line, what: str) -> None:
    """A server that is never silent for long, but never done, runs into the limit for all of it."""
    start, drop = DRIPS[what]

    assert line.ends_with(errors.TotalTimeout, (0, start), *[(7.0, drop)] * 20, total_timeout_s=60) == 60


def test_slow_but_steady_is_right(line: Line) -> None:
    """A body that takes longer than the read timeout, but is never that silent, arrives."""
    assert line.ask((0, TEN_BYTES), *[(29.0, b"x")] * 10) == 290


def test_silence_counts_from_the_request(line: Line) -> None:
    """The time that an earlier request took, or the user's thinking, does not count against the next one."""
    assert [line.ask((29.0, answer())) for _ in range(3)] == [29] * 3
    gevent.sleep(500)
    assert line.ask((29.0, answer())) == 29
    assert line.ends_with(errors.ReadTimeout) == READ_TIMEOUT_S


def test_total_timeout_of_each_request(line: Line) -> None:
    """A shorter limit than that of the request before holds, and so does a longer one."""
    assert line.ask((2.0, answer()), total_timeout_s=3) == 2
    assert line.ask((20.0, answer()), total_timeout_s=25) == 20
    assert line.ends_with(errors.TotalTimeout, total_timeout_s=1) == 1


def test_busy_event_loop(line: Line) -> None:
    """A response that came in time is in time, also where a late event loop sees the timer before it."""

    def answer_and_be_busy() -> None:
        line.server.send(answer())
        line.clock.stand_still(100)
        gevent.get_hub().loop.run_callback(line.clock.fire_next_timer)  # before it looks at the socket

    gevent.spawn_later(5, answer_and_be_busy)

    assert line.ask(total_timeout_s=60) == 105


@pytest.mark.parametrize(
    ("total_timeout_s", "failure", "after_s"),
    [(1000.0, errors.ReadTimeout, READ_TIMEOUT_S), (20.0, errors.TotalTimeout, 20)],
)
def test_upload_that_is_not_read(
    line: Line, total_timeout_s: float, failure: type[Exception], after_s: float
) -> None:
    """Both limits hold while a request is sent that the server does not read."""
    body = bytes(16 << 20)

    assert line.ends_with(failure, total_timeout_s=total_timeout_s, request=body) == after_s


def test_upload_that_is_read_slowly(line: Line) -> None:
    """As long as the server reads on, and answers in the end, it is not silent."""

    def read_slowly() -> None:
        missing_bytes = 4 << 20
        while missing_bytes:
            gevent.sleep(20)
            missing_bytes -= len(line.server.recv(1 << 18))
        line.server.send(answer())

    gevent.spawn(read_slowly)

    assert line.ask(request=bytes(4 << 20), total_timeout_s=10_000) > 10 * READ_TIMEOUT_S


@contextmanager
def at_least(duration_s: float) -> Iterator[None]:
    """Assert that the block takes so long; how much longer is the machine's business."""
    started_s = time.perf_counter()
    yield
    assert time.perf_counter() - started_s >= duration_s


def test_connecting_takes_too_long() -> None:
    """A host that takes no packet is a connect timeout."""
    with unanswering_port(vanished=True) as port, at_least(SHORT_S):
        visitor = Visitor(f"http://127.0.0.1:{port}", connection_timeout=SHORT_S)

        assert visitor.fault("GET", "/") is errors.ConnectTimeout


@pytest.mark.parametrize("ending", [Ending.HOLD, Ending.VANISH])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_silent_server(ending: Ending, method: str) -> None:
    """A server that does not answer, or whose cable is cut, is a read timeout."""
    with closing(ScriptedServer(on_connect=[ending])) as server, at_least(SHORT_S):
        visitor = Visitor(server.url, network_timeout=SHORT_S)

        assert visitor.fault(method, "/", data=bytes(16 << 20)) is errors.ReadTimeout


def test_total_timeout_covers_redirects(server: ScriptedServer) -> None:
    """The limit for all of it is one for the whole chain."""
    path = server.script([Ending.HOLD])
    for _ in range(5):
        path = server.script([0.01, answer(b"", "302 Found", Location=path)])
    with at_least(0.2):
        assert Visitor(server.url).fault("GET", path, timeout=0.2) is errors.TotalTimeout


def test_total_timeout_of_the_user(server: ScriptedServer) -> None:
    """A user's limit holds where a request has none of its own."""
    visitor = Visitor(server.url, total_timeout=SHORT_S)
    with at_least(SHORT_S):
        assert visitor.fault("GET", server.script([Ending.HOLD])) is errors.TotalTimeout


def test_late_answer_reaches_nobody(server: ScriptedServer) -> None:
    """What arrives after a timeout is not taken for the response to the next request."""
    is_late = threading.Event()
    late = server.script([is_late, answer(b"late")])
    visitor = Visitor(server.url)

    assert visitor.fault("GET", late, timeout=SHORT_S) is errors.TotalTimeout
    is_late.set()
    assert visitor.get(server.script([answer(b"timely")])).text == "timely"
    assert server.connections == 2


@pytest.mark.parametrize("timeout", [0, -1, "5", math.nan])
def test_invalid_timeout(server: ScriptedServer, timeout: object) -> None:
    """A timeout that is not a number above 0 is the caller's mistake, and nothing is sent."""
    with pytest.raises(ValueError, match="timeout must be seconds above 0"):
        Visitor(server.url).get("/", timeout=timeout)

    assert server.requests == []
