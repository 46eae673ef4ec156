"""How the service itself is doing: its state, that of its database, its memory, and their routes."""

import asyncio
import time

import psutil
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from service.authentication import CurrentAccount
from service.database import Database
from service.errors import ServiceError
from service.routing import errors, resolve

router = APIRouter()

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


@router.get("/health", tags=["health"], summary="Is the process up")
async def get_liveness(request: Request) -> JSONResponse:
    """Answer 200 without asking the database."""
    return JSONResponse(resolve(request, Health).answer("healthy"))


@router.get("/api/health", tags=["health"], summary="Is the shop up")
@router.get("/api/v1/health", tags=["health"], summary="Is the career platform up")
async def get_health(request: Request) -> JSONResponse:
    """Answer 200 with status healthy, or degraded when the database is slow, away or out of connections."""
    return JSONResponse(await resolve(request, Health).check())


@router.get("/api/v1/status", tags=["health"], summary="How the process and its pool are doing")
async def get_status(request: Request) -> JSONResponse:
    """Answer version, uptime and the pool's connections without asking the database."""
    return JSONResponse(resolve(request, Health).get_status())


@router.get("/api/v1/metrics/memory", tags=["health"], summary="Memory of the process", responses=errors(401))
async def get_memory(request: Request, account: CurrentAccount) -> JSONResponse:  # noqa: ARG001 - for its 401
    """Answer heapUsed and heapTotal in bytes."""
    return JSONResponse(resolve(request, Health).get_memory())
