"""Who is asking: password hashes, bearer tokens (JWT, HS256), and the account that a request comes from."""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import jwt
from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from service.errors import ForbiddenError, UnauthorizedError
from service.routing import resolve

# Far below the cost that guards real passwords (N=2**17): this service exists to be logged into by thousands
# of simulated users on two cores. Hashes carry their own parameters, so a change here leaves old ones valid.
COST_N, BLOCK_R, PARALLEL_P = 2**12, 8, 1
TOKEN_LIFETIME_S = 12 * 3600
"""Longer than the longest load (an 8 h soak), so that no journey has to log in again."""
REMEMBERED_TOKENS = 16_384


def hash_password(password: str) -> str:
    """Hash *password* by scrypt with a fresh salt: `scrypt$N$r$p$SALT$HASH`, the last two in base64."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, COST_N, BLOCK_R, PARALLEL_P)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(["scrypt", str(COST_N), str(BLOCK_R), str(PARALLEL_P), *encoded])


def password_matches(password: str, stored: str) -> bool:
    """Return whether *stored*, made by `hash_password`, is a hash of *password*."""
    _, n, r, p, salt, digest = stored.split("$")
    actual = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(actual, base64.b64decode(digest))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=32)


@dataclass(frozen=True)
class Account:
    """Who is asking, as the token says; *student_id* is None for admins and parents."""

    user_id: int
    student_id: int | None
    role: str


class Tokens:
    """Issues and verifies tokens signed with one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        # A signature is checked once; the expiry, which passes with time, at every request.
        self._decode = lru_cache(maxsize=REMEMBERED_TOKENS)(self._decode_signed)

    def issue(self, account: Account, lifetime_s: float = TOKEN_LIFETIME_S) -> str:
        """Sign a token for *account* that is valid for *lifetime_s* seconds."""
        claims = {
            "sub": str(account.user_id),
            "student_id": account.student_id,
            "role": account.role,
            "exp": int(time.time() + lifetime_s),
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def verify(self, token: str) -> Account:
        """Read the account out of *token*.

        Raises:
            UnauthorizedError: the token is malformed, signed with another secret, or expired.
        """
        try:
            account, expires_at_s = self._decode(token)
        except jwt.InvalidTokenError as error:
            raise UnauthorizedError("the bearer token is not valid", str(error)) from error
        if expires_at_s <= time.time():
            raise UnauthorizedError("the bearer token has expired")
        return account

    def _decode_signed(self, token: str) -> tuple[Account, float]:
        claims = jwt.decode(
            token,
            self._secret,
            algorithms=["HS256"],
            options={"require": ["sub", "exp", "role"], "verify_exp": False},
        )
        return Account(int(claims["sub"]), claims.get("student_id"), claims["role"]), float(claims["exp"])


def account_of(connection: HTTPConnection) -> Account:
    """Read the account out of the bearer token.

    Raises:
        UnauthorizedError: there is no token, or it is not valid.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthorizedError("this needs the header Authorization: Bearer TOKEN")
    return resolve(connection, Tokens).verify(token.strip())


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
