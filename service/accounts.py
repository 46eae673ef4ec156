"""Accounts of users: registration, login and profile, and their routes."""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from service.authentication import Account, CurrentAccount, Tokens, hash_password, password_matches
from service.database import Database
from service.errors import ConflictError, ConstraintError, NotFoundError, UnauthorizedError
from service.routing import errors, json_answer, resolve

router = APIRouter()

Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]

# Compared with when the address is unknown, so that the time of an answer does not tell who is registered.
UNKNOWN_EMAIL_HASH = hash_password("")


class Accounts:
    """Registration, login and profiles."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens

    async def register(self, email: str, password: str) -> bytes:
        """Register a student and return it as JSON.

        Raises:
            ConflictError: the address is taken.
        """
        # In a thread: hashing would hold up every other request for its milliseconds of CPU time.
        password_hash = await asyncio.to_thread(hash_password, password)
        parameters = {"email": email, "password_hash": password_hash, "name": email.partition("@")[0]}
        try:
            registered = await self._database.fetch_json("register_student", parameters)
        except ConstraintError as error:
            raise ConflictError("this email address is taken", {"email": email}) from error
        assert registered is not None
        return registered

    async def log_in(self, email: str, password: str) -> dict[str, object]:
        """Return a token and whom it stands for.

        Raises:
            UnauthorizedError: address and password do not belong together.
        """
        row = await self._database.fetch_row("get_login", {"email": email})
        user_id, student_id, role, password_hash = row or (0, None, "", UNKNOWN_EMAIL_HASH)
        matches = await asyncio.to_thread(password_matches, password, password_hash)
        if row is None or not matches:
            raise UnauthorizedError("email or password is wrong")
        token = self._tokens.issue(Account(user_id, student_id, role))
        return {"token": token, "userId": user_id, "studentId": student_id, "role": role}

    async def get_profile(self, account: Account) -> bytes:
        """Return the account's own profile as JSON."""
        return _known(await self._database.fetch_json("get_profile", {"user_id": account.user_id}))

    async def update_profile(self, account: Account, name: str, preferences: Mapping[str, object]) -> bytes:
        """Store name and preferences and return the new profile as JSON."""
        parameters = {"user_id": account.user_id, "name": name, "preferences": json.dumps(preferences)}
        return _known(await self._database.fetch_json("update_profile", parameters))


def _known(profile: bytes | None) -> bytes:
    if profile is None:
        raise NotFoundError("the token's user does not exist any more")
    return profile


class Registration(BaseModel):
    """A new student."""

    email: Email
    password: str = Field(min_length=8, max_length=128)


class Credentials(BaseModel):
    """What a login is tried with."""

    email: str = Field(max_length=254)
    password: str = Field(max_length=128)


class ProfileUpdate(BaseModel):
    """What users may change about themselves."""

    name: str = Field(min_length=1, max_length=200)
    preferences: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=50)


@router.post(
    "/api/auth/register",
    tags=["auth"],
    summary="Register a student",
    status_code=201,
    responses=errors(400, 409, 422),
)
async def register(request: Request, registration: Registration) -> Response:
    """Answer 201 with userId and studentId; 409 when the address is taken."""
    return json_answer(
        await resolve(request, Accounts).register(registration.email, registration.password), 201
    )


@router.post("/api/auth/login", tags=["auth"], summary="Get a token", responses=errors(400, 401, 422))
async def log_in(request: Request, credentials: Credentials) -> Response:
    """Answer token, userId, studentId and role; 401 when address and password do not belong together."""
    login = await resolve(request, Accounts).log_in(credentials.email, credentials.password)
    return json_answer(json.dumps(login).encode())


@router.get("/api/users/profile", tags=["profile"], summary="One's own profile", responses=errors(401))
async def get_profile(request: Request, account: CurrentAccount) -> Response:
    """Answer name, email, role and preferences."""
    return json_answer(await resolve(request, Accounts).get_profile(account))


@router.put(
    "/api/users/profile", tags=["profile"], summary="Change one's profile", responses=errors(400, 401, 422)
)
async def update_profile(request: Request, account: CurrentAccount, update: ProfileUpdate) -> Response:
    """Store name and preferences and answer the profile as it is now."""
    accounts = resolve(request, Accounts)
    return json_answer(await accounts.update_profile(account, update.name, update.preferences))
