"""The ASGI application: services wired to a database, routes, errors as JSON."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from service import (
    accounts,
    careers,
    graphql_api,
    health,
    orders,
    pages,
    parents,
    reports,
    rooms,
    schools,
    trending,
)
from service.authentication import Tokens
from service.database import Database
from service.errors import ApiError
from service.protocols import BodyLimit
from service.routing import error_answer

AREAS = (accounts, careers, trending, orders, parents, schools, reports, graphql_api, rooms, pages, health)


def create_app(conninfo: str, token_secret: str, version: str) -> FastAPI:
    """Build the application; its database must be prepared, the pool opens when the application starts."""
    database, tokens = Database(conninfo), Tokens(token_secret)
    jobs, career_service = reports.Jobs(database), careers.Careers(database)
    services = (
        tokens,
        jobs,
        career_service,
        accounts.Accounts(database, tokens),
        trending.Trending(database),
        orders.Orders(database),
        parents.Parents(database),
        schools.Schools(database),
        graphql_api.Graphql(database, career_service),
        rooms.Rooms(),
        health.Health(database, version),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with database.opened(), jobs.worked_off():
            yield

    app = FastAPI(title="Plimsoll service", version=version, lifespan=lifespan)
    app.state.services = {type(service): service for service in services}
    for area in AREAS:
        app.include_router(area.router)
    app.include_router(pages.heavy_files)
    app.mount("/static", StaticFiles(directory=pages.FOLDER / "static"), name="static")
    app.add_middleware(BodyLimit)
    for kind in (ApiError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer_error)
    return app


async def _answer_error(_: Request, error: Exception) -> JSONResponse:
    """Answer every error in the common form."""
    if isinstance(error, ApiError):
        return error_answer(error)
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail, "detail": None}, error.status_code, error.headers)
    if isinstance(error, RequestValidationError):
        # The input itself is left out: it may hold a password.
        faults = [
            {"where": ".".join(map(str, fault["loc"])), "what": fault["msg"], "type": fault["type"]}
            for fault in error.errors()
        ]
        is_json = all(fault["type"] != "json_invalid" for fault in faults)
        status, message = (
            (422, "the input is not acceptable") if is_json else (400, "the body is not valid JSON")
        )
        return JSONResponse({"error": message, "detail": jsonable_encoder(faults)}, status)
    # The server logs it.
    return JSONResponse({"error": "the service failed; its log says why", "detail": None}, 500)
