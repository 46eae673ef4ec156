"""Routes of accounts: register, log in, profile."""

import json
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from service.routing import CurrentAccount, errors, json_answer, services

router = APIRouter()

Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


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
        await services(request).accounts.register(registration.email, registration.password), 201
    )


@router.post("/api/auth/login", tags=["auth"], summary="Get a token", responses=errors(400, 401, 422))
async def log_in(request: Request, credentials: Credentials) -> Response:
    """Answer token, userId, studentId and role; 401 when address and password do not belong together."""
    login = await services(request).accounts.log_in(credentials.email, credentials.password)
    return json_answer(json.dumps(login).encode())


@router.get("/api/users/profile", tags=["profile"], summary="One's own profile", responses=errors(401))
async def get_profile(request: Request, account: CurrentAccount) -> Response:
    """Answer name, email, role and preferences."""
    return json_answer(await services(request).accounts.get_profile(account))


@router.put(
    "/api/users/profile", tags=["profile"], summary="Change one's profile", responses=errors(400, 401, 422)
)
async def update_profile(request: Request, account: CurrentAccount, update: ProfileUpdate) -> Response:
    """Store name and preferences and answer the profile as it is now."""
    accounts = services(request).accounts
    return json_answer(await accounts.update_profile(account, update.name, update.preferences))
