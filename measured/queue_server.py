"""A service of known capacity: one server, a queue, and the same service time for every request."""

from __future__ import annotations

import asyncio
import sys

from measured.server_process import ServerProcess, SmallAnswers, serve_until_input_ends


class Connection(SmallAnswers):
    """Answers each request when its turn has come."""

    service_s = 0.0
    free_at_s = 0.0  # when the only server has nothing left to do

    def take(self) -> None:
        """Queue a request."""
        loop = asyncio.get_running_loop()
        Connection.free_at_s = max(Connection.free_at_s, loop.time()) + self.service_s
        loop.call_at(Connection.free_at_s, self.answer)


class QueueServer(ServerProcess):
    """The service as a process."""

    def __init__(self, capacity_per_s: float) -> None:
        super().__init__("measured.queue_server", str(capacity_per_s))


if __name__ == "__main__":
    Connection.service_s = 1 / float(sys.argv[1])
    asyncio.run(serve_until_input_ends(Connection))
