"""The bundled service as a real process, and people who use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from service import postgres_guard
from service.embedded_postgres import embedded_postgres
from tests import plain_http

ROOT = Path(__file__).resolve().parents[1]
STOP_TIMEOUT_S = 120
PASSWORD = "plimsoll"
OWN_SETTINGS = ("DATABASE_URL", "SERVICE_TOKEN_SECRET", "POD_NAME")


@dataclass(frozen=True)
class ServiceProcess:
    """A service that has said it can serve."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.ready["url"])


def start_service(*options: str, **environment: str) -> subprocess.Popen[str]:
    """Start `python -m service` with these options and nothing of the caller's own settings for it."""
    inherited = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    return subprocess.Popen(
        [sys.executable, "-m", "service", *options],
        cwd=ROOT,
        env=inherited | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refuse_service(*options: str, **environment: str) -> tuple[int, str]:
    """Start a service that must not start; return its exit status and what it said on stderr."""
    with start_service(*options, **environment) as process:
        output, errors = process.communicate(timeout=STOP_TIMEOUT_S)
    assert output == ""
    return process.returncode, errors


@contextmanager
def running_service(*options: str, **environment: str) -> Iterator[ServiceProcess]:
    """Run a service on a free port, wait until it can serve, and end it by closing its standard input."""
    with start_service("--port", "0", "--until-stdin-closes", *options, **environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"the service did not start: {process.stderr.read()}")
        try:
            yield ServiceProcess(process, json.loads(line))
        finally:
            process.communicate(timeout=STOP_TIMEOUT_S)


def kill_guard(pid: int) -> None:
    """Kill the process that would clean up after a service."""
    for child in psutil.Process(pid).children():
        if postgres_guard.__file__ in child.cmdline():
            child.kill()
            return
    raise AssertionError("the service has no guard")


class Visitor:
    """Somebody with an account and a client that sends the token along."""

    def __init__(self, url: str, email: str) -> None:
        self.email = email
        answer = plain_http.post(f"{url}/api/auth/login", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        login: Mapping[str, Any] = answer.json()
        self.user_id: int = login["userId"]
        self.student_id: int | None = login["studentId"]
        self.token: str = login["token"]
        self.client = plain_http.Client(base_url=url, headers={"Authorization": f"Bearer {self.token}"})


@contextmanager
def new_student(url: str) -> Iterator[Visitor]:
    """Register a student nobody else uses, and log in."""
    email = f"{uuid.uuid4()}@plimsoll.test"
    answer = plain_http.post(f"{url}/api/auth/register", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    visitor = Visitor(url, email)
    with visitor.client:
        yield visitor


@pytest.fixture(scope="session")
def service_url() -> Iterator[str]:
    """Run one service on its embedded PostgreSQL for all tests."""
    with running_service("--size", "small") as service:
        yield service.url


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """Run a PostgreSQL server that the tests may look into."""
    with embedded_postgres() as conninfo:
        yield conninfo


@pytest.fixture(scope="session")
def open_service(database_url: str) -> Iterator[ServiceProcess]:
    """Run one service on the database that the tests may look into."""
    with running_service("--size", "small", DATABASE_URL=database_url, POD_NAME="pod-7") as service:
        yield service


@pytest.fixture
def anyone(service_url: str) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with plain_http.Client(base_url=service_url) as client:
        yield client


@pytest.fixture
def student(service_url: str) -> Iterator[Visitor]:
    """Log in as a student of the test's own."""
    with new_student(service_url) as visitor:
        yield visitor


@pytest.fixture
def other_student(service_url: str) -> Iterator[Visitor]:
    """Log in as a second student."""
    with new_student(service_url) as visitor:
        yield visitor


@pytest.fixture
def admin(service_url: str) -> Iterator[Visitor]:
    """Log in as a seeded admin."""
    visitor = Visitor(service_url, "admin-000001@plimsoll.test")
    with visitor.client:
        yield visitor
