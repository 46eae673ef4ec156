"""What can go wrong in the service, in one tree.

ServiceError                     whatever the service itself raises
├── StartError                  it cannot start; the process exits with status 1
│   └── SettingsError           because of what the user gave; the process exits with status 2
└── ApiError                    a request cannot be answered as asked; carries the HTTP status
    ├── InvalidInputError       422
    ├── UnauthorizedError       401
    ├── ForbiddenError          403
    ├── NotFoundError           404
    ├── ConflictError           409
    ├── TooManyRequestsError    429
    ├── UnavailableError        503
    └── ConstraintError         409 unless a service knows better; names the constraint
"""

from collections.abc import Mapping
from typing import ClassVar


class ServiceError(Exception):
    """Whatever the service itself raises."""


class StartError(ServiceError):
    """The service cannot start."""


class SettingsError(StartError):
    """The service cannot start with the options or environment it was given."""


class ApiError(ServiceError):
    """A request cannot be answered as asked; *status* is the HTTP status that says so."""

    status = 500
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, message: str, detail: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class InvalidInputError(ApiError):
    """The input is well-formed but not acceptable."""

    status = 422


class UnauthorizedError(ApiError):
    """The request has no account, or an unknown one."""

    status = 401
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class ForbiddenError(ApiError):
    """The account of the request has no access to this."""

    status = 403


class NotFoundError(ApiError):
    """There is no such thing."""

    status = 404


class ConflictError(ApiError):
    """The present state does not allow it."""

    status = 409


class TooManyRequestsError(ApiError):
    """More is asked for than is allowed to be."""

    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class UnavailableError(ApiError):
    """The database cannot be asked at present."""

    status = 503


class ConstraintError(ConflictError):
    """The database refused a row; *constraint* is the name of the rule in schema.sql."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"the database rule {constraint!r} forbids it")
        self.constraint = constraint
