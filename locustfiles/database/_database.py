"""A database of the run's own: made and filled before the load, asked for invariants and dropped after."""

from __future__ import annotations

import gevent
from locust import constant
from locust.env import Environment

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any, ClassVar

import psycopg

from locustfiles.database._data import chosen_size, fill
from plimsoll import SqlUser, Step, empty_branch, set_up

Ask = Callable[["psycopg.Connection[Any]"], str]

DATABASE_VARIABLE = "DATABASE_URL"
SET_UP_LIMIT_S = 600.0
LEFT_LIMIT_S = 10.0
JUDGE = "plimsoll-judge"
"""The application name of the sessions that ask for invariants."""


@set_up(limit_s=SET_UP_LIMIT_S)
def database(environment: Environment) -> Generator[dict[str, str], None, None]:
    """Make and fill a database for the SQL users of this run, yield its URL, and drop it; else do nothing."""
    if not any(issubclass(each, DatabaseUser) for each in environment.user_classes):
        yield {}
        return
    server = server_url(environment)
    _, size = chosen_size()
    with empty_branch(server, partial(fill, size=size)) as branch:
        yield {"url": branch.url}


def server_url(environment: Environment) -> str:
    """Return the URL of the server to load: that of --database-url, or of DATABASE_URL.

    Raises ValueError where neither is given.
    """
    named = getattr(environment.parsed_options, "database_url", None) or os.environ.get(DATABASE_VARIABLE)
    if not named:
        ways = f"give --database-url or --with-service, or set {DATABASE_VARIABLE}"
        raise ValueError(f"the SQL journeys need a PostgreSQL server: {ways}")
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
