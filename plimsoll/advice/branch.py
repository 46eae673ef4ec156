"""A copy of a database to try things on, which is dropped however that ends."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

MAINTENANCE = ("postgres", "template1")


class Branch(NamedTuple):
    """A copy of a database, by its name and its URL."""

    name: str
    url: str


class BranchError(Exception):
    """No copy could be made; the message says why, and what would help."""


@contextmanager
def branch_of(database_url: str, template: str | None = None) -> Iterator[Branch]:
    """Copy the database of a URL, or the one named *template* on its server; yield the copy.

    Raises BranchError where the server refuses.
    """
    source = template or str(conninfo_to_dict(database_url).get("dbname") or "postgres")
    maintenance = next(name for name in MAINTENANCE if name != source)
    name = f"plimsoll_{datetime.now(UTC):%Y%m%dt%H%M%S}_{secrets.token_hex(3)}"
    with psycopg.connect(make_conninfo(database_url, dbname=maintenance), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        try:
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(source)))
        except psycopg.errors.ObjectInUse as error:
            raise BranchError(
                f"{source!r} has open sessions, so it cannot be copied: end them, or make a copy without any"
                f" once (CREATE DATABASE copy TEMPLATE {source}) and give its name by --template"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise BranchError(
                f"the role may not copy {source!r}: it needs CREATEDB, and to own it or IS_TEMPLATE"
            ) from error
        try:
            yield Branch(name, make_conninfo(database_url, dbname=name))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
