"""Who the users are: registration, login and profile."""

import asyncio
import json
from collections.abc import Mapping

from service.database import Database
from service.errors import ConflictError, ConstraintError, NotFoundError, UnauthorizedError
from service.passwords import hash_password, password_matches
from service.tokens import Account, Tokens

# Compared with when the address is unknown, so that the time of an answer does not tell who is registered.
NOBODYS_HASH = hash_password("nobody's")


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
        user_id, student_id, role, password_hash = row or (0, None, "", NOBODYS_HASH)
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
