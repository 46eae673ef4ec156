"""The bundled service's protocols: whatever a client sends, others have their turn and memory has bounds."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from service.protocols import MAX_HEAD_BYTES, SLICE_BYTES, BoundedHttp, FairWebSockets

PING = b"\x89\x80\0\0\0\0"
EMPTY_PART = b"\x00\x80\0\0\0\0"
MESSAGE = b"\x81\x82\0\0\0\0{}"


class Transport(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_read, self.is_closed = True, False

    def write(self, data: Any) -> None:
        """Keep what is written."""
        self.written += data

    def pause_reading(self) -> None:
        """Note that nothing more is read."""
        assert self.is_read
        self.is_read = False

    def resume_reading(self) -> None:
        """Note that more is read."""
        assert not self.is_read
        self.is_read = True

    def is_closing(self) -> bool:
        """Return whether the service has closed the connection."""
        return self.is_closed

    def close(self) -> None:
        """Note the end."""
        self.is_closed = True


class Room:
    """An application that accepts a WebSocket and takes its messages."""

    def __init__(self) -> None:
        self.messages = 0

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        """Count messages until the end."""
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            self.messages += 1


async def until(condition: Any) -> None:
    """Let others have their turns until the condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


async def opened(room: Room) -> tuple[FairWebSockets, Transport]:
    """Open a WebSocket."""
    config = Config(room, ws=FairWebSockets, ws_per_message_deflate=False, log_config=None)
    config.load()
    protocol, transport = FairWebSockets(config, ServerState(), {}), Transport()
    protocol.connection_made(transport)
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"))
    client.send_request(client.connect())
    for part in client.data_to_send():
        protocol.data_received(part)
    await until(lambda: b"101" in transport.written)
    transport.written = b""
    return protocol, transport


@pytest.mark.parametrize("frame", [MESSAGE, PING, EMPTY_PART])
def test_a_flood_leaves_others_their_turns(frame: bytes) -> None:
    """Between two turns of others at most one message is handled and one slice parsed; no more is read."""

    async def flood() -> None:
        room, parsed, turns = Room(), 0, [(0, 0)]
        protocol, transport = await opened(room)
        parse = protocol.conn.receive_data

        def counted(data: bytes | bytearray) -> None:
            nonlocal parsed
            parsed += len(data)
            parse(data)

        protocol.conn.receive_data = counted  # type: ignore[method-assign]
        start = b"\x01\x80\0\0\0\0" if frame == EMPTY_PART else b""
        flooded = start + frame * (10 * SLICE_BYTES // len(frame))
        protocol.data_received(flooded)
        assert not transport.is_read
        expected = flooded.count(MESSAGE)

        def note() -> bool:
            turns.append((parsed, room.messages))
            return (parsed, room.messages) == (len(flooded), expected)

        await until(note)
        await until(lambda: transport.is_read)
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(turns)]
        assert max(step[0] for step in steps) <= SLICE_BYTES
        assert max(step[1] for step in steps) <= 1
        assert len(protocol.frames) <= 1

    asyncio.run(flood())


def test_pings_of_a_client_that_does_not_read_are_not_answered() -> None:
    """Answers pile up nowhere: while the client reads none there is none, and then there is one again."""

    async def flood() -> None:
        protocol, transport = await opened(Room())
        protocol.pause_writing()
        protocol.data_received(PING * 100)
        assert transport.written == b""
        protocol.resume_writing()
        protocol.data_received(PING)
        assert transport.written == b"\x8a\x00"

    asyncio.run(flood())


def connected(application: Any) -> tuple[BoundedHttp, Transport]:
    """Open a connection to an application."""
    config = Config(application, http=BoundedHttp, log_config=None)
    config.load()
    protocol, transport = BoundedHttp(config, ServerState(), {}), Transport()
    protocol.connection_made(transport)
    return protocol, transport


async def answer_200(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer at once."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("start", "more"),
    [(b"GET /?", b"x"), (b"GET / HTTP/1.1\r\na: ", b"x"), (b"GET / HTTP/1.1\r\n", b"a: b\r\n")],
)
def test_an_endless_head_is_refused(start: bytes, more: bytes) -> None:
    """A request line or headers of over 64 KiB are answered with 400, and the connection is closed."""

    async def send_head() -> Transport:
        protocol, transport = connected(answer_200)
        for part in [start, *[more * (10_000 // len(more))] * 7]:
            assert not transport.is_closed
            protocol.data_received(part)
        return transport

    transport = asyncio.run(send_head())
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert transport.written.endswith(
        f"the request line and headers are over {MAX_HEAD_BYTES} bytes".encode()
    )
    assert transport.is_closed


def test_bodies_are_not_counted_as_heads() -> None:
    """A head below the limit is served whatever follows it, and so is the next one on its connection."""

    async def send_requests() -> Transport:
        protocol, transport = connected(answer_200)
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\na: " + b"x" * 60_000
        for answers in (1, 2):
            for part in [head, b"\r\n\r\n", *[b"x" * 10_000] * 20]:
                protocol.data_received(part)
            await until(lambda: transport.written.count(b"HTTP/1.1 200 ") == answers)  # noqa: B023 - awaited
        return transport

    assert not asyncio.run(send_requests()).is_closed


def test_pipelined_requests_hold_up_reading() -> None:
    """While requests wait for their turn, no more are read, also after one of them was answered."""

    async def send_requests() -> None:
        turn = asyncio.Semaphore(0)

        async def answer_in_turn(scope: Any, receive: Any, send: Any) -> None:
            await turn.acquire()
            await answer_200(scope, receive, send)

        protocol, transport = connected(answer_in_turn)
        protocol.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 4)
        assert not transport.is_read
        turn.release()
        await until(lambda: b"HTTP/1.1 200 " in transport.written)
        assert not transport.is_read
        for _ in range(3):
            turn.release()
        await until(lambda: transport.written.count(b"HTTP/1.1 200 ") == 4)
        assert transport.is_read

    asyncio.run(send_requests())
