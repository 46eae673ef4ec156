"""Schools: enrolment of many students at once, and their removal."""

import asyncio
import secrets
from collections.abc import Sequence

from service.database import Database
from service.errors import ConstraintError, NotFoundError
from service.passwords import hash_password


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
