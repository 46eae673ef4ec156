"""A liar between browsers and the real service: it forwards every request and tells one chosen lie.

The host names the lie: `http://closed.localhost:…/login` answers as the service behind does, except for the
route that this lie is about.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

ASKED_WITH = ("Accept", "Authorization", "Content-Type", "Cookie")
PASSED_ON = ("Content-Type", "Location", "Set-Cookie", "X-Cache")


class Reply(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    headers: dict[str, str]


class Lie(NamedTuple):
    """Where to lie and how; a tamper that returns None drops the connection."""

    route: str
    tamper: Callable[[Reply], Reply | None]


def said(status: int, body: bytes = b"{}") -> Callable[[Reply], Reply]:
    """Return a tamper that gives this answer whatever the service said."""
    return lambda reply: reply._replace(status=status, body=body)


def with_text(old: str, new: str) -> Callable[[Reply], Reply]:
    """Return a tamper that changes the text of a page."""
    return lambda reply: reply._replace(body=reply.body.replace(old.encode(), new.encode()))


def drops_the_connection(_reply: Reply) -> None:
    """Say nothing at all."""


def _some_of(headers: Message, names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}


class _LiarHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: HTTPConnection
    server: _LiarServer

    def setup(self) -> None:
        super().setup()
        self.upstream = HTTPConnection(self.server.upstream_address, timeout=120)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def answer(self) -> None:
        name, _, _ = self.headers["Host"].partition(".")
        lie, reply = self.server.lies[name], self._ask_upstream(self.path)
        told = lie.tamper(reply) if re.fullmatch(lie.route, f"{self.command} {self.path}") else reply
        if told is None:
            self.close_connection = True
            return
        self._send(told)

    do_GET = do_POST = answer  # noqa: N815 - the names http.server calls

    def _ask_upstream(self, path: str) -> Reply:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.upstream.request(self.command, path, body=body, headers=_some_of(self.headers, ASKED_WITH))
        response = self.upstream.getresponse()
        return Reply(response.status, response.read(), _some_of(response.headers, PASSED_ON))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server gives it
        """Keep the test's output quiet."""


class _LiarServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service_url: str, lies: dict[str, Lie]) -> None:
        super().__init__(("127.0.0.1", 0), _LiarHandler)
        self.upstream_address = urlsplit(service_url).netloc
        self.lies = lies

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a fault of ours; that users are killed in mid-request at the end of a run is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture
def start_liar(service_url: str) -> Iterator[Callable[[dict[str, Lie]], str]]:
    """Give a function that starts a liar in front of the service and returns its base URL."""
    servers: list[_LiarServer] = []

    def start(lies: dict[str, Lie]) -> str:
        server = _LiarServer(service_url, lies)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
