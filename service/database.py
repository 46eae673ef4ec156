"""The only place that serves from PostgreSQL: a pool, named queries, the driver's errors made our own."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg_pool import AsyncConnectionPool

from service.errors import ConstraintError, InvalidInputError, UnavailableError
from service.queries import QUERIES

POOL_SIZE = 10
POOL_TIMEOUT_S = 10.0

Parameters: TypeAlias = Mapping[str, object]
Row: TypeAlias = tuple[Any, ...]


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
