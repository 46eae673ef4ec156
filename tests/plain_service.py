"""A small service without any login: a page, its health, GraphQL, and a WebSocket that echoes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

PAGE = b"""<!doctype html><title>Pond</title><link rel=icon href=data:,><h1 id=pond>Pond</h1>
<input id=who><button id=greet onclick="greeting.textContent = 'Hello ' + who.value; greeting.hidden = false">
Greet</button><p id=greeting hidden></p>"""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, in a thread of its own."""

    protocol_version = "HTTP/1.1"
    server: PlainService

    def do_GET(self) -> None:
        """Answer with the page, the health, or a WebSocket."""
        self.server.seen.append((self.path, dict(self.headers)))
        if self.path == "/ws":
            self._talk()
        elif self.path == "/health":
            self._answer(b'{"status": "fine"}', "application/json")
        else:
            self._answer(PAGE, "text/html")

    def do_POST(self) -> None:
        """Answer any GraphQL query with the number of ducks; one for swans has none."""
        self.server.seen.append((self.path, dict(self.headers)))
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
        errors = {"errors": [{"message": "Cannot query field 'swans'"}]} if "swans" in query else {}
        self._answer(json.dumps({"data": {"ducks": 7}, **errors}).encode(), "application/json")

    def handle(self) -> None:
        """Answer until the client goes, which may be without a word."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _talk(self) -> None:
        self.close_connection = True
        protocol = ServerProtocol()
        head = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items())]
        protocol.receive_data("\r\n".join([*head, "", ""]).encode())
        while True:
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif isinstance(event, Frame) and event.opcode is Opcode.TEXT and protocol.state is OPEN:
                    protocol.send_text(bytes(event.data))
            for data in protocol.data_to_send():
                self.connection.sendall(data)
            if protocol.close_expected() or not (data := self.connection.recv(65536)):
                return
            protocol.receive_data(data)


class PlainService(ThreadingHTTPServer):
    """The service at `url`, which notes each request with its headers in `seen`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.seen: list[tuple[str, dict[str, str]]] = []


@contextmanager
def running_plain_service() -> Iterator[PlainService]:
    """Run the service within a with-block."""
    with PlainService() as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
