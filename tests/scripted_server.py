"""An HTTP server on which each path plays the steps that a test wrote for it, right ones and wrong ones.

It runs on plain threads and blocking sockets, so that a client frozen in its event loop cannot freeze it.
"""

from __future__ import annotations

import ctypes
import itertools
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from enum import Enum, auto
from typing import NamedTuple

PATIENCE_S = 60  # longer than any test may take, however busy the machine is
FILLERS = 3  # more than a backlog of 0 takes
SO_ATTACH_FILTER = 26  # of Linux; the socket module does not name it
BPF_RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)


class Ending(Enum):
    """What becomes of a connection; a turn that ends with none of these keeps it for the next request."""

    CLOSE = auto()  # politely
    RESET = auto()  # with RST, dropping what was not yet sent
    HOLD = auto()  # stay silent until the client goes
    VANISH = auto()  # receive nothing any more, as if the cable were cut, and stay silent


class Seen(NamedTuple):
    """One request as it came in, on which connection, counted from 1."""

    connection: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        """Return the target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """Return the value of a header that came at most once."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


# Bytes are sent, a number is a pause in seconds, an event is waited for.
Step = bytes | float | threading.Event | Ending
Steps = Sequence[Step]
Turn = Steps | Callable[[Seen], Steps]  # the latter for what depends on the request


def answer(body: bytes = b"ok", status: str = "200 OK", **headers: str) -> bytes:
    """Return a whole, right response; `X_Name=value` adds a header `X-Name`."""
    fields = {"Content-Length": str(len(body))} | {
        name.replace("_", "-"): text for name, text in headers.items()
    }
    head = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


NOT_FOUND = [answer(b"no script", "404 Not Found")]


class ScriptedServer:
    """Listens on a free port of loopback, plays scripts, and remembers what it saw.

    With a TLS context every connection starts with a handshake; with `on_connect`, each connection plays that
    before its first request is read. Paths without a script play `otherwise`.
    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        on_connect: Steps = (),
        otherwise: Turn = NOT_FOUND,
    ) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self._tls, self._on_connect, self._otherwise = tls, on_connect, otherwise
        self._scripts: dict[str, Iterator[Turn]] = {}
        self._open: set[socket.socket] = set()
        self._stopping = threading.Event()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self.port = int(self._listener.getsockname()[1])
        host = f"[{address}]" if ":" in address else address
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def script(self, *turns: Turn) -> str:
        """Return a new path whose first request plays the first turn, and so on; the last one repeats."""
        path = f"/script/{len(self._scripts)}"
        self._scripts[path] = itertools.chain(turns, itertools.repeat(turns[-1]))
        return path

    def seen(self, path: str) -> list[Seen]:
        """Return the requests for a path, whatever their query."""
        return [request for request in self.requests if request.path == path]

    @property
    def open_connections(self) -> int:
        """Return how many connections neither side has ended."""
        return len(self._open)

    def close(self) -> None:
        """Stop listening and end all connections."""
        self._stopping.set()
        # Closing alone would not wake the thread that waits in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._tls:
                connection = self._tls.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        self._open.add(connection)
        # A client that goes away in the middle is what many tests are about.
        with closing(connection), suppress(OSError, EOFError):
            reader = _Reader(connection)
            goes_on = self._play(connection, self._on_connect)
            while goes_on:
                request = reader.request(number)
                self.requests.append(request)
                turn = next(self._scripts.get(request.path, itertools.repeat(self._otherwise)))
                goes_on = self._play(connection, turn(request) if callable(turn) else turn)
        self._open.discard(connection)

    def _play(self, connection: socket.socket, steps: Steps) -> bool:
        """Play the steps; return whether the connection goes on."""
        for step in steps:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif isinstance(step, float):
                self._stopping.wait(step)
            elif isinstance(step, threading.Event):
                assert step.wait(PATIENCE_S)
            else:
                self._end(connection, step)
                return False
        return True

    def _end(self, connection: socket.socket, ending: Ending) -> None:
        if ending is Ending.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        elif ending is Ending.VANISH:
            take_no_packet(connection)
            self._stopping.wait()
        elif ending is Ending.HOLD:
            while connection.recv(1 << 16):
                """What the client still sends is of no interest."""


class _Reader:
    """Takes requests from a connection, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def request(self, number: int) -> Seen:
        """Wait for a whole request; EOFError when the client ends the connection."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _version = first.split(" ")
        pairs = [line.split(": ", 1) for line in lines]
        headers = [(name, value) for name, value in pairs]
        lower = {name.lower(): value for name, value in headers}
        is_chunked = lower.get("transfer-encoding") == "chunked"
        body = self._chunks() if is_chunked else self._exactly(int(lower.get("content-length", 0)))
        return Seen(number, method, target, headers, body)

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self._until(b"\r\n"), 16):
            pieces.append(self._exactly(size))
            self._until(b"\r\n")
        self._until(b"\r\n")
        return b"".join(pieces)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._more()
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        pieces, missing = [self._rest[:size]], size - len(self._rest)
        self._rest = self._rest[size:]
        while missing > 0:
            self._more()
            pieces.append(self._rest[:missing])
            missing, self._rest = missing - len(self._rest), self._rest[missing:]
        return b"".join(pieces)

    def _more(self) -> None:
        data = self._connection.recv(1 << 16)
        if not data:
            raise EOFError
        self._rest += data


def take_no_packet(connection: socket.socket) -> None:
    """Let the kernel drop whatever comes in before TCP sees it: nothing is even acknowledged.

    In some containers the kernel forbids it; then what comes in is acknowledged, and nobody reads it.
    """
    code = ctypes.create_string_buffer(BPF_RETURN_NOTHING)
    program = struct.pack("HP", 1, ctypes.addressof(code))
    with suppress(PermissionError):
        connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


@contextmanager
def unanswering_port(*, vanished: bool) -> Iterator[int]:
    """Give a port that no server accepts connections on; vanished, its backlog is full, too."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0 if vanished else 128))
        for _ in range(FILLERS if vanished else 0):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


def wait_until(condition: Callable[[], bool], pause: Callable[[float], object] = time.sleep) -> None:
    """Wait until a condition holds; `pause` lets an event loop go on meanwhile."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at, f"the condition did not come to hold within {PATIENCE_S} s"
        pause(0.002)
