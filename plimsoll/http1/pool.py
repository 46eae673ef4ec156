"""The connections of one client to one origin: as many as it has requests under way, up to a limit."""

from __future__ import annotations

import gevent
from gevent.event import Event

import time
from collections import deque
from collections.abc import Callable

from plimsoll.http1.connect import open_socket
from plimsoll.http1.connection import Connection, Reply
from plimsoll.http1.errors import ClosedEarly, TotalTimeout
from plimsoll.http1.settings import ClientSettings
from plimsoll.http1.url import Origin

# These may be sent again where the server may or may not have received them.
_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
# After so long the server may have closed a connection that a busy event loop still takes for open.
_CHECK_AFTER_S = 0.5


class Pool:
    """The connections of one client to one origin; *on_reconnect* is called for each one opened again."""

    __slots__ = ("_idle", "_in_use", "_is_closed", "_on_reconnect", "_origin", "_queue", "_settings")

    def __init__(self, origin: Origin, settings: ClientSettings, on_reconnect: Callable[[], None]) -> None:
        self._origin = origin
        self._settings = settings
        self._on_reconnect = on_reconnect
        self._idle: list[Connection] = []
        self._in_use = 0
        self._queue: deque[Event] | None = None  # few clients ever need one
        self._is_closed = False

    def exchange(self, method: str, request: bytes, deadline_s: float) -> Reply:
        """Send a request and return its response, waiting for a connection where all are in use.

        An idempotent request is sent once more where its connection proves to be closed already.
        *deadline_s* is a point in time of time.perf_counter. Raises HttpFailure.
        """
        if self._in_use >= self._settings.max_connections:
            self._wait_for_turn(deadline_s)
        self._in_use += 1
        try:
            connection = self._take_idle()
            may_be_stale = connection is not None
            while True:
                if connection is None:
                    settings = self._settings
                    context = settings.ssl_context if self._origin.scheme == "https" else None
                    opened = open_socket(self._origin, context, settings.connect_timeout_s, deadline_s)
                    connection = Connection(opened, settings.read_timeout_s)
                try:
                    reply = connection.exchange(request, method == "HEAD", deadline_s)
                except ClosedEarly:
                    if not may_be_stale or connection.has_answered or method not in _IDEMPOTENT_METHODS:
                        raise
                    connection, may_be_stale = None, False
                    self._on_reconnect()
                    continue
                if self._is_closed:
                    connection.close()
                elif connection.is_open:
                    self._idle.append(connection)
                return reply
        finally:
            self._in_use -= 1
            if self._queue:
                self._queue.popleft().set()

    def close(self) -> None:
        """Close the idle connections, and those in use as soon as they are idle."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and time.perf_counter() - connection.active_s > _CHECK_AFTER_S:
                connection.check_closed()
            if connection.is_open:
                return connection
            self._on_reconnect()
        return None

    def _wait_for_turn(self, deadline_s: float) -> None:
        """Wait until a request that is under way has ended; raises TotalTimeout at the deadline."""
        if self._queue is None:
            self._queue = deque()
        while self._in_use >= self._settings.max_connections:
            turn = Event()
            self._queue.append(turn)
            try:
                with gevent.Timeout(max(0.0, deadline_s - time.perf_counter()), TotalTimeout()):
                    turn.wait()
            except BaseException:
                if not turn.is_set():
                    self._queue.remove(turn)
                elif self._queue:  # called at the last moment: the next one takes the turn
                    self._queue.popleft().set()
                raise
