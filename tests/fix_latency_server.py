"""A server with a known latency distribution that keeps its own record of what it served."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
STALL_SHARE, STALL_S = 0.002, 2.0
SLOW_SHARE, SLOW_S = 0.1, 0.3


def draw_delay_s(draw: random.Random) -> float:
    """Draw a service time: a lognormal body around 60 ms, a second mode at 300 ms, rare stalls of 2 s."""
    if draw.random() < STALL_SHARE:
        return STALL_S
    if draw.random() < SLOW_SHARE:
        return draw.gauss(SLOW_S, 0.015)
    return draw.lognormvariate(-2.8, 0.4)


class Connection(asyncio.Protocol):
    """Answers one request after another, each after its drawn delay, and records how long it took."""

    draw = random.Random(20261121)
    record_ms: list[float] = []  # noqa: RUF012 - one record of the whole server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a request, which is small enough to come in one piece."""
        assert data.endswith(b"\r\n\r\n")
        started = time.perf_counter()
        asyncio.get_running_loop().call_later(draw_delay_s(self.draw), self.answer, started)

    def answer(self, started: float) -> None:
        """Send the answer and record the time it took."""
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            self.record_ms.append((time.perf_counter() - started) * 1000)


async def serve(record: Path) -> None:
    """Serve until standard input closes, then write the record."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    np.save(record, np.array(Connection.record_ms))


class LatencyServer:
    """The server as a process of its own, so that its load does not become the generator's."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fix_latency_server", str(record)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["url"])

    def served_ms(self) -> NDArray[np.float64]:
        """Stop the server and return how long each of its answers took, in ms."""
        self._process.communicate(timeout=20)
        served: NDArray[np.float64] = np.load(self._record)
        return served

    def kill(self) -> None:
        """Make sure that nothing is left."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def latency_server(tmp_path: Path) -> Iterator[LatencyServer]:
    """Run the server for one test."""
    server = LatencyServer(tmp_path / "served.npy")
    yield server
    server.kill()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
