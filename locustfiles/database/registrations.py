"""Arrivals in SQL: each who arrives is registered once, by an INSERT with a unique address.

Right is: each is registered, and soon, counted from when it was to arrive.
"""

from __future__ import annotations

from locust import task

import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.database import DatabaseUser
from plimsoll import Queries, Step, record_run, sql_request_names

record_run()

REGISTER = "INSERT INTO load.registrations (email) VALUES (%(email)s)"


class RegistrationsUser(DatabaseUser):
    """Register once."""

    queries = Queries({"registrations.register": REGISTER})
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {"register": ("registrations.register",)}

    @task
    def register(self) -> None:
        """Insert an address that nobody has."""
        self.sql.run("registrations.register", email=f"{uuid.uuid4()}@load.test")
