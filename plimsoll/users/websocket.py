"""Users with WebSockets that are opened again when they are lost, where all of that is counted.

A WebSocket named `news` has requests of type WS: `news.connect`, each attempt; `news.lost`, a failure for
each connection that ended by itself; `news.reconnect`, from there until one was open again; `news.ping`, a
round trip; `news.close`, the closing handshake at the end; `news.drop`, a failure for each message that its
listener finds missing. What is asked over it has a name of its own, and so have messages with a listener.
"""

from __future__ import annotations

import gevent
from gevent import Greenlet
from gevent.event import AsyncResult, Event
from locust.env import Environment
from locust.exception import RescheduleTask

import math
import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import NamedTuple, Protocol, TypeVar

from plimsoll.context import give_context
from plimsoll.http1.connect import default_ssl_context
from plimsoll.http1.errors import HttpFailure
from plimsoll.http1.url import parse_url
from plimsoll.users.answers import MAX_REASON_CHARS, WrongAnswerError, reason_of
from plimsoll.users.api import ApiUser
from plimsoll.users.websocket_connection import (
    ConnectionLost,
    HandshakeRefused,
    Message,
    WebSocketConnection,
    open_websocket,
)

T = TypeVar("T")

REQUEST_TYPE = "WS"
EVENTS = ("close", "connect", "drop", "lost", "ping", "reconnect")
BACK_OFF_LEAST_S = 0.1
BACK_OFF_MOST_S = 5.0
PING_INTERVAL_S = 10.0
PONG_LIMIT_S = 5.0
GOODBYE_LIMIT_S = 1.0
_UNAUTHORIZED = 401
_DROPPED = WrongAnswerError("a message was dropped on an open connection")
_MISSED = WrongAnswerError("a message was missed while the connection was lost")


def websocket_request_names(name: str) -> set[str]:
    """Return the names of all requests that a WebSocket of this name makes by itself."""
    return {f"{name}.{event}" for event in EVENTS}


def back_off_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row: 0.1·2^n s, 5 s at most, less up to a half."""
    most_s = min(BACK_OFF_LEAST_S * 2.0 ** min(failures, 10), BACK_OFF_MOST_S)
    return most_s * random.uniform(0.5, 1)


class Delivery(NamedTuple):
    """When a message was sent, in s since the epoch, and how many before it never came."""

    sent_s: float
    missing: int = 0


class MessageListener(Protocol):
    """What measures the messages that one WebSocket receives unasked, from server to client."""

    name: str
    """The request name of its messages."""

    def hear(self, text: bytes, received_s: float) -> Delivery | None:
        """Read a message that was received at *received_s* since the epoch; None where it does not count.

        Raises WrongAnswerError for a wrong one.
        """


class WebSocketUser(ApiUser):
    """A user who has WebSockets to its host while it runs, with its `auth_headers`."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.websockets: list[WebSocket] = []

    def connect(self, name: str, path: str, listener: MessageListener | None = None) -> WebSocket:
        """Begin to open a WebSocket, which is kept open until it is closed or the user stops."""
        websocket = WebSocket(self, name, path, listener)
        self.websockets.append(websocket)
        return websocket

    def on_stop(self) -> None:
        """Close all WebSockets."""
        for websocket in self.websockets:
            websocket.close()


class WebSocket:
    """A user's WebSocket, in a greenlet of its own that receives, and connects again after a loss."""

    def __init__(self, user: WebSocketUser, name: str, path: str, listener: MessageListener | None) -> None:
        self._user, self._name, self._listener = user, name, listener
        self._url = parse_url(f"{str(user.host).rstrip('/')}{path}")
        self._connection: WebSocketConnection | None = None
        self._has_opened = Event()
        self._reply: AsyncResult[bytes] | None = None
        self._was_lost = False
        self._greenlet = Greenlet.spawn(self.run)
        give_context(user, self._greenlet)  # of its own: it outlives the task that opens it

    @property
    def is_open(self) -> bool:
        """Whether a message can be sent now."""
        return self._connection is not None and self._connection.is_open

    def wait_until_open(self, timeout_s: float) -> None:
        """Wait for a connection; raises RescheduleTask where none comes. The failed connects say why."""
        if not self.is_open and not self._has_opened.wait(timeout_s):
            raise RescheduleTask

    def send(self, text: bytes) -> None:
        """Send a message, which never waits; while the connection is lost, nothing is sent."""
        if self._connection is not None:
            self._connection.send(text)

    def ask(self, name: str, text: bytes, read: Callable[[bytes], T], timeout_s: float = 10.0) -> T:
        """Send a message under a declared name, and return what `read` makes of the next that comes.

        For one greenlet at a time, and a WebSocket without a listener.

        Raises RescheduleTask after a wrong answer or none, ValueError for a name that is not declared.
        """
        if name not in self._user.request_names:
            raise ValueError(f"request name {name!r} is not among {type(self._user).__name__}.request_names")
        tracker = type(self._user).request_tracker
        answer, started_s = b"", time.time()
        with tracker(REQUEST_TYPE, name) if tracker else nullcontext():
            try:
                answer = self._exchange(text, timeout_s)
                value = read(answer)
            except Exception as fault:  # noqa: BLE001 - whatever a server's text makes a check raise is a failure
                reason = str(fault) if isinstance(fault, HttpFailure) else reason_of(fault)
                failure = WrongAnswerError(self._user.failure_text(name, reason)[:MAX_REASON_CHARS])
            else:
                self._report(name, started_s, time.time(), len(answer))
                return value
        self._report(name, started_s, time.time(), len(answer), failure)
        raise RescheduleTask

    def _exchange(self, text: bytes, timeout_s: float) -> bytes:
        if not self.is_open:
            raise ConnectionLost("there is none to send on")
        reply: AsyncResult[bytes] = AsyncResult()
        self._reply = reply
        try:
            self.send(text)
            reply.wait(timeout_s)
        finally:
            self._reply = None
        if not reply.ready():
            raise WrongAnswerError(f"no answer within {timeout_s:g} s")
        answer: bytes = reply.get()
        return answer

    def close(self) -> None:
        """Close the connection by the protocol's handshake, for good."""
        self._greenlet.kill()
        connection = self._connection
        if connection is None:
            return
        try:
            with self._reported("close"):
                connection.say_goodbye(GOODBYE_LIMIT_S)
        except HttpFailure:  # reported
            pass
        finally:
            connection.close()

    def run(self) -> None:
        """Connect, receive, and connect again after each loss, for as long as the user is there."""
        lost_s: float | None = None
        failures = 0
        while True:
            connection = self._connection = self._try_to_connect()
            if connection is not None:
                opened_s = time.time()
                self._has_opened.set()
                if lost_s is not None:
                    self._report_event("reconnect", lost_s, opened_s)
                loss = self._receive(connection)
                self._has_opened.clear()
                if self._reply is not None:
                    self._reply.set_exception(loss)
                self._report_event("lost", exception=loss)
                lost_s, self._was_lost = time.time(), True
                failures = 0 if lost_s - opened_s > BACK_OFF_MOST_S else failures
            gevent.sleep(back_off_s(failures))
            failures += 1

    def _try_to_connect(self) -> WebSocketConnection | None:
        user = self._user
        try:
            headers = user.auth_headers()
            with self._reported("connect"):
                return open_websocket(self._url, headers, _tls_settings(type(user)), user.connection_timeout)
        except HandshakeRefused as refusal:
            if refusal.status == _UNAUTHORIZED and headers:
                user.on_unauthorized()
        except (HttpFailure, RescheduleTask):  # both have been reported
            pass
        return None

    def _receive(self, connection: WebSocketConnection) -> ConnectionLost:
        """Take what comes, and ask from time to time whether the server is there; return why that ended."""
        pong_missing_s, next_ping_s = math.inf, time.time() + PING_INTERVAL_S
        while True:
            try:
                heard = connection.receive(min(next_ping_s, pong_missing_s) - time.time())
            except ConnectionLost as loss:
                return loss
            now_s = time.time()
            if isinstance(heard, Message):
                self._hear(heard)
            elif heard is not None:
                self._report_event("ping", heard.sent_s, heard.received_s)
                pong_missing_s = math.inf
            elif now_s >= pong_missing_s:
                connection.close()
                return ConnectionLost("no answer to a ping")
            if now_s >= next_ping_s:
                connection.ping()
                pong_missing_s, next_ping_s = now_s + PONG_LIMIT_S, now_s + PING_INTERVAL_S

    def _hear(self, message: Message) -> None:
        if self._listener is None:
            if self._reply is not None:
                self._reply.set(message.text)
            return
        name = self._listener.name
        try:
            delivery = self._listener.hear(message.text, message.received_s)
        except WrongAnswerError as fault:
            self._report(name, message.received_s, None, len(message.text), fault)
            return
        if delivery is None:
            return
        for _ in range(delivery.missing):
            self._report_event("drop", exception=_MISSED if self._was_lost else _DROPPED)
        self._was_lost = False
        self._report(name, delivery.sent_s, message.received_s, len(message.text))

    @contextmanager
    def _reported(self, event: str) -> Iterator[None]:
        """Report what the with-block does as one request."""
        tracker = type(self._user).request_tracker
        started_s = time.time()
        try:
            with tracker(REQUEST_TYPE, f"{self._name}.{event}") if tracker else nullcontext():
                yield
        except HttpFailure as failure:
            self._report_event(event, started_s, time.time(), failure.with_traceback(None))
            raise
        self._report_event(event, started_s, time.time())

    def _report_event(
        self,
        event: str,
        started_s: float | None = None,
        ended_s: float | None = None,
        exception: Exception | None = None,
    ) -> None:
        self._report(f"{self._name}.{event}", started_s or time.time(), ended_s, exception=exception)

    def _report(
        self,
        name: str,
        started_s: float,
        ended_s: float | None,
        size_bytes: int = 0,
        exception: Exception | None = None,
    ) -> None:
        duration_ms = None if ended_s is None else (ended_s - started_s) * 1000
        self._user.report_request(REQUEST_TYPE, name, duration_ms, started_s, size_bytes, exception)


@cache
def _tls_settings(user_class: type[WebSocketUser]) -> ssl.SSLContext:
    factory = user_class.ssl_context_factory
    return factory() if factory else default_ssl_context(insecure=user_class.insecure)
