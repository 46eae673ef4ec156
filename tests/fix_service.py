"""A small service with known answers, and locustfiles that load it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.http_service import Shop

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


@pytest.fixture
def service() -> Iterator[Shop]:
    """Run a service for one test."""
    with closing(Shop()) as running:
        yield running


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
