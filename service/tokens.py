"""Signed bearer tokens (JWT, HS256)."""

import time
from dataclasses import dataclass
from functools import lru_cache

import jwt

from service.errors import UnauthorizedError

TOKEN_LIFETIME_S = 12 * 3600
"""Longer than the longest load (an 8 h soak), so that no journey has to log in again."""
REMEMBERED_TOKENS = 16_384


@dataclass(frozen=True)
class Account:
    """Who is asking, as the token says; *student_id* is None for an admin."""

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
