"""A server with a known latency distribution that keeps its own record of what it served."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from measured.server_process import ServerProcess, SmallAnswers, serve_until_input_ends

STALL_SHARE, STALL_S = 0.002, 2.0
SLOW_SHARE, SLOW_S = 0.1, 0.3


def draw_delay_s(draw: random.Random) -> float:
    """Draw a service time: a lognormal body around 60 ms, a second mode at 300 ms, rare stalls of 2 s."""
    if draw.random() < STALL_SHARE:
        return STALL_S
    if draw.random() < SLOW_SHARE:
        return draw.gauss(SLOW_S, 0.015)
    return draw.lognormvariate(-2.8, 0.4)


class Connection(SmallAnswers):
    """Answers each request after its drawn delay, and records how long it took."""

    draw = random.Random(20261121)
    record_ms: list[float] = []  # noqa: RUF012 - one record of the whole server

    def take(self) -> None:
        """Begin to serve a request."""
        started_s = time.perf_counter()
        asyncio.get_running_loop().call_later(draw_delay_s(self.draw), self.serve, started_s)

    def serve(self, started_s: float) -> None:
        """Send the answer and record the time it took."""
        if self.answer():
            self.record_ms.append((time.perf_counter() - started_s) * 1000)


class LatencyServer(ServerProcess):
    """The server as a process, and its record."""

    def __init__(self, record: Path) -> None:
        super().__init__("measured.latency_server", str(record))
        self._record = record

    def served_ms(self) -> NDArray[np.float64]:
        """End the server and return how long each of its answers took, in ms."""
        self.end()
        served: NDArray[np.float64] = np.load(self._record)
        return served


if __name__ == "__main__":
    asyncio.run(serve_until_input_ends(Connection))
    np.save(sys.argv[1], np.array(Connection.record_ms))
