"""What a user asks its database by: queries, transactions, COPY; from one greenlet at a time."""

from __future__ import annotations

import gevent

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg

from plimsoll.users.sql_connection import GreenConnection, Rows, SqlError, sqlstate_of
from plimsoll.users.sql_session import COPY, RETRIES, SQL, TRANSACTION, SqlSession

T = TypeVar("T")

ISOLATIONS = ("read committed", "repeatable read", "serializable")


class SqlClient(SqlSession):
    """What a user asks its database by, from one greenlet at a time."""

    def run(self, name: str, /, **values: Any) -> Rows:
        """Return the rows of a named query.

        Raises SqlError for one that fails, KeyError for a name that there is not.
        """
        query = self._queries[name]

        def ask(connection: GreenConnection) -> tuple[Rows, int, int]:
            return connection.run(query, values)

        return self._measured(SQL, name, ask)

    def execute(self, name: str, statement: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> Rows:
        """Return the rows of any statement, whose parameters are written %s or %(NAME)s.

        Raises SqlError.
        """

        def ask(connection: GreenConnection) -> tuple[Rows, int, int]:
            cursor = connection.execute(statement.encode(), values or None)
            return _all_of(cursor)

        return self._measured(SQL, name, ask)

    def pipeline(self, name: str, queries: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Rows]:
        """Return the rows of several named queries that are sent in one trip, which is one request.

        Raises SqlError for the first that fails.
        """
        wanted = [
            (self._queries[query].text, self._queries[query].parameters, values) for query, values in queries
        ]

        def ask(connection: GreenConnection) -> tuple[list[Rows], int, int]:
            with connection.pipeline():
                cursors = [
                    psycopg.RawCursor(connection).execute(text, [values[each] for each in parameters])
                    for text, parameters, values in wanted
                ]
            found = [_all_of(cursor) for cursor in cursors]
            return (
                [rows for rows, _, _ in found],
                sum(n for _, n, _ in found),
                sum(size for *_, size in found),
            )

        return self._measured(SQL, name, ask)

    def copy_in(self, name: str, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        """Write rows by a statement `COPY … FROM STDIN`, and return how many.

        Raises SqlError.
        """

        def ask(connection: GreenConnection) -> tuple[int, int, int]:
            cursor = connection.cursor()
            with cursor.copy(statement.encode()) as copy:
                for row in rows:
                    copy.write_row(row)
            return cursor.rowcount, cursor.rowcount, 0

        return self._measured(COPY, name, ask)

    def copy_out(self, name: str, statement: str) -> int:
        """Read all rows of a statement `COPY … TO STDOUT`, keep none, and return how many bytes they have.

        Raises SqlError.
        """

        def ask(connection: GreenConnection) -> tuple[int, int, int]:
            cursor = connection.cursor()
            with cursor.copy(statement.encode()) as copy:
                size = sum(len(data) for data in copy)
            return size, cursor.rowcount, size

        return self._measured(COPY, name, ask)

    def explain(
        self, name: str, statement: str, values: Mapping[str, Any] | Sequence[Any] = ()
    ) -> dict[str, Any]:
        """Execute a statement and return its plan, as EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) gives it.

        Raises SqlError.
        """
        ((plans,),) = self.execute(name, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values)
        plan: dict[str, Any] = plans[0]
        return plan

    @contextmanager
    def transaction(
        self, name: str, isolation: str | None = None, *, read_only: bool = False
    ) -> Generator[SqlClient, None, None]:
        """Make a with-block a transaction: TX of this name as a whole, its COMMIT SQL NAME.commit.

        An exception that leaves the block rolls it back.

        Raises SqlError; ValueError for an isolation level that there is not.
        """
        with self._transaction_of(name, f"{name}.commit", isolation, read_only=read_only):
            yield self

    def retried(self, name: str, work: Callable[[SqlClient], T], isolation: str | None = None) -> T:
        """Return what `work` returns within a transaction, which is tried again as the class says.

        Tried again is what may succeed then: serialization failures, deadlocks, locks that were not had, lost
        connections. Never anything else, such as a violated constraint.

        Raises SqlError for the last failure.
        """
        delays_s = self._means.retry.delays_s() if self._means.retry else iter(())
        with self._reported(TRANSACTION, name):
            while True:
                try:
                    with self._transaction_of(f"{name}.try", f"{name}.commit", isolation):
                        return work(self)
                except SqlError as error:
                    delay_s = next(delays_s, None) if error.is_transient else None
                    if delay_s is None:
                        raise
                self._count(RETRIES, 1)
                gevent.sleep(delay_s)

    def commit(self) -> None:
        """Commit what was done without autocommit."""
        if self._connection is not None:
            self._measured(SQL, "sql.commit", _commit)

    @contextmanager
    def _transaction_of(
        self, name: str, commit: str, isolation: str | None, *, read_only: bool = False
    ) -> Iterator[None]:
        if self._transaction is not None:
            raise RuntimeError(f"transaction {name!r} is within another; PostgreSQL has no such thing")
        if isolation is not None and isolation not in ISOLATIONS:
            raise ValueError(f"isolation must be one of {', '.join(ISOLATIONS)}, got {isolation!r}")
        level = f" ISOLATION LEVEL {isolation.upper()}" if isolation else ""
        begin = f"BEGIN{level}{' READ ONLY' if read_only else ''}".encode()
        with self._reported(TRANSACTION, name), self._borrowed() as connection:
            try:
                connection.execute(begin)
            except psycopg.Error as error:
                raise SqlError(sqlstate_of(error), error) from error
            self._transaction = connection
            try:
                yield
                self._measured(SQL, commit, _commit)
            except BaseException:
                with suppress(psycopg.Error):  # a connection that is lost has rolled back
                    connection.execute(b"ROLLBACK")
                raise
            finally:
                self._transaction = None


def _commit(connection: GreenConnection) -> tuple[None, int, int]:
    connection.execute(b"COMMIT")
    return None, 0, 0


def _all_of(cursor: psycopg.Cursor[tuple[Any, ...]]) -> tuple[Rows, int, int]:
    """Return the rows of a cursor, how many were returned or changed, and the bytes of their values."""
    if cursor.description is None:
        return [], max(cursor.rowcount, 0), 0
    rows, result = cursor.fetchall(), cursor.pgresult
    assert result is not None
    size = sum(
        len(result.get_value(row, column) or b"")
        for row in range(result.ntuples)
        for column in range(result.nfields)
    )
    return rows, len(rows), size
