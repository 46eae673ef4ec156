"""The ASGI application: services wired to a database, routes, errors as JSON."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from service import (
    account_routes,
    career_routes,
    graphql_routes,
    health_routes,
    heavy_routes,
    limit_routes,
    order_routes,
    page_routes,
    parent_routes,
    room_routes,
    school_routes,
)
from service.accounts import Accounts
from service.body_limit import BodyLimit
from service.careers import Careers
from service.database import Database
from service.errors import ApiError
from service.graphql_service import Graphql
from service.health import Health
from service.jobs import Jobs
from service.orders import Orders
from service.parents import Parents
from service.rate_limit import RateLimit
from service.reports import build_report
from service.rooms import Rooms
from service.routing import Services, error_answer
from service.schools import Schools
from service.tokens import Tokens
from service.ttl_cache import TtlCache

TRENDING_TTL_S = 5.0
STATIC = Path(__file__).parent / "static"
AREAS = (
    account_routes,
    career_routes,
    order_routes,
    parent_routes,
    school_routes,
    graphql_routes,
    room_routes,
    page_routes,
    heavy_routes,
    limit_routes,
    health_routes,
)


def create_app(conninfo: str, token_secret: str, version: str) -> FastAPI:
    """Build the application; its database must be prepared, the pool opens when the application starts."""
    database = Database(conninfo)
    services = _wire(database, Tokens(token_secret), version)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with database.opened(), services.report_jobs.worked_off():
            yield

    app = FastAPI(title="Plimsoll service", version=version, lifespan=lifespan)
    app.state.services = services
    for routes in AREAS:
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(BodyLimit)
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_unexpected)
    return app


def _wire(database: Database, tokens: Tokens, version: str) -> Services:
    careers = Careers(database)
    return Services(
        accounts=Accounts(database, tokens),
        careers=careers,
        orders=Orders(database),
        parents=Parents(database),
        graphql=Graphql(database, careers),
        schools=Schools(database),
        report_jobs=Jobs(database, build_report),
        health=Health(database, version),
        tokens=tokens,
        trending=TtlCache(careers.get_trending, TRENDING_TTL_S),
        trending_limit=RateLimit(),
        rooms=Rooms(),
    )


def _error(
    status: int, message: str, detail: object, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"error": message, "detail": detail}, status, headers)


async def _answer_api_error(_: Request, error: Exception) -> JSONResponse:
    return error_answer(cast("ApiError", error))


async def _answer_invalid(_: Request, error: Exception) -> JSONResponse:
    # The input itself is left out: it may hold a password.
    faults = [
        {"where": ".".join(map(str, fault["loc"])), "what": fault["msg"], "type": fault["type"]}
        for fault in cast("RequestValidationError", error).errors()
    ]
    if any(fault["type"] == "json_invalid" for fault in faults):
        return _error(400, "the body is not valid JSON", jsonable_encoder(faults))
    return _error(422, "the input is not acceptable", jsonable_encoder(faults))


async def _answer_http_error(_: Request, error: Exception) -> JSONResponse:
    error = cast("HTTPException", error)
    return _error(error.status_code, error.detail, None, error.headers)


async def _answer_unexpected(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - logged by the server
    return _error(500, "the service failed; its log says why", None)
