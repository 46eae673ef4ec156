"""What the routes of all areas share: the services, types of parameters, documented errors, JSON answers."""

from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from service.errors import ApiError

BIGINT_MAX = 2**63 - 1
Id = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
BodyId = Annotated[int, Field(ge=1, le=BIGINT_MAX)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]
Service = TypeVar("Service")


def resolve(connection: HTTPConnection, kind: type[Service]) -> Service:
    """Return the application's service of a class; called, not injected: that is cheaper on every request."""
    service: Service = connection.app.state.services[kind]
    return service


class ErrorBody(BaseModel):
    """Every answer with a status from 400 on."""

    error: str
    detail: Any = None


ERRORS = {
    400: "Malformed JSON",
    401: "No token, or not a valid one",
    403: "Not for this account",
    404: "No such thing",
    409: "The present state does not allow it",
    413: "Body too large",
    422: "Input not acceptable",
    429: "More than the rate limit",
    503: "Database not available",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error answers for OpenAPI."""
    return {status: {"description": ERRORS[status], "model": ErrorBody} for status in statuses}


def error_answer(error: ApiError) -> JSONResponse:
    """Send an error in the common form."""
    return JSONResponse({"error": error.message, "detail": error.detail}, error.status, error.headers)


def json_answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Send JSON that PostgreSQL has built, as it is."""
    return Response(body, status, headers, "application/json")
