"""Databases of their own, copied from a template and dropped however that ends: "branches" of PostgreSQL.

The name of a branch tells when it was made: plimsoll_20261130t170309_ab12cd. Who made it holds an advisory
lock of that name in the maintenance database for as long as it lives, so that a branch without one is left
over.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

MAINTENANCE = ("postgres", "template1")
PREFIX = "plimsoll_"
NAME = re.compile(rf"{PREFIX}(\d{{8}}t\d{{6}})_[0-9a-f]{{6}}")
NAME_TIME = "%Y%m%dt%H%M%S"
TEMPLATE_SUFFIX = "_filling"
COPIED_BY_LOG_BYTES = 100 * 2**20
"""Up to this size a copy is written to the log; a larger one is copied as files, which takes a checkpoint."""
DROP_LIMIT_S = 60.0
"""How long is tried to drop a branch whose server is away, as while it starts again."""
WANTED_URL = "postgresql://USER:PASSWORD@HOST:PORT/NAME"


class Branch(NamedTuple):
    """A copy of a database, by its name and its URL."""

    name: str
    url: str


class Leftover(NamedTuple):
    """A branch that nobody uses any more, when it was made, and how large it is."""

    name: str
    made: datetime
    size_bytes: int


class BranchError(Exception):
    """No copy could be made; the message says why, and what would help."""


def url_faults(url: str, setting: str) -> list[str]:
    """Return what is wrong with the URL of a database, of which nothing is quoted: it may hold a password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return [f"{setting} must look like {WANTED_URL}, got something unreadable"]
    if "-pooler." in str(parts.get("host", "")):
        return [
            f"{setting} is that of a pooler, whose sessions are not the user's: settings, locks and prepared"
            " statements would be lost; give the address without '-pooler'"
        ]
    return []


def maintenance_url(database_url: str, other_than: str = "") -> str:
    """Return the URL of a database of the same server that is there always, and is not that one."""
    return make_conninfo(database_url, dbname=next(name for name in MAINTENANCE if name != other_than))


@contextmanager
def branch_of(database_url: str, template: str | None = None) -> Iterator[Branch]:
    """Copy the database of a URL, or the one named *template* on its server; yield the copy, analyzed.

    Raises BranchError where the server refuses.
    """
    source = template or str(conninfo_to_dict(database_url).get("dbname") or "postgres")
    name = f"{PREFIX}{datetime.now(UTC):{NAME_TIME}}_{secrets.token_hex(3)}"
    maintenance = maintenance_url(database_url, source)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        try:
            # A client that ends meanwhile leaves the copy to be made all the same.
            with _explained(source):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                        sql.Identifier(name), sql.Identifier(source), _strategy(connection, source)
                    )
                )
            branch = Branch(name, make_conninfo(database_url, dbname=name))
            with psycopg.connect(branch.url, autocommit=True) as copy:
                copy.execute("ANALYZE")  # what is known of tables is not copied
            yield branch
        finally:
            drop(maintenance, name)


@contextmanager
def empty_branch(database_url: str, fill: Callable[["psycopg.Connection[Any]"], None]) -> Iterator[Branch]:
    """Make a database that `fill` fills; yield it, and drop it.

    Raises BranchError where the server refuses.
    """
    with branch_of(database_url, "template0") as branch:
        with psycopg.connect(branch.url) as connection:
            fill(connection)
        with psycopg.connect(branch.url, autocommit=True) as connection:
            connection.execute("VACUUM (FREEZE, ANALYZE)")  # else the first reads write
        yield branch


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """Turn what a server refuses into a message that says what would help."""
    try:
        yield
    except errors.ObjectInUse as error:
        raise BranchError(
            f"{source!r} has open sessions, so it cannot be copied: end them, or make a copy without any once"
            f" (CREATE DATABASE copy TEMPLATE {source}) and give its name as the template"
        ) from error
    except errors.InsufficientPrivilege as error:
        raise BranchError(
            f"the role may not copy {source!r}: it needs CREATEDB, and to own it or IS_TEMPLATE"
        ) from error
    except errors.InvalidCatalogName as error:
        raise BranchError(f"there is no database {source!r} to copy") from error


def _strategy(connection: "psycopg.Connection[Any]", source: str) -> sql.SQL:
    if connection.info.server_version < 15_00_00:
        return sql.SQL("")
    row = connection.execute("SELECT pg_database_size(%s)", [source]).fetchone()
    is_large = row is not None and row[0] > COPIED_BY_LOG_BYTES
    return sql.SQL("STRATEGY FILE_COPY" if is_large else "STRATEGY WAL_LOG")


def drop(maintenance: str, name: str) -> None:
    """Drop a branch with its sessions; a server that is away is waited for, for DROP_LIMIT_S.

    Raises psycopg.Error where it cannot be dropped.
    """
    give_up_s = time.monotonic() + DROP_LIMIT_S
    while True:
        try:
            with psycopg.connect(maintenance, autocommit=True) as connection:
                statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                connection.execute(statement.format(sql.Identifier(name)))
        except psycopg.OperationalError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.5)
        else:
            return


def leftovers(database_url: str) -> list[Leftover]:
    """Return the branches on the server of a URL that nobody uses any more, the oldest first.

    Raises psycopg.Error where the server cannot be asked.
    """
    found = []
    with psycopg.connect(maintenance_url(database_url), autocommit=True) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{PREFIX}%"])
        for (name,) in names.fetchall():
            match = NAME.fullmatch(name)
            if match is None:
                continue
            free = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone()
            if free == (True,):
                connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])
                size = connection.execute("SELECT pg_database_size(%s)", [name]).fetchone()
                made = datetime.strptime(match[1], NAME_TIME).replace(tzinfo=UTC)
                found.append(Leftover(name, made, size[0] if size else 0))
    return sorted(found, key=lambda each: each.made)


def remove(database_url: str, older_than: timedelta) -> list[Leftover]:
    """Drop the branches that nobody uses any more and that are older; return them.

    Raises psycopg.Error where the server cannot be asked, or refuses.
    """
    limit = datetime.now(UTC) - older_than
    old = [each for each in leftovers(database_url) if each.made < limit]
    for each in old:
        drop(maintenance_url(database_url), each.name)
    return old
