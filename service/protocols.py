"""Bounds on what one client sends: it neither fills the memory nor delays the others.

uvicorn's protocols with bounds, and a limit on request bodies.
"""

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024
SLICE_BYTES = 4096
"""Parsed in one turn of the event loop: about 700 of the smallest frames, or about 5 ms."""


class BoundedHttp(HttpToolsProtocol):
    """Refuses endless request lines and headers, and reads no further while pipelined requests wait."""

    _head_bytes = 0
    _is_head_open = False

    def data_received(self, data: bytes) -> None:
        """Parse what came; answer 400 once a request's line and headers are over MAX_HEAD_BYTES."""
        super().data_received(data)
        if not self._is_head_open:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"the request line and headers are over {MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        """Begin to count the bytes of a head."""
        super().on_message_begin()
        self._head_bytes, self._is_head_open = 0, True

    def on_headers_complete(self) -> None:
        """Stop counting: BodyLimit limits the length of bodies."""
        self._is_head_open = False
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Keep reading paused, which uvicorn ends with each answer, while requests wait for their turn."""
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()


class FairWebSockets(WebSocketsSansIOProtocol):
    """Gives other clients a turn between any two slices of a client's data, and any two messages."""

    _unread = b""

    def data_received(self, data: bytes) -> None:
        """Parse a slice now and one in each turn to come; read no further meanwhile."""
        is_parsing = bool(self._unread)
        self._unread += data
        if not is_parsing:
            self._parse_slice()
        if self._unread and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _parse_slice(self) -> None:
        parsed, self._unread = self._unread[:SLICE_BYTES], self._unread[SLICE_BYTES:]
        super().data_received(parsed)
        if self.transport.is_closing():
            self._unread = b""
        elif self._unread:
            self.loop.call_soon(self._parse_slice)
        elif self.read_paused and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        """Return the next message once all read bytes are parsed: more are read when the last is taken."""
        await asyncio.sleep(0)
        while self._unread:
            await asyncio.sleep(0)
        return await super().receive()

    def handle_ping(self) -> None:
        """Answer, unless the client leaves answers unread; RFC 6455 5.5.3 wants only the newest answered."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Any) -> None:
        """Leave out empty parts of a message: the limit of its length allows any number of them."""
        if event.data or event.fin:
            super().handle_cont(event)

    def keepalive_timeout(self) -> None:
        """Close the connection of a client that no longer reads; it may not even read that."""
        super().keepalive_timeout()
        self.loop.call_later(self.close_timeout, self.transport.abort)


class BodyLimit:
    """Refuses large bodies, their length announced or not; pure ASGI, as wrapped responses are slower."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise HTTPException 413 inside the application as soon as a body is over the limit."""
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        received_bytes = 0

        async def counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > MAX_BODY_BYTES:
                raise HTTPException(413, f"the body is over {MAX_BODY_BYTES} bytes")
            return message

        await self._app(scope, counted, send)
