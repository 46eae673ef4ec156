"""How the target itself is doing."""

import asyncio
import time

import psutil

from target.database import Database
from target.errors import TargetError

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
        """Ask the database: healthy, degraded (slow, or requests wait for a connection) or unavailable."""
        started_s = time.perf_counter()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await self._database.fetch_row("check_database")
        except (TargetError, TimeoutError):
            return self.answer("unavailable")
        latency_ms = (time.perf_counter() - started_s) * 1000
        degraded = latency_ms > SLOW_MS or self._database.waiting > 0
        return self.answer("degraded" if degraded else "healthy") | {"database_ms": round(latency_ms, 3)}

    def answer(self, status: str) -> dict[str, object]:
        """Return *status* with the version."""
        return {"status": status, "version": self._version}

    def get_memory(self) -> dict[str, int]:
        """Return resident bytes, now and at their highest seen here, under the names of a JavaScript heap."""
        used_bytes = self._process.memory_info().rss
        self._peak_bytes = max(self._peak_bytes, used_bytes)
        return {"heapUsed": used_bytes, "heapTotal": self._peak_bytes}
