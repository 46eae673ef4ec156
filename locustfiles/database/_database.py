"""A database of the run's own: made and filled before the load, asked for invariants and dropped after."""

from __future__ import annotations

import gevent
from locust import constant
from locust.env import Environment

import os
import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, ClassVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from locustfiles.database._data import chosen_size, fill
from plimsoll import SqlUser, Step, set_up

Ask = Callable[["psycopg.Connection[Any]"], str]

DATABASE_VARIABLE = "DATABASE_URL"
SET_UP_LIMIT_S = 600.0
LEFT_LIMIT_S = 10.0
FILLER, JUDGE = "plimsoll-filler", "plimsoll-judge"
"""The application names of the sessions that are not the users'."""


@set_up(limit_s=SET_UP_LIMIT_S)
def database(environment: Environment) -> Generator[dict[str, str], None, None]:
    """Make and fill a database for the SQL users of this run, yield its URL, and drop it; else do nothing."""
    if not any(issubclass(each, DatabaseUser) for each in environment.user_classes):
        yield {}
        return
    server = server_url(environment)
    _, size = chosen_size()
    name = f"plimsoll_{datetime.now(UTC):%Y%m%dt%H%M%S}_{secrets.token_hex(3)}"
    with psycopg.connect(server, autocommit=True, application_name=FILLER) as connection:
        try:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            url = make_conninfo(server, dbname=name)
            with psycopg.connect(url, application_name=FILLER) as own:
                fill(own, size)
            with psycopg.connect(url, autocommit=True, application_name=FILLER) as own:
                own.execute("ANALYZE")
            yield {"url": url}
        finally:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def server_url(environment: Environment) -> str:
    """Return the URL of the server to load: that of --database-url, or of DATABASE_URL.

    Raises ValueError where neither is given.
    """
    named = getattr(environment.parsed_options, "database_url", None) or os.environ.get(DATABASE_VARIABLE)
    if not named:
        raise ValueError(f"the SQL journeys need a PostgreSQL server: set {DATABASE_VARIABLE}")
    return str(named)


class DatabaseUser(SqlUser):
    """A user of the run's own database, whose tables are in the schema `load`."""

    abstract = True
    wait_time = constant(0.1)
    request_names: ClassVar[frozenset[str]] = frozenset()
    metric_names: ClassVar[frozenset[str]] = frozenset()
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {}

    def __init__(self, environment: Environment) -> None:
        type(self).database_url = self.run_url()
        super().__init__(environment)

    @classmethod
    def run_url(cls) -> str:
        """Return the URL of this run's database."""
        return database.result["url"]


def proven(name: str) -> Callable[[Ask], Ask]:
    """Have a function ask the run's database what is wrong after the load, "" for nothing."""

    def declare(ask: Ask) -> Ask:
        @database.invariant(name)
        def asked(environment: Environment) -> str:  # noqa: ARG001 - as the suite calls it
            if "url" not in database.result:  # no user of the run is of this database
                return ""
            with psycopg.connect(database.result["url"], application_name=JUDGE) as connection:
                return ask(connection)

        return ask

    return declare


def value_of(connection: psycopg.Connection[Any], statement: str) -> int:
    """Return the number that a statement has as its only value."""
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


def sessions_left(connection: psycopg.Connection[Any], application_name: str, *, idle: bool) -> int:
    """Return how many sessions there are, idle ones too or not, as soon as that is none or LEFT_LIMIT_S over.

    A session is there for a moment after its client has closed it.
    """
    connection.autocommit = True  # within a transaction the server's activity stands still
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = %s AND (%s OR state <> 'idle')"
    )
    give_up_s = monotonic() + LEFT_LIMIT_S
    while True:
        ((left,),) = connection.execute(statement, [application_name, idle]).fetchall()
        if not left or monotonic() > give_up_s:
            return int(left)
        gevent.sleep(0.05)
