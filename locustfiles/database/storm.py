"""Connection storm: 150 users connect at once where 100 may, hold the connection for a while, and go.

Right is: those whom the server has room for are served, the others refused by 53300 at once, nobody hangs.
The users are of a role of their own, whose limit is 100 connections: no other run on the server is hindered.
"""

from __future__ import annotations

import gevent
from locust import constant, task
from locust.env import Environment

import secrets
from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier, Literal

from locustfiles.database import DatabaseUser, server_url
from plimsoll import Queries, SqlError, Step, record_run, set_up, sql_request_names

record_run()

ALLOWED = 100
HOLD_S = 5.0
TOO_MANY = "53300"
ROLE_LIMIT_S = 60.0


@set_up(limit_s=ROLE_LIMIT_S)
def role(environment: Environment) -> Generator[dict[str, str], None, None]:
    """Make a role that may have so many connections, yield its name and password, and drop it."""
    if not any(issubclass(each, ConnectionStormUser) for each in environment.user_classes):
        yield {}
        return
    name, password = f"plimsoll_storm_{secrets.token_hex(4)}", secrets.token_hex(16)
    with psycopg.connect(server_url(environment), autocommit=True) as connection:
        create = SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}")
        connection.execute(create.format(Identifier(name), Literal(ALLOWED), Literal(password)))
        try:
            yield {"user": name, "password": password}
        finally:
            end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s"
            connection.execute(end, [name])
            connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))


class ConnectionStormUser(DatabaseUser):
    """Connect, hold the connection for 5 s, close it, and come again a second later."""

    wait_time = constant(1)
    hold_s = HOLD_S
    queries = Queries({"storm.hold": "SELECT 1 FROM pg_sleep(%(hold_s)s)"})
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names()
    metric_names: ClassVar[frozenset[str]] = frozenset({"storm.refused_by_limit"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "connect": ("sql.connect", "storm.hold", HOLD_S, {"storm.refused_by_limit": 1 / 3}),
    }

    @classmethod
    def run_url(cls) -> str:
        """Return the URL of the run's database, as a role that may not have a connection for each."""
        return make_conninfo(super().run_url(), **role.result)

    @task
    def connect(self) -> None:
        """Hold a connection; a refusal must be that of the limit."""
        try:
            self.sql.run("storm.hold", hold_s=self.hold_s)
        except SqlError as error:
            self.rate("storm.refused_by_limit", error.sqlstate == TOO_MANY)
            gevent.sleep(self.hold_s)
        finally:
            self.sql.close()
