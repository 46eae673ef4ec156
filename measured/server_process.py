"""Small servers in processes of their own, so that their load does not become the generator's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class SmallAnswers(asyncio.Protocol, ABC):
    """A connection on which every answer is the same; a subclass says in `take` when each is given."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a request, which is small enough to come in one piece."""
        assert data.endswith(b"\r\n\r\n")
        self.take()

    @abstractmethod
    def take(self) -> None:
        """Have `answer` called for one request."""

    def answer(self) -> bool:
        """Send the answer; return whether anybody is still there to get it."""
        is_wanted = not self.transport.is_closing()
        if is_wanted:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return is_wanted


async def serve_until_input_ends(connection: type[SmallAnswers]) -> None:
    """Serve on any free port, which is told on standard output, until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", 0)
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


class ServerProcess:
    """A module that serves until its standard input ends, started with one argument."""

    def __init__(self, module: str, argument: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, argument],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["url"])

    def end(self) -> None:
        """Let it end by itself, and wait for that."""
        self._process.communicate(timeout=20)

    def close(self) -> None:
        """Make sure that nothing is left."""
        self._process.kill()
        self._process.communicate()
