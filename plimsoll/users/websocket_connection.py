"""One WebSocket: the protocol of the package `websockets`, without its I/O, on a socket of the event loop.

The event loop stamps a message when it arrives, however long its user is busy. What
goes out never makes its sender wait: the event loop sends what the server does not take at once.
"""

from __future__ import annotations

import gevent
from gevent.event import Event

import ssl
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import WebSocketURI

from plimsoll.http1.connect import READ_BYTES, READABLE, WRITABLE, OpenSocket, open_socket
from plimsoll.http1.errors import ConnectTimeout, HttpFailure
from plimsoll.http1.url import Url

MAX_MESSAGE_BYTES = 1024 * 1024
MAX_UNSENT_BYTES = 1024 * 1024
MAX_WAITING = 10_000
NORMAL_CLOSURE = 1000


class HandshakeRefused(HttpFailure):
    """the server refused the WebSocket."""

    def __init__(self, status: int | None) -> None:
        super().__init__("its answer is none" if status is None else f"status {status}")
        self.status = status


class ConnectionLost(HttpFailure):
    """the connection was lost."""


class Message(NamedTuple):
    """A whole message, and when it was received, in s since the epoch."""

    text: bytes
    received_s: float


class Pong(NamedTuple):
    """The answer to a ping: when that was sent and this received, in s since the epoch."""

    sent_s: float
    received_s: float


class WebSocketConnection:
    """An open WebSocket, for one greenlet that receives and any number that send."""

    def __init__(self, opened: OpenSocket, protocol: ClientProtocol) -> None:
        self._socket, self._tls = opened
        self._protocol = protocol
        self._loop = gevent.get_hub().loop
        # Who does not receive loses the oldest, as he would in a queue of the server's.
        self._waiting: deque[Message | Pong] = deque(maxlen=MAX_WAITING)
        self._has_news = Event()
        self._pieces: list[bytes] = []
        self._pinged_s: float | None = None
        self._unsent = bytearray()
        self._writer: Any = None
        self._loss: str | None = None
        self._reader: Any = self._loop.io(self._socket.fileno(), READABLE)
        self._reader.start(self._on_readable)

    def shake_hands(self, headers: Mapping[str, str]) -> None:
        """Ask the server for a WebSocket; raises HandshakeRefused, ConnectionLost."""
        request = self._protocol.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()
        self._has_news.wait()
        if self._protocol.state is not OPEN:
            response = getattr(self._protocol.handshake_exc, "response", None)
            raise HandshakeRefused(response.status_code) if response else HandshakeRefused(None)

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._loss is None

    def send(self, text: bytes) -> None:
        """Send a message, unless the connection is lost, which `receive` raises."""
        if self.is_open:
            self._protocol.send_text(text)
            self._flush()

    def ping(self) -> None:
        """Send a ping, whose pong will be received."""
        if self.is_open:
            self._pinged_s = time.time()
            self._protocol.send_ping(repr(self._pinged_s).encode())
            self._flush()

    def receive(self, timeout_s: float) -> Message | Pong | None:
        """Return what came next, None if nothing did in time; raises ConnectionLost."""
        if not self._waiting:
            self._has_news.clear()
            if self.is_open:
                self._has_news.wait(max(0.0, timeout_s))
        if self._waiting:
            return self._waiting.popleft()
        if self._loss is not None:
            raise ConnectionLost(self._loss)
        return None

    def say_goodbye(self, timeout_s: float) -> None:
        """Close as the protocol has it; raises ConnectionLost where the server does not answer in time."""
        if self.is_open:
            self._protocol.send_close(NORMAL_CLOSURE)
            self._flush()
        deadline_s = time.monotonic() + timeout_s
        while self.is_open:
            self._has_news.clear()
            if not self._has_news.wait(deadline_s - time.monotonic()):
                self._lose("no answer to the goodbye")
        if self._protocol.close_rcvd is None:
            raise ConnectionLost(self._loss or "")

    def close(self) -> None:
        """Close the socket; idempotent."""
        self._lose("closed by us")

    def _lose(self, reason: str) -> None:
        if self._loss is not None:
            return
        self._loss = reason
        for watcher in (self._reader, self._writer):
            if watcher is not None:
                watcher.close()
        self._socket.close()
        self._has_news.set()

    def _on_readable(self) -> None:
        received_s = time.time()
        try:
            data = self._receive()
        except BlockingIOError:
            return
        except (OSError, HttpFailure):
            data = None
        if data is None:
            self._protocol.receive_eof()
        elif data:
            self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            self._on_event(event, received_s)
        self._flush()
        closed = self._protocol.close_rcvd
        if self._protocol.handshake_exc is not None:
            self._lose("no handshake")
        elif closed is not None:
            self._lose(f"closed by the server with {int(closed.code)}")
        elif self._protocol.parser_exc is not None and data is not None:
            self._lose("the server broke the protocol")
        elif data is None:
            self._lose("closed by the server without a word")

    def _receive(self) -> bytes | None:
        """Return what came, decrypted, which may be nothing yet; None at the end of the connection."""
        data: bytes = self._socket.recv(READ_BYTES)
        if self._tls is None or not data:
            return data or None
        return self._tls.decrypt(data) or (None if self._tls.is_closed else b"")

    def _on_event(self, event: Any, received_s: float) -> None:
        if not isinstance(event, Frame):  # the answer to the handshake
            self._has_news.set()
            return
        if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._pieces.append(bytes(event.data))
            if event.fin:
                self._take(Message(b"".join(self._pieces), received_s))
                self._pieces.clear()
        elif event.opcode is Opcode.PONG and bytes(event.data) == repr(self._pinged_s).encode():
            assert self._pinged_s is not None
            self._take(Pong(self._pinged_s, received_s))

    def _take(self, heard: Message | Pong) -> None:
        self._waiting.append(heard)
        self._has_news.set()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self._unsent += data if self._tls is None or not data else self._tls.encrypt(data)
        if self._writer is None and self.is_open:
            self._write()
        if len(self._unsent) > MAX_UNSENT_BYTES:
            self._lose("the server takes no messages")

    def _write(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            if self._writer is None:
                self._writer = self._loop.io(self._socket.fileno(), WRITABLE)
                self._writer.start(self._write)
            return
        except OSError:
            self._unsent.clear()  # the reader finds out why
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def open_websocket(
    url: Url, headers: Mapping[str, str], context: ssl.SSLContext, timeout_s: float
) -> WebSocketConnection:
    """Open a WebSocket at an http or https URL; raises ConnectFailed or HandshakeRefused."""
    origin = url.origin
    is_secure = origin.scheme == "https"
    deadline_s = time.perf_counter() + timeout_s
    opened = open_socket(origin, context if is_secure else None, timeout_s, deadline_s)
    path, _, query = url.target.partition("?")
    uri = WebSocketURI(is_secure, origin.host, origin.port, path, query)
    protocol = ClientProtocol(uri, max_size=MAX_MESSAGE_BYTES)
    connection = WebSocketConnection(opened, protocol)
    try:
        with gevent.Timeout(max(0.0, deadline_s - time.perf_counter()), ConnectTimeout()):
            connection.shake_hands(headers)
    except BaseException:
        connection.close()
        raise
    return connection
