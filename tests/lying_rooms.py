"""A service of WebSocket rooms that lies: the first part of the path names how.

`http://…/nonsense/ws/…` is a room of the talk `nonsense`; everybody may log in.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from websockets.http11 import Request
from websockets.server import ServerProtocol

ACCOUNT = {"token": "t", "userId": 1, "studentId": 1, "role": "student"}
READ_BYTES = 65_536


class Talk(NamedTuple):
    """What is said in a room, with the kind of its messages for KIND, and whether the server then stays."""

    words: tuple[str, ...] = ()
    status: int = 101
    stays: bool = True


class LyingRooms(ThreadingHTTPServer):
    """Serves on a free port of loopback until it is closed."""

    daemon_threads = True

    def __init__(self, talks: Mapping[str, Talk]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.talks = talks
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a fault of ours; that users are killed in mid-connection at the end of a run is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LyingRooms

    def do_POST(self) -> None:
        """Let anybody log in."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(ACCOUNT).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Open a room and say what is to be said in it."""
        talk = self.server.talks[self.path.split("/")[1]]
        kind = "classroom.update" if "/classrooms/" in self.path else "student.progress"
        protocol = ServerProtocol()
        protocol.receive_data(f"{self.requestline}\n{self.headers}".replace("\n", "\r\n").encode())
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        is_open = talk.status == 101
        protocol.send_response(protocol.accept(request) if is_open else protocol.reject(talk.status, ""))
        for words in talk.words:
            protocol.send_text(words.replace("KIND", kind).encode())
        self._send(protocol)
        while is_open and talk.stays and (data := self.connection.recv(READ_BYTES)):
            protocol.receive_data(data)
            self._send(protocol)
        self.close_connection = True

    def _send(self, protocol: ServerProtocol) -> None:
        for data in protocol.data_to_send():
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server gives it
        """Keep the test's output quiet."""
