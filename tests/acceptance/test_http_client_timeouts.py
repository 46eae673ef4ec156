"""Nothing is waited for without end, and what took too long is named: connecting, silence, or all of it."""

from __future__ import annotations

import gevent

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from clients.http import LeanHttpUser
from clients.wire import errors
from tests.hostile_server import Ending, HostileServer, Turn, answer, unanswering_port, wait_until
from tests.visitor import Visitor

SHORT_S = 0.15
TEN_BYTES = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SILENCE: dict[str, Turn] = {
    "before the first byte": [Ending.HOLD],
    "in the status line": [b"HTTP/1.1 20", Ending.HOLD],
    "in the headers": [b"HTTP/1.1 200 OK\r\nX-A", Ending.HOLD],
    "after an interim answer": [b"HTTP/1.1 100 Continue\r\n\r\n", Ending.HOLD],
    "before the body": [TEN_BYTES, Ending.HOLD],
    "in the body": [TEN_BYTES + b"half", Ending.HOLD],
    "in a chunk": [CHUNKED + b"a\r\nhalf", Ending.HOLD],
    "in a body until the end": [b"HTTP/1.0 200 OK\r\n\r\nhalf", Ending.HOLD],
    "with the cable cut": [Ending.VANISH],
    "with the cable cut in the body": [TEN_BYTES + b"half", Ending.VANISH],
}
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@contextmanager
def takes(at_least_s: float, at_most_s: float = 2.0) -> Iterator[None]:
    """Assert how long the block takes; the upper bound leaves room for a busy machine."""
    started = time.perf_counter()
    yield
    assert at_least_s * 0.95 <= time.perf_counter() - started < at_most_s


def test_defaults() -> None:
    """Unless a user says otherwise it waits 5 s to connect 30 s in silence and 60 s in all."""
    assert (LeanHttpUser.connection_timeout, LeanHttpUser.network_timeout) == (5.0, 30.0)
    assert LeanHttpUser.total_timeout == 60.0


def test_connecting_takes_too_long() -> None:
    """A host that takes no packet is a connect timeout."""
    with unanswering_port(vanished=True) as port, takes(SHORT_S):
        visitor = Visitor(f"http://127.0.0.1:{port}", connection_timeout=SHORT_S)

        assert visitor.fault("GET", "/") is errors.ConnectTimeout


def test_half_open_connection() -> None:
    """A connection that only the kernel's backlog took is silent: a read timeout."""
    with unanswering_port(vanished=False) as port, takes(SHORT_S):
        visitor = Visitor(f"http://127.0.0.1:{port}", network_timeout=SHORT_S)

        assert visitor.fault("GET", "/") is errors.ReadTimeout


@pytest.mark.parametrize("where", SILENCE)
def test_silence(hostile: HostileServer, where: str) -> None:
    """Wherever the server falls silent, it is a read timeout; the next request gets a new connection."""
    visitor = Visitor(hostile.url, network_timeout=SHORT_S)
    with takes(SHORT_S):
        fault = visitor.fault("GET", hostile.script(SILENCE[where]))
    visitor.get(hostile.script([answer()]))

    assert fault is errors.ReadTimeout
    assert [event["exception"] is None for event in visitor.events] == [False, True]
    assert hostile.connections == 2


@pytest.mark.parametrize("what", DRIPS)
def test_drip(hostile: HostileServer, what: str) -> None:
    """A server that is never silent for long, but never done, runs into the limit for all of it."""
    start, drop = DRIPS[what]
    drops: Turn = [drop, 0.05] * 20
    path = hostile.script([start, *drops, Ending.HOLD])
    visitor = Visitor(hostile.url, network_timeout=5.0)
    with takes(3 * SHORT_S):
        assert visitor.fault("GET", path, timeout=3 * SHORT_S) is errors.TotalTimeout


def test_slow_but_steady_is_right(hostile: HostileServer) -> None:
    """A body that takes longer than the longest silence allowed, but is never that silent, arrives."""
    drops: Turn = [b"x", 0.05] * 10
    path = hostile.script([TEN_BYTES, *drops])
    visitor = Visitor(hostile.url, network_timeout=0.4)
    with takes(0.45):
        assert visitor.get(path).text == "x" * 10


def test_silence_counts_from_the_last_byte(hostile: HostileServer) -> None:
    """Time that an earlier request, or the user's thinking, took is not held against the next one."""
    slow = hostile.script([0.1, answer()])
    visitor = Visitor(hostile.url, network_timeout=0.25)
    replies = [visitor.get(slow) for _ in range(4)]

    assert [reply.text for reply in replies] == ["ok"] * 4
    assert hostile.connections == 1


def test_thinking_is_no_silence(hostile: HostileServer) -> None:
    """A connection that was idle for longer than the limits is as good as new."""
    path = hostile.script([answer()])
    visitor = Visitor(hostile.url, network_timeout=0.1)
    visitor.get(path, timeout=0.1)
    gevent.sleep(0.3)  # thinking is what is tested
    visitor.get(path, timeout=0.1)

    assert hostile.connections == 1


def test_total_timeout_covers_redirects(hostile: HostileServer) -> None:
    """The limit for all of it is one for the whole chain."""
    last = hostile.script([0.2, answer()])
    path = last
    for _ in range(5):
        path = hostile.script([0.2, answer(b"", "302 Found", Location=path)])
    with takes(0.5):
        assert Visitor(hostile.url).fault("GET", path, timeout=0.5) is errors.TotalTimeout


def test_late_answer_reaches_nobody(hostile: HostileServer) -> None:
    """What arrives after a timeout is not taken for the answer to the next request."""
    late = hostile.script([0.2, answer(b"late")])
    visitor = Visitor(hostile.url)

    assert visitor.fault("GET", late, timeout=0.1) is errors.TotalTimeout
    wait_until(lambda: hostile.open_connections == 0)
    assert visitor.get(hostile.script([0.05, answer(b"timely")])).text == "timely"


def test_server_reads_nothing() -> None:
    """A body that the server never takes is a timeout as well."""
    with closing(HostileServer(on_connect=[Ending.VANISH])) as server, takes(SHORT_S):
        visitor = Visitor(server.url, network_timeout=SHORT_S)

        assert visitor.fault("POST", "/", data=bytes(16 << 20)) is errors.ReadTimeout


def test_upload_without_end() -> None:
    """The limit for all of it holds while sending, too."""
    with closing(HostileServer(on_connect=[Ending.VANISH])) as server, takes(SHORT_S):
        visitor = Visitor(server.url)

        assert visitor.fault("POST", "/", data=bytes(16 << 20), timeout=SHORT_S) is errors.TotalTimeout


@pytest.mark.parametrize("timeout", [0, -1, "5", float("nan")])
def test_timeout_that_is_none(hostile: HostileServer, timeout: object) -> None:
    """A timeout that is no positive number is the caller's mistake, and nothing is sent."""
    with pytest.raises((ValueError, TypeError), match="timeout"):
        Visitor(hostile.url).get("/", timeout=timeout)

    assert hostile.requests == []
