"""A real Chromium, and a proxy between browsers and the real service that tampers with one of its answers.

The host names the tampering: `http://closed.localhost:…/login` answers as the service behind does, except
for the route that this tampering is about.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from email.message import Message
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright

from plimsoll.users.browser_process import BROWSER, missing_parts
from tests.http_service import Handler, HttpService

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a sandbox, because CI runs as root in a container; the pages are our own.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
ASKED_WITH = ("Accept", "Authorization", "Content-Type", "Cookie")
PASSED_ON = ("Content-Type", "Location", "Set-Cookie", "X-Cache")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a headless Chromium; without one the test is skipped, in CI it fails.

    One per module: while it lives, Playwright keeps an event loop running that other modules must not meet.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = f"none of {', '.join(NAMES)} is installed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def chromium() -> Iterator[None]:
    """Have what browser journeys need; without it the test is skipped, in CI it fails."""
    if faults := missing_parts():
        if os.environ.get("CI"):
            pytest.fail("; ".join(faults))
        pytest.skip("; ".join(faults))
    yield
    BROWSER.stop()


class Reply(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    headers: dict[str, str]


class Tampering(NamedTuple):
    """Where to tamper and how; a tamper that returns None drops the connection."""

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


class TamperingProxy(HttpService):
    """Forwards every request to the service, and tampers with the answers of one route."""

    def __init__(self, service_url: str, tamperings: dict[str, Tampering]) -> None:
        self.upstream_address, self.tamperings = urlsplit(service_url).netloc, tamperings
        super().__init__(ProxyHandler)


class ProxyHandler(Handler):
    """Forwards the requests of one connection."""

    upstream: HTTPConnection
    server: TamperingProxy

    def setup(self) -> None:
        """Connect with the service."""
        super().setup()
        self.upstream = HTTPConnection(self.server.upstream_address, timeout=120)

    def finish(self) -> None:
        """Disconnect from the service."""
        self.upstream.close()
        super().finish()

    def forward(self) -> None:
        """Answer as the service does, but for the route that is tampered with."""
        tampering = self.server.tamperings[self.headers["Host"].partition(".")[0]]
        headers = _some_of(self.headers, ASKED_WITH)
        self.upstream.request(self.command, self.path, body=self.body(), headers=headers)
        response = self.upstream.getresponse()
        reply: Reply | None = Reply(response.status, response.read(), _some_of(response.headers, PASSED_ON))
        if reply and re.fullmatch(tampering.route, f"{self.command} {self.path}"):
            reply = tampering.tamper(reply)
        if reply is None:
            self.close_connection = True
        else:
            self.answer(reply.body, reply.status, reply.headers)

    do_GET = do_POST = forward  # noqa: N815 - the names http.server calls


@pytest.fixture
def start_proxy(service_url: str) -> Iterator[Callable[[dict[str, Tampering]], str]]:
    """Give a function that starts a tampering proxy in front of the service and returns its base URL."""
    with ExitStack() as running:
        yield lambda tamperings: running.enter_context(closing(TamperingProxy(service_url, tamperings))).url
