"""A server with a known delay of each answer, in a process of its own: its load is not the generator's.

python -m measured.delay_server drawn served.npy    delays of a known distribution, and a record of them
python -m measured.delay_server queue 55            one server with a queue that is good for 55 a second
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
STALL_SHARE, STALL_S = 0.002, 2.0
SLOW_SHARE, SLOW_S = 0.1, 0.3


def drawn_delays() -> Callable[[], float]:
    """Return delays in s: a lognormal body around 60 ms, a second mode at 300 ms, rare stalls of 2 s."""
    draw = random.Random(20261121)

    def delay_s() -> float:
        if draw.random() < STALL_SHARE:
            return STALL_S
        if draw.random() < SLOW_SHARE:
            return draw.gauss(SLOW_S, 0.015)
        return draw.lognormvariate(-2.8, 0.4)

    return delay_s


def queue_delays(capacity_per_s: float) -> Callable[[], float]:
    """Return delays in s of a service that does one thing at a time, each of the same service time."""
    free_at_s = 0.0

    def delay_s() -> float:
        nonlocal free_at_s
        now_s = asyncio.get_running_loop().time()
        free_at_s = max(free_at_s, now_s) + 1 / capacity_per_s
        return free_at_s - now_s

    return delay_s


class Connection(asyncio.Protocol):
    """Answers each request after its delay, always the same, and records how long it took."""

    delay_s: ClassVar[Callable[[], float]]
    served_ms: ClassVar[list[float]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a request, which is small enough to come in one piece."""
        assert data.endswith(b"\r\n\r\n")
        started_s = time.perf_counter()
        asyncio.get_running_loop().call_later(Connection.delay_s(), self.answer, started_s)

    def answer(self, started_s: float) -> None:
        """Send the answer, where somebody is still there to get it."""
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            self.served_ms.append((time.perf_counter() - started_s) * 1000)


async def serve_until_input_ends() -> None:
    """Serve on any free port, which it prints to standard output, until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


class DelayServer:
    """The server as a process, with one of its commands."""

    def __init__(self, kind: str, argument: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "measured.delay_server", kind, argument],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def end(self) -> None:
        """Let it end by itself, with its record, and wait for that."""
        self._process.communicate(timeout=120)

    def close(self) -> None:
        """Make sure that nothing is left."""
        self._process.kill()
        self._process.communicate()


def served_ms(record: Path) -> NDArray[np.float64]:
    """Return how long each answer took, in ms, of a server of drawn delays that has ended."""
    served: NDArray[np.float64] = np.load(record)
    return served


if __name__ == "__main__":
    KIND, ARGUMENT = sys.argv[1:]
    Connection.delay_s = drawn_delays() if KIND == "drawn" else queue_delays(float(ARGUMENT))
    asyncio.run(serve_until_input_ends())
    if KIND == "drawn":
        np.save(ARGUMENT, np.array(Connection.served_ms))
