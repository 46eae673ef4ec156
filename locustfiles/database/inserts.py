"""Single inserts, each a transaction of its own.

Right is: each is acknowledged, and soon.
"""

from __future__ import annotations

from locust import task

from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.database import DatabaseUser
from plimsoll import Queries, Step, record_run, sql_request_names

record_run()

INSERT = "INSERT INTO load.documents (text, data) VALUES (%(text)s, '{}') RETURNING id"


class InsertsUser(DatabaseUser):
    """Insert a row, ten times a second."""

    queries = Queries({"inserts.single": INSERT})
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {"insert": ("inserts.single",)}

    @task
    def insert(self) -> None:
        """Insert a short text."""
        self.sql.run("inserts.single", text="A short text")
