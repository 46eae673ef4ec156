"""CRUD: create, get, update, delete softly and restore a user, and find one by name and by address.

Right is: each gets what was written before.
"""

from __future__ import annotations

from locust import task

import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.database import DatabaseUser
from plimsoll import Queries, Step, record_run, sql_request_names

record_run()

STATEMENTS = {
    "crud.create": "INSERT INTO load.users (email, name) VALUES (%(email)s, %(name)s) RETURNING id",
    "crud.get": "SELECT id, name FROM load.users WHERE deleted_at IS NULL AND id = %(id)s",
    "crud.by_email": "SELECT id, name FROM load.users WHERE deleted_at IS NULL AND email = %(email)s",
    "crud.by_name": "SELECT id, name FROM load.users WHERE deleted_at IS NULL AND name = %(name)s",
    "crud.update": "UPDATE load.users SET name = %(name)s, updated_at = now() WHERE id = %(id)s",
    "crud.delete": "UPDATE load.users SET deleted_at = now() WHERE id = %(id)s RETURNING deleted_at IS NULL",
    "crud.restore": "UPDATE load.users SET deleted_at = NULL WHERE id = %(id)s RETURNING deleted_at IS NULL",
}


class CrudUser(DatabaseUser):
    """Make a user, and do all that can be done with it."""

    queries = Queries(STATEMENTS)
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    metric_names: ClassVar[frozenset[str]] = frozenset({"crud.right"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "live": (
            *("crud.create", "crud.get", "crud.by_email", "crud.by_name", "crud.update", "crud.delete"),
            *("crud.restore", "crud.right"),
        ),
    }

    @task
    def live(self) -> None:
        """Be made, found, renamed, deleted and restored."""
        email, name, renamed = (f"{each}-{uuid.uuid4()}" for each in ("email", "name", "renamed"))
        ((own,),) = self.sql.run("crud.create", email=email, name=name)
        found = [
            self.sql.run("crud.get", id=own),
            self.sql.run("crud.by_email", email=email),
            self.sql.run("crud.by_name", name=name),
        ]
        self.sql.run("crud.update", id=own, name=renamed)
        ((is_there,),) = self.sql.run("crud.delete", id=own)
        ((is_back,),) = self.sql.run("crud.restore", id=own)
        self.rate("crud.right", all(rows == [(own, name)] for rows in found) and not is_there and is_back)
