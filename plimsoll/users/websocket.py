"""Users who are in rooms: WebSockets that are opened again when they are lost, where all is counted.

A room named `classroom` has requests of type WS: `classroom.connect`, each attempt; `classroom.lost`, a
failure for each connection that ended by itself; `classroom.reconnect`, from there until one was open again;
`classroom.ping`, a round trip; `classroom.close`, the goodbye at the end. A message is named by its kind, and
its response time is the one way from the sender's stamp to its receipt; each one that is missing among the
numbers of its sender is a failure `classroom.drop`.
"""

from __future__ import annotations

import gevent
from gevent import Greenlet
from locust.env import Environment
from locust.exception import RescheduleTask

import math
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

from plimsoll.http1.connect import default_ssl_context
from plimsoll.http1.errors import HttpFailure
from plimsoll.http1.url import parse_url
from plimsoll.users.answers import WrongAnswerError
from plimsoll.users.api import MemberUser
from plimsoll.users.stamps import Listener
from plimsoll.users.websocket_connection import (
    ConnectionLost,
    HandshakeRefused,
    Message,
    WebSocketConnection,
    open_websocket,
)

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


def event_names(room: str) -> set[str]:
    """Return the names of all requests that a room makes besides its messages."""
    return {f"{room}.{event}" for event in EVENTS}


def back_off_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row: 0.1·2^n s, 5 s at most, less up to a half."""
    most_s = min(BACK_OFF_LEAST_S * 2.0 ** min(failures, 10), BACK_OFF_MOST_S)
    return most_s * random.uniform(0.5, 1)


class RoomUser(MemberUser):
    """A user who is in rooms while it runs, with its token."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.rooms: list[Room] = []

    def enter(self, name: str, path: str, kind: str) -> Room:
        """Enter a room, which takes a while and goes on by itself; *kind* is that of the messages to hear."""
        room = Room(self, name, path, kind)
        self.rooms.append(room)
        return room

    def on_stop(self) -> None:
        """Leave all rooms."""
        for room in self.rooms:
            room.leave()


class Room:
    """A user's place in a room, in a greenlet of its own that listens and comes back after a loss."""

    def __init__(self, user: RoomUser, name: str, path: str, kind: str) -> None:
        self._user, self._name, self._kind = user, name, kind
        self._url = parse_url(f"{str(user.host).rstrip('/')}{path}")
        self._listener = Listener(kind)
        self._connection: WebSocketConnection | None = None
        self._is_token_refused = False
        self._was_away = False
        # The first argument of the greenlet says whose requests these are, as in Locust's own greenlets.
        self._greenlet = Greenlet.spawn(_stay, user, self)

    @property
    def is_open(self) -> bool:
        """Whether a message can be sent now."""
        return self._connection is not None and self._connection.is_open

    def say(self, text: bytes) -> None:
        """Send a message, which never waits; while the connection is lost, nothing is sent."""
        if self._connection is not None:
            self._connection.send(text)

    def leave(self) -> None:
        """Close the connection as the protocol has it, and stay away."""
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

    def stay(self) -> None:
        """Connect, listen, and come back after each loss, for as long as the user is there."""
        lost_s: float | None = None
        failures = 0
        while True:
            connection = self._connection = self._try_to_connect()
            if connection is not None:
                opened_s = time.time()
                if lost_s is not None:
                    self._report("reconnect", lost_s, opened_s)
                self._report("lost", exception=self._listen(connection))
                lost_s, self._was_away = time.time(), True
                failures = 0 if lost_s - opened_s > BACK_OFF_MOST_S else failures
            gevent.sleep(back_off_s(failures))
            failures += 1

    def _try_to_connect(self) -> WebSocketConnection | None:
        try:
            headers = {"Authorization": f"Bearer {self._token()}"}
            with self._reported("connect"):
                return open_websocket(
                    self._url, headers, _tls_settings(type(self._user)), self._user.connection_timeout
                )
        except HandshakeRefused as refusal:
            self._is_token_refused = refusal.status == _UNAUTHORIZED
        except (HttpFailure, RescheduleTask):  # both have been reported
            pass
        return None

    def _token(self) -> str:
        if not self._is_token_refused:
            return self._user.account().token
        self._is_token_refused = False
        return self._user.sign_in(self._user.credentials).token

    def _listen(self, connection: WebSocketConnection) -> ConnectionLost:
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
                self._report("ping", heard.sent_s, heard.received_s)
                pong_missing_s = math.inf
            elif now_s >= pong_missing_s:
                connection.close()
                return ConnectionLost("no answer to a ping")
            if now_s >= next_ping_s:
                connection.ping()
                pong_missing_s, next_ping_s = now_s + PONG_LIMIT_S, now_s + PING_INTERVAL_S

    def _hear(self, message: Message) -> None:
        try:
            heard = self._listener.hear(message.text, message.received_s)
        except WrongAnswerError as fault:
            self._fire(self._kind, None, message.received_s, len(message.text), fault)
            return
        if heard is None:
            return
        for _ in range(heard.missing):
            self._report("drop", exception=_MISSED if self._was_away else _DROPPED)
        self._was_away = False
        latency_s = message.received_s - heard.sent_s
        self._fire(self._kind, latency_s, heard.sent_s, len(message.text), None)

    @contextmanager
    def _reported(self, event: str) -> Iterator[None]:
        """Report what the with-block does as one request."""
        tracker = type(self._user).request_tracker
        started_s = time.time()
        try:
            with tracker(REQUEST_TYPE, f"{self._name}.{event}") if tracker else nullcontext():
                yield
        except HttpFailure as failure:
            self._report(event, started_s, time.time(), failure.with_traceback(None))
            raise
        self._report(event, started_s, time.time())

    def _report(
        self,
        event: str,
        started_s: float | None = None,
        ended_s: float | None = None,
        exception: Exception | None = None,
    ) -> None:
        duration_s = None if started_s is None or ended_s is None else ended_s - started_s
        self._fire(f"{self._name}.{event}", duration_s, started_s or time.time(), 0, exception)

    def _fire(
        self, name: str, duration_s: float | None, started_s: float, size_bytes: int, fault: Exception | None
    ) -> None:
        self._user.environment.events.request.fire(
            request_type=REQUEST_TYPE,
            name=name,
            response_time=None if duration_s is None else duration_s * 1000,
            response_length=size_bytes,
            exception=fault,
            context={},
            start_time=started_s,
        )


def _stay(_user: RoomUser, room: Room) -> None:
    room.stay()


@cache
def _tls_settings(user_class: type[RoomUser]) -> ssl.SSLContext:
    factory = user_class.ssl_context_factory
    return factory() if factory else default_ssl_context(insecure=user_class.insecure)
