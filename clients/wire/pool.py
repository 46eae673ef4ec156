"""The connections of one user: to each origin as many as it has requests under way, up to a limit."""

from __future__ import annotations

import gevent
from gevent.event import Event

import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from clients.wire.connection import Connection, Reply
from clients.wire.dialling import dial
from clients.wire.errors import ClosedEarly, TotalTimeout
from clients.wire.phases import Phases
from clients.wire.url import Origin

_clock = time.perf_counter
# These may be sent again where nothing tells whether the server has got them.
_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
# After so long the server may have closed a connection without the event loop, if busy, having noticed.
_LOOK_AFTER_IDLE_S = 0.5


class Limits(NamedTuple):
    """What all connections of a user class share: limits of time and number, and the TLS settings."""

    connect_timeout_s: float
    silence_s: float
    most_per_origin: int
    context: ssl.SSLContext


class Pool:
    """The connections of one user to whatever origins; each reconnect is told as it happens."""

    __slots__ = ("_limits", "_on_reconnect", "_origins", "_past_reconnects")

    def __init__(self, limits: Limits, on_reconnect: Callable[[], None]) -> None:
        self._limits = limits
        self._on_reconnect = on_reconnect
        self._origins: dict[Origin, OriginPool] = {}
        self._past_reconnects = 0

    def to(self, origin: Origin) -> OriginPool:
        """Return the connections to one origin."""
        connections = self._origins.get(origin)
        if connections is None:
            connections = self._origins[origin] = OriginPool(origin, self._limits, self._on_reconnect)
        return connections

    @property
    def reconnects(self) -> int:
        """How many connections the server closed while they were idle, which then were opened again."""
        return self._past_reconnects + sum(connections.reconnects for connections in self._origins.values())

    def close(self) -> None:
        """Close all connections: those of requests under way when their answers have come."""
        self._past_reconnects = self.reconnects
        for connections in self._origins.values():
            connections.close()
        self._origins.clear()


class OriginPool:
    """The connections of one user to one origin."""

    __slots__ = (
        "_idle",
        "_in_use",
        "_is_closed",
        "_limits",
        "_on_reconnect",
        "_origin",
        "_queue",
        "reconnects",
    )

    def __init__(self, origin: Origin, limits: Limits, on_reconnect: Callable[[], None]) -> None:
        self._origin = origin
        self._limits = limits
        self._on_reconnect = on_reconnect
        self._idle: list[Connection] = []
        self._in_use = 0
        self._queue: deque[Event] | None = None  # few users ever need one
        self._is_closed = False
        self.reconnects = 0

    def exchange(self, method: str, request: bytes, deadline_s: float, phases: Phases | None = None) -> Reply:
        """Send a request and return its answer; once more where the connection proves to be closed already.

        *deadline_s* is a point in time of time.perf_counter. Raises HttpFailure.
        """
        if self._in_use >= self._limits.most_per_origin:
            self._wait_for_turn(deadline_s)
        self._in_use += 1
        try:
            connection = self._idle_connection()
            if connection is not None:
                try:
                    return self._exchange_on(connection, method, request, deadline_s, phases)
                except ClosedEarly:
                    if connection.has_answered or method not in _IDEMPOTENT_METHODS:
                        raise
                    self._count_reconnect()
            connection = self._dial(deadline_s, phases)
            return self._exchange_on(connection, method, request, deadline_s, phases)
        finally:
            self._in_use -= 1
            if self._queue:
                self._queue.popleft().set()

    def close(self) -> None:
        """Close the idle connections, and those in use as soon as they are idle."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def _exchange_on(
        self, connection: Connection, method: str, request: bytes, deadline_s: float, phases: Phases | None
    ) -> Reply:
        started_s = 0.0 if phases is None else _clock()
        reply = connection.exchange(request, without_body=method == "HEAD", deadline_s=deadline_s)
        ended_s = connection.idle_since_s = _clock()
        if phases is not None:
            phases.add_exchange(started_s, connection.sent_s, connection.first_byte_s or ended_s, ended_s)
        if self._is_closed:
            connection.close()
        elif connection.is_open:
            self._idle.append(connection)
        return reply

    def _idle_connection(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and _clock() - connection.idle_since_s > _LOOK_AFTER_IDLE_S:
                connection.look()
            if connection.is_open:
                return connection
            self._count_reconnect()
        return None

    def _count_reconnect(self) -> None:
        self.reconnects += 1
        self._on_reconnect()

    def _dial(self, deadline_s: float, phases: Phases | None) -> Connection:
        context = self._limits.context if self._origin.scheme == "https" else None
        dialled = dial(self._origin, context, self._limits.connect_timeout_s, deadline_s)
        if phases is not None:
            phases.add_opening(dialled.dns_s, dialled.connect_s, dialled.tls_s)
        return Connection(dialled.socket, dialled.tls, self._limits.silence_s)

    def _wait_for_turn(self, deadline_s: float) -> None:
        """Wait until a request that is under way has ended; raises TotalTimeout at the deadline."""
        if self._queue is None:
            self._queue = deque()
        while self._in_use >= self._limits.most_per_origin:
            turn = Event()
            self._queue.append(turn)
            try:
                with gevent.Timeout(max(0.0, deadline_s - _clock()), TotalTimeout()):
                    turn.wait()
            except BaseException:
                self._give_up(turn, self._queue)
                raise

    def _give_up(self, turn: Event, queue: deque[Event]) -> None:
        if not turn.is_set():
            queue.remove(turn)
        elif queue:  # called at the last moment: the next one takes the turn
            queue.popleft().set()
