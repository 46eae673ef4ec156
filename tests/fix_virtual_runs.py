"""Runs of Locust in this process, under virtual time, against a service in greenlets of it."""

from __future__ import annotations

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fix_runs import GENEROUS, ROOT, Commands, Run
from tests.in_process import Live, run_locust
from tests.watchers import Look, silent

Delay = Callable[[str], float]


def one_server(capacity_per_s: float) -> Delay:
    """Return the delays of a service that does one thing at a time, and so many a second."""
    free_at_s = 0.0

    def delay_s(_: str) -> float:
        nonlocal free_at_s
        now_s = time.time()
        free_at_s = max(free_at_s, now_s) + 1 / capacity_per_s
        return free_at_s - now_s

    return delay_s


class GreenletService:
    """Serves on a free port of loopback: /broken is 500, all else 200, each after the seconds of its path."""

    def __init__(self, delay_s: Delay = lambda _: 0.01) -> None:
        self.answered = 0
        self.delay_s = delay_s
        self.keep_alive_s: float | None = None
        self._server = StreamServer(("127.0.0.1", 0), self._serve, spawn=Pool())
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.stop(timeout=0)

    def _next_request(self, connection: Any) -> bytes:
        """Wait for one as long as a connection may be idle, and return nothing where none has come."""
        connection.settimeout(self.keep_alive_s)
        try:
            return bytes(connection.recv(65536))
        except TimeoutError:
            return b""

    def _serve(self, connection: Any, _address: object) -> None:
        # A request is small enough to come in one piece; a user who is killed takes its connection with it.
        with connection, suppress(ConnectionError):
            while request := self._next_request(connection):
                path = request.split()[1].decode()
                gevent.sleep(self.delay_s(path))
                status = "500 Broken" if path == "/broken" else "200 OK"
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())
                self.answered += 1


class VirtualRun(Run):
    """A run that took *elapsed_s* by the virtual clock."""

    elapsed_s = 0.0


class VirtualRunner(Commands):
    """Runs Locust headless to its end, *meanwhile* beside it."""

    def __call__(
        self,
        *arguments: str,
        thresholds: str | None = GENEROUS,
        folder: Path = ROOT,
        meanwhile: Callable[[Live], object] | None = None,
        look: Look = silent,
    ) -> VirtualRun:
        """Run to the end."""
        command, directory = self.command(*arguments, thresholds=thresholds)
        ended = run_locust(command, folder, meanwhile, look=look)
        run = VirtualRun(ended.status, ended.output, directory)
        run.elapsed_s = ended.elapsed_s
        return run


@pytest.fixture
def virtual_run(locustfile: Path, tmp_path: Path) -> VirtualRunner:
    """Return a function that runs Locust headless to its end."""
    return VirtualRunner(locustfile, tmp_path)


@pytest.fixture
def virtual_service() -> Iterator[GreenletService]:
    """Run a service for one test."""
    running = GreenletService()
    yield running
    running.close()
