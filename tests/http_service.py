"""Small HTTP and WebSocket services with known answers, in threads of this process.

A test that needs exact bytes or broken ones plays them on tests/scripted_server.py; a service by the virtual
clock is in tests/fix_virtual_runs.py.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

READ_BYTES = 65_536
ACCOUNT = {"token": "t", "userId": 1, "studentId": 1, "role": "student"}
PAGE = b"""<!doctype html><title>Pond</title><link rel=icon href=data:,><h1 id=pond>Pond</h1>
<input id=who><button id=greet onclick="greeting.textContent = 'Hello ' + who.value; greeting.hidden = false">
Greet</button><p id=greeting hidden></p>"""


class HttpService(ThreadingHTTPServer):
    """Serves at `url`, a free port of loopback, until it is closed."""

    daemon_threads = True

    def __init__(self, handler: type[Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a fault of ours; that users are killed in mid-request at the end of a run is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, in a thread of its own."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        """Return the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def websocket(self, status: int = 101) -> ServerProtocol:
        """Open the WebSocket that is asked for, or refuse it with this status."""
        self.close_connection = True
        protocol = ServerProtocol()
        head = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items())]
        protocol.receive_data("\r\n".join([*head, "", ""]).encode())
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request) if status == 101 else protocol.reject(status, ""))
        return protocol

    def flush(self, protocol: ServerProtocol) -> None:
        """Send what a WebSocket has to say."""
        for data in protocol.data_to_send():
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


class Shop(HttpService):
    """/home is 200, /broken is 500, and so is every other answer once it fails; it counts what it answers."""

    def __init__(self) -> None:
        self.answered = 0
        self.fails = False
        super().__init__(ShopHandler)


class ShopHandler(Handler):
    """Answers with a small body."""

    server: Shop

    def do_GET(self) -> None:
        """Answer."""
        self.server.answered += 1
        is_broken = self.path == "/broken" or (self.server.fails and self.server.answered % 2)
        self.answer(b"ok", 500 if is_broken else 200)


class Pond(HttpService):
    """A service without any login, which notes each request with its headers in `seen`."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        super().__init__(PondHandler)


class PondHandler(Handler):
    """Answers with a page, a health, GraphQL, and a WebSocket that echoes."""

    server: Pond

    def do_GET(self) -> None:
        """Answer with the page, the health, or a WebSocket."""
        self.server.seen.append((self.path, dict(self.headers)))
        if self.path == "/ws":
            self._echo()
        elif self.path == "/health":
            self.answer(b'{"status": "fine"}', headers={"Content-Type": "application/json"})
        else:
            self.answer(PAGE, headers={"Content-Type": "text/html"})

    def do_POST(self) -> None:
        """Answer any GraphQL query with the number of ducks; one for swans has none."""
        self.server.seen.append((self.path, dict(self.headers)))
        query = json.loads(self.body())["query"]
        errors = {"errors": [{"message": "Cannot query field 'swans'"}]} if "swans" in query else {}
        data = json.dumps({"data": {"ducks": 7}, **errors}).encode()
        self.answer(data, headers={"Content-Type": "application/json"})

    def _echo(self) -> None:
        protocol = self.websocket()
        self.flush(protocol)
        while not protocol.close_expected() and (data := self.connection.recv(READ_BYTES)):
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT and protocol.state is OPEN:
                    protocol.send_text(bytes(event.data))
            self.flush(protocol)


class Talk(NamedTuple):
    """What is said in a room, with the kind of its messages for KIND, and whether the server then stays."""

    words: tuple[str, ...] = ()
    status: int = 101
    stays: bool = True


class FaultyWebSocketServer(HttpService):
    """`http://…/nonsense/ws/…` is a room of the talk `nonsense`; everybody may log in."""

    def __init__(self, talks: Mapping[str, Talk]) -> None:
        self.talks = talks
        super().__init__(FaultyWebSocketHandler)


class FaultyWebSocketHandler(Handler):
    """Opens a room and says what is to be said in it."""

    server: FaultyWebSocketServer

    def do_POST(self) -> None:
        """Let anybody log in."""
        self.body()
        self.answer(json.dumps(ACCOUNT).encode())

    def do_GET(self) -> None:
        """Open a room."""
        talk = self.server.talks[self.path.split("/")[1]]
        kind = "classroom.update" if "/classrooms/" in self.path else "student.progress"
        protocol = self.websocket(talk.status)
        for words in talk.words:
            protocol.send_text(words.replace("KIND", kind).encode())
        self.flush(protocol)
        while talk.status == 101 and talk.stays and (data := self.connection.recv(READ_BYTES)):
            protocol.receive_data(data)
            self.flush(protocol)
