"""Joins and audit: a user with API keys, and a change of an order with its row in the audit, both or neither.

Right is: every changed order has its audit rows, and no audit row is without its change.
"""

from __future__ import annotations

from locust import task

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from psycopg import Connection

from locustfiles.database import DatabaseUser, chosen_size, proven, value_of
from plimsoll import Queries, Step, record_run, sql_request_names

record_run()

JOIN = """
    SELECT u.id, u.name, k.key FROM load.users u JOIN load.api_keys k ON k.user_id = u.id WHERE u.id = %(id)s
"""


class AuditUser(DatabaseUser):
    """Read a user with keys, or note a change in an order and in the audit."""

    queries = Queries(
        {
            "audit.user_with_keys": JOIN,
            "audit.change": "UPDATE load.orders SET note = note || 'x' WHERE id = %(id)s",
            "audit.note": "INSERT INTO load.audit (table_name, row_id, action)"
            " VALUES ('orders', %(id)s, 'change')",
        }
    )
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names("audit.transaction")
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "read_user": ("audit.user_with_keys",),
        "change_order": ("audit.change", "audit.note", "audit.transaction.commit", "audit.transaction"),
    }

    @task
    def read_user(self) -> None:
        """Read a user and its keys."""
        self.sql.run("audit.user_with_keys", id=random.randint(1, chosen_size()[1].users))

    @task
    def change_order(self) -> None:
        """Change an order and say so."""
        order = random.randint(1, chosen_size()[1].orders)
        with self.sql.transaction("audit.transaction"):
            self.sql.run("audit.change", id=order)
            self.sql.run("audit.note", id=order)


@proven("every change is in the audit")
def every_change_is_in_the_audit(connection: Connection[Any]) -> str:
    """Say how many more changes the orders have than the audit, or fewer."""
    changes = value_of(connection, "SELECT sum(length(note)) FROM load.orders")
    noted = value_of(connection, "SELECT count(*) FROM load.audit WHERE action = 'change'")
    return f"orders have {changes} changes, the audit {noted}" if changes != noted else ""
