"""How the service itself is doing."""

import asyncio
import time

import psutil

from service.database import Database
from service.errors import ServiceError

SLOW_MS = 100.0
GIVE_UP_S = 1.0


class Health:
    """State of the process and of its database."""

    def __init__(self, database: Database, version: str) -> None:
        self._database = database
        self._version = version
        self._process = psutil.Process()
        self._peak_bytes = 0

    async def check(self) -> dict[str, object]:
        """Ask the database: healthy, or degraded because it is slow, away or out of connections."""
        if self._database.waiting:  # asking would only make the queue longer
            return self.answer("degraded") | {"reason": "requests wait for a database connection"}
        started_s = time.perf_counter()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await self._database.fetch_row("check_database")
        except (ServiceError, TimeoutError):
            return self.answer("degraded") | {"reason": "the database does not answer"}
        latency_ms = round((time.perf_counter() - started_s) * 1000, 3)
        if latency_ms > SLOW_MS:
            return self.answer("degraded") | {"reason": "the database is slow", "database_ms": latency_ms}
        return self.answer("healthy") | {"database_ms": latency_ms}

    def get_status(self) -> dict[str, object]:
        """Return the state of the process and of its pool, without asking the database."""
        uptime_s = round(time.time() - self._process.create_time(), 3)
        return self.answer("operational") | {"uptime_s": uptime_s, "pool": self._database.pool_state}

    def answer(self, status: str) -> dict[str, object]:
        """Return *status* with the version."""
        return {"status": status, "version": self._version}

    def get_memory(self) -> dict[str, int]:
        """Return resident bytes, now and at their highest seen here, under the names of a JavaScript heap."""
        used_bytes = self._process.memory_info().rss
        self._peak_bytes = max(self._peak_bytes, used_bytes)
        return {"heapUsed": used_bytes, "heapTotal": self._peak_bytes}
