"""PostgreSQL: named queries, the schema and its seed data, and a pool to serve from.

Errors of the driver become errors of the service here.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool

from service.errors import ConstraintError, InvalidInputError, SettingsError, UnavailableError
from service.seeding import SeedSize, seed

POOL_SIZE = 10
POOL_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5
OLDEST_SERVER = 15
SCHEMA_VERSION = "version 2"
"""What the comment on the schema in schema.sql says."""
# Any fixed number: services that start at once on one database take turns on it.
PREPARATION_LOCK = 7_546_110
SQL_FOLDER = Path(__file__).parent / "sql"
QUERY_FILES = ("accounts", "careers", "graphql", "jobs", "orders", "parents", "reports", "volume")

Parameters: TypeAlias = Mapping[str, object]
Row: TypeAlias = tuple[Any, ...]


def parse_queries(text: str) -> dict[str, bytes]:
    """Split *text* at its `-- name: NAME` lines into query texts by name.

    Raises:
        ValueError: a name occurs twice.
    """
    _, *parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    names = parts[::2]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"query names must be unique, got twice: {', '.join(twice)}")
    return {name: query.strip().encode() for name, query in zip(names, parts[1::2], strict=True)}


SCHEMA = (SQL_FOLDER / "schema.sql").read_bytes()
COMMUNITY_KEYS = (SQL_FOLDER / "community_keys.sql").read_bytes()
QUERIES = parse_queries("\n".join((SQL_FOLDER / f"{name}.sql").read_text("utf-8") for name in QUERY_FILES))


def prepare_database(conninfo: str, size: SeedSize) -> str:
    """Create and seed the schema where it is missing, all or nothing; return the server's version ("18.4").

    Raises:
        SettingsError: the server cannot be reached, refuses us, or is too old; the password is never quoted.
    """
    try:
        with psycopg.connect(conninfo, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            # Debian appends its package's name: "17.6 (Debian 17.6-1)".
            version = str(connection.info.parameter_status("server_version")).split()[0]
            if connection.info.server_version < OLDEST_SERVER * 10_000:
                raise SettingsError(
                    f"DATABASE_URL must name PostgreSQL {OLDEST_SERVER} or later, got {version}"
                )
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [PREPARATION_LOCK])
            if not _has_schema(connection):
                connection.execute(SQL(SCHEMA.decode()))
                seed(connection, size)
                connection.execute(SQL(COMMUNITY_KEYS.decode()))
                connection.execute("ANALYZE")
            return version
    except psycopg.Error as error:
        text = " ".join(str(error).split())
        password = conninfo_to_dict(conninfo).get("password")
        text = text.replace(str(password), "***") if password else text
        raise SettingsError(f"the database of DATABASE_URL cannot be used: {text}") from None


def _has_schema(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'plimsoll'"
    ).fetchone()
    if row is not None and row[0] != SCHEMA_VERSION:
        raise SettingsError(
            f"the schema 'plimsoll' in the database of DATABASE_URL must be of {SCHEMA_VERSION}, "
            f"got {row[0]!r}; DROP SCHEMA plimsoll CASCADE lets it be made anew"
        )
    return row is not None


@contextmanager
def wrapped_errors() -> Iterator[None]:
    """Turn the driver's errors into the service's, keeping the cause.

    Raises:
        ConstraintError: a rule of the schema refused a row.
        InvalidInputError: PostgreSQL cannot hold the value.
        UnavailableError: no answer from the database.
    """
    try:
        yield
    except psycopg.IntegrityError as error:
        raise ConstraintError(error.diag.constraint_name or "unknown") from error
    except psycopg.DataError as error:
        raise InvalidInputError("the database cannot store this value", str(error)) from error
    except psycopg.OperationalError as error:
        raise UnavailableError("the database is not available") from error


class Session:
    """Runs named queries on one connection."""

    def __init__(self, connection: AsyncConnection[Row]) -> None:
        self._connection = connection

    async def fetch_row(self, name: str, parameters: Parameters | None = None) -> Row | None:
        """Run the query *name* and return its first row, None when it has none."""
        cursor = await self._run(name, parameters)
        return await cursor.fetchone()

    async def fetch_json(self, name: str, parameters: Parameters | None = None) -> bytes | None:
        """Run the query *name* and return its first value as sent: JSON that is not parsed here."""
        result = (await self._run(name, parameters)).pgresult
        return result.get_value(0, 0) if result is not None and result.ntuples else None

    async def execute(self, name: str, parameters: Parameters | None = None) -> None:
        """Run the query *name* for its effect."""
        await self._run(name, parameters)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run the block as one transaction, undone when it raises."""
        with wrapped_errors():
            async with self._connection.transaction():
                yield

    async def _run(self, name: str, parameters: Parameters | None) -> AsyncCursor[Row]:
        with wrapped_errors():
            return await self._connection.execute(QUERIES[name], parameters)


class Database:
    """A pool of connections in autocommit mode, so that a single statement costs a single round trip."""

    def __init__(self, conninfo: str) -> None:
        self._pool = AsyncConnectionPool(
            conninfo,
            kwargs={"autocommit": True},
            min_size=POOL_SIZE,
            max_size=POOL_SIZE,
            timeout=POOL_TIMEOUT_S,
            configure=_configure,
            open=False,
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep the pool open, all its connections made, for the length of the block."""
        with wrapped_errors():
            await self._pool.open(wait=True)
        try:
            yield
        finally:
            await self._pool.close()

    @property
    def waiting(self) -> int:
        """The number of requests waiting for a connection."""
        return self._pool.get_stats().get("requests_waiting", 0)

    @property
    def pool_state(self) -> dict[str, int]:
        """How many connections there are, how many are free, and how many requests wait for one."""
        figures = self._pool.get_stats()
        return {
            "size": figures.get("pool_size", 0),
            "available": figures.get("pool_available", 0),
            "waiting": figures.get("requests_waiting", 0),
        }

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Borrow a connection; each statement commits by itself."""
        with wrapped_errors():
            async with self._pool.connection() as connection:
                yield Session(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Borrow a connection and run the block as one transaction, undone when it raises."""
        async with self.session() as session, session.transaction():
            yield session

    async def fetch_row(self, name: str, parameters: Parameters | None = None) -> Row | None:
        """Run the query *name* by itself and return its first row."""
        async with self.session() as session:
            return await session.fetch_row(name, parameters)

    async def fetch_json(self, name: str, parameters: Parameters | None = None) -> bytes | None:
        """Run the query *name* by itself and return its first value as sent."""
        async with self.session() as session:
            return await session.fetch_json(name, parameters)


async def _configure(connection: AsyncConnection[Row]) -> None:
    await connection.execute("SET search_path TO plimsoll")
