"""Query patterns: index scan, join, aggregate, full text, window and recursive query, each explained.

Right is: each has a plan that was executed; how long planning and execution took is recorded of all.
"""

from __future__ import annotations

from locust import task

from collections.abc import Mapping, Sequence
from typing import ClassVar

from locustfiles.database import DatabaseUser
from plimsoll import Step, record_run, sql_request_names

record_run()

PATTERNS = {
    "patterns.index_scan": "SELECT * FROM load.users WHERE email = 'user7@load.test'",
    "patterns.join": "SELECT u.name, p.title, count(c.id) FROM load.users u"
    " JOIN load.posts p ON p.user_id = u.id"
    " LEFT JOIN load.comments c ON c.post_id = p.id WHERE u.id = 7 GROUP BY u.name, p.title",
    "patterns.aggregate": "SELECT user_id, count(*) FROM load.posts GROUP BY user_id"
    " ORDER BY 2 DESC LIMIT 10",
    "patterns.full_text": "SELECT id, title FROM load.posts WHERE words @@ to_tsquery('lighthouse') LIMIT 20",
    "patterns.window": "SELECT id, row_number() OVER (PARTITION BY user_id ORDER BY created_at)"
    " FROM load.posts WHERE user_id < 100",
    "patterns.recursive": "WITH RECURSIVE thread AS (SELECT id, 1 AS depth FROM load.posts WHERE id = 1"
    " UNION ALL SELECT p.id, depth + 1 FROM load.posts p JOIN thread t ON p.parent_id = t.id)"
    " SELECT max(depth) FROM thread",
}
TIMES = frozenset({"patterns.planning_ms", "patterns.execution_ms"})


class QueryPatternsUser(DatabaseUser):
    """Have each of six patterns executed and explained, one after the other."""

    request_names: ClassVar[frozenset[str]] = frozenset(PATTERNS) | sql_request_names()
    metric_names: ClassVar[frozenset[str]] = TIMES
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "explain_all": (*PATTERNS, dict.fromkeys(sorted(TIMES), float(len(PATTERNS)))),
    }

    @task
    def explain_all(self) -> None:
        """Record how long the server planned and executed each."""
        for name, statement in PATTERNS.items():
            plan = self.sql.explain(name, statement)
            self.observe("patterns.planning_ms", plan["Planning Time"])
            self.observe("patterns.execution_ms", plan["Execution Time"])
