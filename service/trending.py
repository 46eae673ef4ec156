"""The most chosen careers: computed every few seconds, cached, and limited in rate if an admin says so."""

import asyncio
import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from service.authentication import AdminAccount, CurrentAccount
from service.database import Database
from service.errors import TooManyRequestsError
from service.routing import errors, json_answer, resolve

router = APIRouter(prefix="/api/v1")

TTL_S = 5.0
BURST_S = 0.1
"""Requests not used within this time may be sent at once, at least one."""


class RateLimit:
    """A token bucket: it fills at the rate, and every request takes a token; off until a rate is set."""

    def __init__(self) -> None:
        self._rate_per_s: float | None = None
        self._tokens = 0.0
        self._filled_at_s = 0.0

    def set_rate(self, rate_per_s: float | None) -> None:
        """Serve at most *rate_per_s* requests a second from now on, any number with None."""
        self._rate_per_s = rate_per_s
        self._tokens = 0.0

    def take(self, now_s: float) -> None:
        """Take a request at *now_s*, seconds of a clock that never goes back.

        Raises:
            TooManyRequestsError: it is over the rate.
        """
        if self._rate_per_s is None:
            return
        capacity = max(1.0, self._rate_per_s * BURST_S)
        filled = self._tokens + (now_s - self._filled_at_s) * self._rate_per_s
        self._tokens, self._filled_at_s = min(capacity, filled), now_s
        if self._tokens < 1:
            raise TooManyRequestsError(
                f"at most {self._rate_per_s:g} of these requests a second are served",
                {"requestsPerS": self._rate_per_s},
            )
        self._tokens -= 1


class Trending:
    """Keeps the ten most chosen careers for TTL_S seconds, and the limit on how often they are served."""

    def __init__(self, database: Database) -> None:
        self.limit = RateLimit()
        self._database = database
        self._answer = b""
        self._fresh_until_s = float("-inf")
        self._computing = asyncio.Lock()

    async def get(self) -> tuple[bytes, bool]:
        """Return the careers as JSON, and whether the cache had them."""
        if time.monotonic() < self._fresh_until_s:
            return self._answer, True
        async with self._computing:  # one computes, the others wait for it
            if time.monotonic() < self._fresh_until_s:
                return self._answer, True
            answer = await self._database.fetch_json("get_trending")
            assert answer is not None
            self._answer, self._fresh_until_s = answer, time.monotonic() + TTL_S
            return answer, False


class RateLimitSetting(BaseModel):
    """The most requests a second; null for no limit."""

    requestsPerS: float | None = Field(gt=0, le=1_000_000)  # noqa: N815 - the name on the wire


@router.get(
    "/careers/trending",
    tags=["careers"],
    summary="The ten most chosen careers",
    responses=errors(401, 403, 404, 429),
)
async def get_trending(request: Request, account: CurrentAccount) -> Response:  # noqa: ARG001 - for its 401
    """Answer them with X-Cache: HIT, or MISS when they had to be counted; 429 above the rate that is set."""
    trending = resolve(request, Trending)
    trending.limit.take(time.monotonic())
    body, hit = await trending.get()
    return json_answer(body, headers={"X-Cache": "HIT" if hit else "MISS"})


@router.put(
    "/admin/rate-limits/trending",
    tags=["admin"],
    summary="Limit trending, or set it free",
    responses=errors(400, 401, 403, 422),
)
async def limit_trending(request: Request, account: AdminAccount, setting: RateLimitSetting) -> JSONResponse:  # noqa: ARG001 - for its 403
    """Serve at most `requestsPerS` and answer 429 to what is above; this process only, until it ends."""
    resolve(request, Trending).limit.set_rate(setting.requestsPerS)
    return JSONResponse(setting.model_dump())
