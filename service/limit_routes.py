"""Routes by which a test sets the service's own limits."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from service.routing import AdminAccount, errors, services

router = APIRouter(prefix="/api/v1/admin", tags=["admin"])


class RateLimitSetting(BaseModel):
    """The most requests a second; null for no limit."""

    requestsPerS: float | None = Field(gt=0, le=1_000_000)  # noqa: N815 - the name on the wire


@router.put(
    "/rate-limits/trending",
    summary="Limit trending, or set it free",
    responses=errors(400, 401, 403, 422),
)
async def limit_trending(request: Request, account: AdminAccount, setting: RateLimitSetting) -> JSONResponse:  # noqa: ARG001 - for its 403
    """Serve at most `requestsPerS` and answer 429 to what is above; this process only, until it ends."""
    services(request).trending_limit.set_rate(setting.requestsPerS)
    return JSONResponse(setting.model_dump())
