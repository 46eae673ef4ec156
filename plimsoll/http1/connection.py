"""One connection: a request goes out, its response comes in, and its greenlet is woken when that is complete.

The event loop watches the socket from its first to its last moment, as starting and stopping to watch would
cost a system call each; so a connection which the server closes while it is idle is known as closed at once.
The event loop parses incoming data. All timeouts share one timer. A request does not restart it: when
it fires, it checks the limits of the present request and sets itself again.
"""

from __future__ import annotations

from gevent import get_hub, getcurrent

import math
import time
from typing import Any

from plimsoll.http1.connect import READ_BYTES, READABLE, WRITABLE, OpenSocket
from plimsoll.http1.errors import HttpFailure, ReadTimeout, TotalTimeout
from plimsoll.http1.parser import ResponseParser

_NOTHING = memoryview(b"")

# Status, head and body as they came. A plain tuple, because each request makes one, and a NamedTuple
# is made by a function in Python.
Reply = tuple[int, bytes, bytes]


class Connection:
    """An open connection to one origin, for one request at a time.

    `active_s` is when bytes last went out or came in short of a whole response; points in time are those of
    time.perf_counter.
    """

    __slots__ = (
        "_deadline_s",
        "_failure",
        "_hub",
        "_parser",
        "_read_timeout_s",
        "_reader",
        "_socket",
        "_timer",
        "_timer_due_s",
        "_tls",
        "_unsent",
        "_waiting",
        "_writer",
        "active_s",
        "is_open",
    )

    def __init__(self, opened: OpenSocket, read_timeout_s: float) -> None:
        self._socket, self._tls = opened
        self._read_timeout_s = read_timeout_s
        self._hub = get_hub()
        self._parser = ResponseParser()
        self._waiting: Any = None
        self._failure: HttpFailure | None = None
        self._unsent = _NOTHING
        self._writer: Any = None
        self._timer: Any = None
        self._timer_due_s = math.inf
        self.active_s = time.perf_counter()
        self.is_open = True
        self._reader = self._hub.loop.io(self._socket.fileno(), READABLE)
        self._reader.start(self._on_readable)

    @property
    def has_answered(self) -> bool:
        """Whether any byte of a response to the last request has come."""
        return bool(self._parser.raw_head)

    def exchange(self, request: bytes, without_body: bool, deadline_s: float) -> Reply:
        """Send a request and return its response; afterwards the connection is idle or closed.

        Raises ReadTimeout after the read timeout without a byte, TotalTimeout at *deadline_s*, or what is
        wrong with the response.
        """
        parser = self._parser
        parser.expect(without_body)
        self._deadline_s = deadline_s
        self._waiting = getcurrent()
        try:
            self._send(request if self._tls is None else self._tls.encrypt(request))
            if self._timer_due_s > deadline_s or self._timer_due_s > self.active_s + self._read_timeout_s:
                self._set_timer()
            # A greenlet that is switched to by mistake goes on waiting.
            while not parser.is_complete and self._failure is None:
                self._hub.switch()
        except BaseException:
            self.close()
            raise
        finally:
            self._waiting = None
        if self._failure is not None:
            self.close()
            raise self._failure
        if self._unsent or not parser.is_reusable:
            self.close()
        return parser.status, parser.raw_head, parser.body

    def check_closed(self) -> None:
        """Close the idle connection if the server has closed it, which the event loop may not know yet."""
        self._on_readable()

    def close(self) -> None:
        """Close the connection; idempotent."""
        if not self.is_open:
            return
        self.is_open = False
        for watcher in (self._reader, self._writer, self._timer):
            if watcher is not None:
                watcher.close()
        self._socket.close()
        self._parser.release()

    def _send(self, data: bytes) -> None:
        try:
            sent_bytes = self._socket.send(data)
        except BlockingIOError:
            sent_bytes = 0
        except OSError:
            self._unsent = memoryview(data)  # what comes in says why, and may be a response
            sent_bytes = len(data)
        if sent_bytes < len(data):
            self._unsent = memoryview(data)[sent_bytes:]
            self._writer = self._hub.loop.io(self._socket.fileno(), WRITABLE)
            self._writer.start(self._on_writable)
        self.active_s = time.perf_counter()

    def _on_writable(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._stop_writing()
            return
        self.active_s = time.perf_counter()
        if not self._unsent:
            self._stop_writing()

    def _stop_writing(self) -> None:
        self._writer.close()
        self._writer = None

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._on_end(is_clean=False)
            return
        tls = self._tls
        if not data:
            self._on_end(is_clean=tls is None)
        elif tls is None:
            self._on_data(data)
        else:
            try:
                data = tls.decrypt(data)
            except HttpFailure as failure:
                self._fail(failure)
                return
            if data:
                self._on_data(data)
            if tls.is_closed and self.is_open:
                self._on_end(is_clean=True)

    def _on_data(self, data: bytes) -> None:
        if self._waiting is None:  # a response to no request
            self.close()
            return
        try:
            is_complete = self._parser.feed(data)
        except HttpFailure as failure:
            self._fail(failure)
            return
        if is_complete:
            self._waiting.switch()
        else:
            self.active_s = time.perf_counter()

    def _on_end(self, *, is_clean: bool) -> None:
        if self._waiting is None:
            self.close()
            return
        try:
            self._parser.finish(is_clean=is_clean)
        except HttpFailure as failure:
            self._fail(failure)
        else:
            self._waiting.switch()

    def _fail(self, failure: HttpFailure) -> None:
        if self._waiting is None:
            self.close()
            return
        self._failure = failure
        self._waiting.switch()

    def _due_s(self) -> float:
        return min(self.active_s + self._read_timeout_s, self._deadline_s)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.close()
        self._timer_due_s = self._due_s()
        self._timer = self._hub.loop.timer(max(0.0, self._timer_due_s - time.perf_counter()))
        self._timer.start(self._on_timer, update=True)

    def _on_timer(self) -> None:
        self._timer_due_s = math.inf
        if self._waiting is not None and time.perf_counter() >= self._due_s():
            self._on_readable()  # what came while the event loop was busy is in time
        if self._waiting is None:
            return
        now_s = time.perf_counter()
        if now_s >= self._deadline_s:
            self._fail(TotalTimeout())
        elif now_s >= self.active_s + self._read_timeout_s:
            self._fail(ReadTimeout())
        else:
            self._set_timer()
