"""What the routes of all areas share: services, identity, error documentation, plain JSON answers."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from service.accounts import Accounts
from service.careers import Careers
from service.errors import ApiError, ForbiddenError, UnauthorizedError
from service.graphql_service import Graphql
from service.health import Health
from service.jobs import Jobs
from service.orders import Orders
from service.parents import Parents
from service.rate_limit import RateLimit
from service.rooms import Rooms
from service.schools import Schools
from service.tokens import Account, Tokens
from service.ttl_cache import TtlCache

BIGINT_MAX = 2**63 - 1
Id = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
BodyId = Annotated[int, Field(ge=1, le=BIGINT_MAX)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]


@dataclass(frozen=True)
class Services:
    """Everything a route may call."""

    accounts: Accounts
    careers: Careers
    orders: Orders
    parents: Parents
    schools: Schools
    graphql: Graphql
    report_jobs: Jobs
    health: Health
    tokens: Tokens
    trending: TtlCache
    trending_limit: RateLimit
    rooms: Rooms


def services(connection: HTTPConnection) -> Services:
    """Return the application's services; called, not injected, because that is cheaper on every request."""
    found: Services = connection.app.state.services
    return found


def account_of(connection: HTTPConnection) -> Account:
    """Read the account out of the bearer token.

    Raises:
        UnauthorizedError: there is none, or not a valid one.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthorizedError("this needs the header Authorization: Bearer TOKEN")
    return services(connection).tokens.verify(token.strip())


class BearerAccount(HTTPBearer):
    """Require a bearer token and read the account out of it; documents itself in OpenAPI."""

    async def __call__(self, request: Request) -> Account:  # type: ignore[override]  # an account, not credentials
        """Raise UnauthorizedError without a valid token."""
        return account_of(request)


CurrentAccount = Annotated[Account, Depends(BearerAccount(scheme_name="token", bearerFormat="JWT"))]


def _require_admin(account: CurrentAccount) -> Account:
    if account.role != "admin":
        raise ForbiddenError("only admins may see this", {"role": account.role})
    return account


AdminAccount = Annotated[Account, Depends(_require_admin)]


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
