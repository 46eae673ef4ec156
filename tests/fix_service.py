"""A small service with known answers, and locustfiles that load it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

LOCUSTFILE = """
from locust import FastHttpUser, constant, task
from plimsoll import record_run

class Visitor(FastHttpUser):
    wait_time = constant(0.05)
    request_names = frozenset({"shop.home", "shop.broken"})

    @task(50)
    def home(self):
        self.client.get("/home?token=s3cret", name="shop.home")

    @task(1)
    def broken(self):
        self.client.get("/broken", name="shop.broken")

record_run()
"""


class Service:
    """A server on a free port of loopback: /home is 200, /broken is 500; it counts what it answers."""

    def __init__(self) -> None:
        self.answered = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Answer with a small body."""
                service.answered += 1
                self.send_response(500 if self.path == "/broken" else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()


class QuietServer(ThreadingHTTPServer):
    """A server for which a client that goes away in the middle of an answer is nothing special."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: Locust drops its connections when a run ends."""


@pytest.fixture
def service() -> Iterator[Service]:
    """Run a service for one test."""
    running = Service()
    yield running
    running.close()


@pytest.fixture
def silent_url() -> Iterator[str]:
    """Listen, accept, and never answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def locustfile(tmp_path: Path) -> Path:
    """Write the locustfile of a team that has its runs recorded."""
    path = tmp_path / "visitor.py"
    path.write_text(LOCUSTFILE, encoding="utf-8")
    return path
