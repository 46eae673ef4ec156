"""A service of known capacity: one server, a queue, and the same service time for every request."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class Connection(asyncio.Protocol):
    """Answers each request when its turn has come."""

    service_s = 0.0
    free_at_s = 0.0  # when the only server has nothing left to do

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a request, which is small enough to come in one piece."""
        assert data.endswith(b"\r\n\r\n")
        loop = asyncio.get_running_loop()
        Connection.free_at_s = max(Connection.free_at_s, loop.time()) + self.service_s
        loop.call_at(Connection.free_at_s, self.answer)

    def answer(self) -> None:
        """Send the answer."""
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def serve(capacity_per_s: float) -> None:
    """Serve until standard input closes."""
    Connection.service_s = 1 / capacity_per_s
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


class QueueServer:
    """The service as a process of its own, so that its load does not become the generator's."""

    def __init__(self, capacity_per_s: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.queue_server", str(capacity_per_s)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["url"])

    def stop(self) -> None:
        """Make sure that nothing is left."""
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
