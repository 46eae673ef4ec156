"""Routes that say how the service is doing."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from service.routing import CurrentAccount, errors, services

router = APIRouter()


@router.get("/health", tags=["health"], summary="Is the process up")
async def get_liveness(request: Request) -> JSONResponse:
    """Answer 200 without asking the database."""
    return JSONResponse(services(request).health.answer("healthy"))


@router.get("/api/health", tags=["health"], summary="Is the shop up")
@router.get("/api/v1/health", tags=["health"], summary="Is the career platform up")
async def get_health(request: Request) -> JSONResponse:
    """Answer 200 with status healthy, or degraded when the database is slow, away or out of connections."""
    return JSONResponse(await services(request).health.check())


@router.get("/api/v1/status", tags=["health"], summary="How the process and its pool are doing")
async def get_status(request: Request) -> JSONResponse:
    """Answer version, uptime and the pool's connections without asking the database."""
    return JSONResponse(services(request).health.get_status())


@router.get("/api/v1/metrics/memory", tags=["health"], summary="Memory of the process", responses=errors(401))
async def get_memory(request: Request, account: CurrentAccount) -> JSONResponse:  # noqa: ARG001 - for its 401
    """Answer heapUsed and heapTotal in bytes."""
    return JSONResponse(services(request).health.get_memory())
