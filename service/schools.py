"""Schools: enrolment of many students at once, their removal, and their routes."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.accounts import Email
from service.authentication import AdminAccount, hash_password
from service.database import Database
from service.errors import ConstraintError, NotFoundError
from service.routing import BodyId, Id, errors, json_answer, resolve

router = APIRouter(prefix="/api/v1", tags=["schools"])

# So long that no slip of a hand removes everybody.
Prefix = Annotated[str, Query(min_length=8, max_length=254)]


class Schools:
    """Enrols students and removes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enroll(
        self, school_id: int, students: Sequence[tuple[str, str]], password: str | None
    ) -> bytes:
        """Register *students*, pairs of address and name, in one statement; return who was created as JSON.

        All get the same first *password*; without one they have none that anybody knows.

        Raises:
            NotFoundError: no such school.
        """
        # One hash for all: hashing a hundred would take a second of CPU time.
        password_hash = await asyncio.to_thread(hash_password, password or secrets.token_urlsafe())
        parameters = {
            "school_id": school_id,
            "emails": [email for email, _ in students],
            "names": [name for _, name in students],
            "password_hash": password_hash,
        }
        try:
            enrolled = await self._database.fetch_json("bulk_enroll", parameters)
        except ConstraintError as error:
            if error.constraint != "students_school":
                raise
            raise NotFoundError("there is no such school", {"schoolId": school_id}) from error
        assert enrolled is not None
        return enrolled

    async def remove(self, school_id: int, prefix: str) -> bytes:
        """Remove up to 1,000 students of a school whose addresses begin so; return how many as JSON."""
        parameters = {"school_id": school_id, "prefix": prefix}
        removed = await self._database.fetch_json("remove_students", parameters)
        assert removed is not None
        return removed


class NewStudent(BaseModel):
    """Somebody to enrol."""

    email: Email
    name: str = Field(min_length=1, max_length=200)


class Enrollment(BaseModel):
    """A list of students for one school."""

    schoolId: BodyId  # noqa: N815 - the name on the wire
    students: list[NewStudent] = Field(min_length=1, max_length=500)
    password: str | None = Field(default=None, min_length=8, max_length=128)


@router.post(
    "/schools/bulk-enroll", summary="Enrol many students at once", responses=errors(400, 401, 403, 404, 422)
)
async def bulk_enroll(request: Request, account: AdminAccount, enrollment: Enrollment) -> Response:  # noqa: ARG001 - for its 403
    """Answer `created`, the new `students`, and the addresses that were `taken` and are left as they are."""
    students = [(student.email, student.name) for student in enrollment.students]
    return json_answer(
        await resolve(request, Schools).enroll(enrollment.schoolId, students, enrollment.password)
    )


@router.delete("/schools/{school_id}/students", summary="Remove students", responses=errors(401, 403, 422))
async def remove_students(request: Request, account: AdminAccount, school_id: Id, prefix: Prefix) -> Response:  # noqa: ARG001 - for its 403
    """Remove those whose addresses begin with `prefix`, with all that is theirs; answer how many `removed`.

    These are at most 1,000 at once.
    """
    return json_answer(await resolve(request, Schools).remove(school_id, prefix))
