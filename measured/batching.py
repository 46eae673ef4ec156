"""GraphQL: the posts of 100 users in one batch beside a query for each user."""

from __future__ import annotations

import json
from pathlib import Path

from measured.measurement import Row, at_most
from tests.fix_bundled_service import running_service
from tests.fix_runs import ROOT
from tests.processes import finish, start_locust

USERS = ["locustfiles.graphql", "GraphqlQueriesUser"]


def measure(folder: Path) -> list[Row]:
    """Have one user ask for both in turn, without think time."""
    result = folder / "result.json"
    with running_service("--size", "small") as service:
        settings = {
            "JOURNEYS_USERS": json.dumps([[*USERS, service.url, "read_all_posts"]]),
            "JOURNEYS_RESULT": str(result),
            "JOURNEYS_ENOUGH": "[]",
        }
        command = [
            "-f",
            str(ROOT / "tests" / "no_think_time_users.py"),
            "--headless",
            "-t",
            "15s",
            "--only-summary",
        ]
        finish(start_locust(command, folder, settings))
    medians_ms = json.loads(result.read_text(encoding="utf-8"))["medians_ms"]
    batched_ms, singly_ms = medians_ms["graphql.posts_batched"], medians_ms["graphql.posts_singly"]
    return [at_most("median batched, beside half of it singly", batched_ms, singly_ms / 2, "ms")]
