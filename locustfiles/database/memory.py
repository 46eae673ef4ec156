"""Memory pressure: texts and JSON documents of 1 MB, written and read back.

Right is: each is read as it was written. The memory of the process that loads is recorded.
"""

from __future__ import annotations

from locust import constant, task

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

import psutil

from locustfiles.database import DatabaseUser
from plimsoll import Queries, Step, record_run, sql_request_names

record_run()

SIZE = 1_000_000
MIB = 2**20
WRITE = "INSERT INTO load.documents (text, data) VALUES (%(text)s, %(data)s) RETURNING id"


class MemoryPressureUser(DatabaseUser):
    """Write a text and a document of 1 MB each, read and delete them, every second."""

    wait_time = constant(1)
    queries = Queries(
        {
            "memory.write": WRITE,
            "memory.read": "SELECT text, data->>'text' FROM load.documents WHERE id = %(id)s",
            "memory.delete": "DELETE FROM load.documents WHERE id = %(id)s",
        }
    )
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    metric_names: ClassVar[frozenset[str]] = frozenset({"memory.rss_mib", "memory.same"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "keep_much": (*("memory.write", "memory.read", "memory.delete"), "memory.same", "memory.rss_mib"),
    }

    @task
    def keep_much(self) -> None:
        """Write and read 2 MB."""
        text = "x" * SIZE
        ((own,),) = self.sql.run("memory.write", text=text, data=json.dumps({"text": text}))
        found = self.sql.run("memory.read", id=own)
        self.sql.run("memory.delete", id=own)
        self.rate("memory.same", found == [(text, text)])
        self.gauge("memory.rss_mib", psutil.Process().memory_info().rss / MIB)
