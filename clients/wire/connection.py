"""One connection: a request goes out, its answer comes in, and nobody is woken before it is whole.

The event loop watches the socket from its first to its last moment, as starting and stopping to watch would
cost a system call each; so a connection which the server closes while it is idle is known as closed at once.
What comes in is parsed in the event loop. Time limits share one timer, which is never set anew for a request;
going off, it looks at the limit of the present request and sets itself again.
"""

from __future__ import annotations

from gevent import get_hub, getcurrent

import math
import time
from typing import Any

from clients.wire.dialling import READ_BYTES, READABLE, WRITABLE
from clients.wire.errors import HttpFailure, ReadTimeout, TotalTimeout
from clients.wire.response_parser import ResponseParser
from clients.wire.tls import TlsCodec

_clock = time.perf_counter
_NOTHING = memoryview(b"")


# An answer as it came: its status, its head (and what may follow it), and its body. A plain tuple, because
# each request makes one, and a NamedTuple is made by a function in Python.
Reply = tuple[int, bytes, bytes]


class Connection:
    """An open connection to one origin, for one request at a time; points in time are time.perf_counter's."""

    __slots__ = (
        "_deadline_s",
        "_failure",
        "_hub",
        "_parser",
        "_reader",
        "_silence_s",
        "_silent_since_s",
        "_socket",
        "_timer",
        "_timer_due_s",
        "_tls",
        "_unsent",
        "_waiting",
        "_writer",
        "first_byte_s",
        "idle_since_s",
        "is_open",
        "sent_s",
    )

    def __init__(self, socket: Any, tls: TlsCodec | None, silence_s: float) -> None:
        self._socket = socket
        self._tls = tls
        self._silence_s = silence_s
        self._hub = get_hub()
        self._parser = ResponseParser()
        self._waiting: Any = None
        self._failure: HttpFailure | None = None
        self._writer: Any = None
        self._timer: Any = None
        self._timer_due_s = math.inf
        self.is_open = True
        self.idle_since_s = _clock()
        self._reader = self._hub.loop.io(self._socket.fileno(), READABLE)
        self._reader.start(self._on_readable)

    @property
    def has_answered(self) -> bool:
        """Whether anything has come of the last request's answer."""
        return bool(self._parser.raw_head)

    def exchange(self, request: bytes, *, without_body: bool, deadline_s: float) -> Reply:
        """Send a request and return its answer; afterwards the connection is idle or closed.

        Raises ReadTimeout after its longest silence without a byte, TotalTimeout at *deadline_s*, or what is
        wrong with the answer.
        """
        parser = self._parser
        parser.expect(without_body=without_body)
        self._unsent = _NOTHING
        self.first_byte_s = 0.0
        self._deadline_s = deadline_s
        self._waiting = getcurrent()
        try:
            self._send(request if self._tls is None else self._tls.encrypt(request))
            if self._timer_due_s > deadline_s or self._timer_due_s > self.sent_s + self._silence_s:
                self._set_timer(self._due_s())
            # Whoever else switches to a greenlet that waits here has made a mistake, and is not heeded.
            while not parser.is_complete and self._failure is None:
                self._hub.switch()
            self._raise_failure()
        except BaseException:
            self.close()
            raise
        finally:
            self._waiting = self._failure = None
        if self._unsent or not parser.is_reusable:
            self.close()
        return parser.status, parser.raw_head, parser.body

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def look(self) -> None:
        """Look whether the server has closed the idle connection, which the event loop may not know yet."""
        self._on_readable()

    def close(self) -> None:
        """Close the connection; again is fine."""
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
            self._unsent = memoryview(data)  # what comes in tells why, and may be an answer
            sent_bytes = len(data)
        if sent_bytes < len(data):
            self._unsent = memoryview(data)[sent_bytes:]
            self._writer = self._hub.loop.io(self._socket.fileno(), WRITABLE)
            self._writer.start(self._on_writable)
        self.sent_s = self._silent_since_s = _clock()

    def _on_writable(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._stop_writing()
            return
        self.sent_s = self._silent_since_s = _clock()
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
        if not data:
            self._on_end(is_clean=self._tls is None)
        elif self._tls is None:
            self._on_data(data)
        else:
            self._on_encrypted(data, self._tls)

    def _on_encrypted(self, encrypted: bytes, tls: TlsCodec) -> None:
        try:
            data = tls.decrypt(encrypted)
        except HttpFailure as failure:
            self._fail(failure)
            return
        if data:
            self._on_data(data)
        if tls.is_closed and self.is_open:
            self._on_end(is_clean=True)

    def _on_data(self, data: bytes) -> None:
        waiting = self._waiting
        if waiting is None:  # nobody has asked
            self.close()
            return
        try:
            is_complete = self._parser.feed(data)
        except HttpFailure as failure:
            self._fail(failure)
            return
        if is_complete:
            waiting.switch()
        else:
            self._silent_since_s = _clock()
            self.first_byte_s = self.first_byte_s or self._silent_since_s

    def _on_end(self, *, is_clean: bool) -> None:
        waiting = self._waiting
        if waiting is None:
            self.close()
            return
        try:
            self._parser.finish(is_clean=is_clean)
        except HttpFailure as failure:
            self._fail(failure)
        else:
            waiting.switch()

    def _fail(self, failure: HttpFailure) -> None:
        if self._waiting is None:
            self.close()
            return
        self._failure = failure
        self._waiting.switch()

    def _due_s(self) -> float:
        return min(self._silent_since_s + self._silence_s, self._deadline_s)

    def _set_timer(self, due_s: float) -> None:
        if self._timer is not None:
            self._timer.close()
        self._timer_due_s = due_s
        self._timer = self._hub.loop.timer(max(0.0, due_s - _clock()))
        self._timer.start(self._on_timer, update=True)

    def _on_timer(self) -> None:
        self._timer_due_s = math.inf
        if self._waiting is not None and _clock() >= self._due_s():
            self._on_readable()  # what came while the event loop was busy is not late
        if self._waiting is None:
            return
        now_s = _clock()
        if now_s >= self._deadline_s:
            self._fail(TotalTimeout())
        elif now_s >= self._silent_since_s + self._silence_s:
            self._fail(ReadTimeout())
        else:
            self._set_timer(self._due_s())
