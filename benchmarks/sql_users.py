"""Users who select rows of pgbench's accounts by their key, for `benchmarks.sql_generators`."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

from locust import User, constant, task

import os
import random
import time

import psycopg

from plimsoll import Queries, SqlUser, record_run

ACCOUNTS = 1_000_000
BY_KEY = "SELECT abalance FROM pgbench_accounts WHERE aid = {}"

if os.environ.get("RECORDED"):
    record_run()


class Keys(SqlUser):
    """Selects by a named query."""

    wait_time = constant(0)
    queries = Queries({"account": BY_KEY.format("%(aid)s")})

    @task
    def select(self) -> None:
        """Select one."""
        self.sql.run("account", aid=random.randrange(1, ACCOUNTS))


class PlainKeys(User):
    """Selects by psycopg as it is, and fires Locust's event by itself."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Connect."""
        self.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0)

    @task
    def select(self) -> None:
        """Select one."""
        began_s = time.perf_counter()
        self.connection.execute(BY_KEY.format("%s"), [random.randrange(1, ACCOUNTS)]).fetchall()
        elapsed_ms = (time.perf_counter() - began_s) * 1000
        fire = self.environment.events.request.fire
        fire(
            request_type="SQL",
            name="account",
            response_time=elapsed_ms,
            response_length=0,
            exception=None,
            context={},
        )
