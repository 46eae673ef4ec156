"""Calls to a database that are measured, on a connection that is the user's or lent by a pool or breaker."""

from __future__ import annotations

from locust.env import Environment

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import NamedTuple, TypeVar

import psycopg

from plimsoll.context import execution_of
from plimsoll.run_files.intervals import COUNTER
from plimsoll.users.sql_connection import GreenConnection, Queries, SqlError, sqlstate_of
from plimsoll.users.sql_retries import Breaker, Retry, State

T = TypeVar("T")
Tracker = Callable[[str, str], AbstractContextManager[None]]
Ask = Callable[[GreenConnection], tuple[T, int, int]]
"""Asks, and returns what was found, how many rows that were, and how many bytes."""

SQL, COPY, CONNECT, POOL, TRANSACTION = "SQL", "COPY", "CONNECT", "POOL", "TX"
RETRIES, ROWS = "sql.retries", "sql.rows"
BREAKER = {state: f"sql.breaker_{state}" for state in State}
TIMED_OUT = "57014"
ROWS_EVERY_S = 1.0


class CircuitOpenError(SqlError):
    """A call that was not made, as the circuit breaker is open."""

    def __init__(self) -> None:
        super().__init__("08003", ConnectionError("circuit breaker open"))
        self.args = ("circuit breaker open",)


class Means(NamedTuple):
    """What a client works with: how it opens or borrows a connection, and what is done about failures.

    `borrow` gives a connection of a pool, `give_back` takes it again; both None: the user has its own.
    """

    connect: Callable[[], GreenConnection]
    borrow: Callable[[], GreenConnection] | None
    give_back: Callable[[GreenConnection], None] | None
    queries: Queries
    retry: Retry | None
    breaker: Breaker | None
    tracker: Tracker | None


class SqlSession:
    """The connection of a user, or those that it is lent, and the events of what is asked over them."""

    def __init__(self, environment: Environment, means: Means) -> None:
        self._environment, self._means = environment, means
        self._fire = environment.events.request.fire
        self._queries, self._breaker = means.queries, means.breaker
        self._is_simple = means.borrow is None and means.breaker is None
        self._connection: GreenConnection | None = None
        self._transaction: GreenConnection | None = None
        self._rows, self._counted_s = 0, time.perf_counter()

    def close(self) -> None:
        """Close the user's connection; a later call opens another."""
        self._count(ROWS, self._rows)
        self._rows = 0
        self.disconnect()

    def disconnect(self) -> None:
        """Close the user's connection, and record nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _measured(self, kind: str, name: str, ask: Callable[[GreenConnection], tuple[T, int, int]]) -> T:
        """Return what is asked for, and fire its event: milliseconds from here to the last row, bytes."""
        start_time, began_s = time.time(), time.perf_counter()
        try:
            if self._transaction is not None:
                found, n, size, began_s = self._ask(self._transaction, kind, name, ask)
            elif self._is_simple and self._connection is not None and not self._connection.closed:
                found, n, size, began_s = self._ask(self._connection, kind, name, ask)
            else:
                with self._borrowed() as connection:
                    start_time = time.time()
                    found, n, size, began_s = self._ask(connection, kind, name, ask)
        except SqlError as error:
            self._report(kind, name, began_s, start_time, 0, error)
            raise
        ended_s = self._report(kind, name, began_s, start_time, size, None)
        self._rows += n
        if ended_s >= self._counted_s + ROWS_EVERY_S:
            self._count(ROWS, self._rows)
            self._rows, self._counted_s = 0, ended_s
        return found

    def _ask(
        self,
        connection: GreenConnection,
        kind: str,
        name: str,
        ask: Callable[[GreenConnection], tuple[T, int, int]],
    ) -> tuple[T, int, int, float]:
        """Return what is asked for, how many rows and bytes, and when that began.

        Raises SqlError.
        """
        tracker, began_s = self._means.tracker, time.perf_counter()
        try:
            if tracker is None:
                return *ask(connection), began_s
            with tracker(kind, name):
                return *ask(connection), began_s
        except psycopg.Error as error:
            if not self._transaction and not connection.autocommit and not connection.closed:
                with suppress(psycopg.Error):
                    connection.rollback()
            raise SqlError(sqlstate_of(error), error) from error

    def _report(
        self, kind: str, name: str, began_s: float, start_time: float, size: int, failure: SqlError | None
    ) -> float:
        """Fire the event of a request that has ended, and return when that was."""
        ended_s = time.perf_counter()
        self._fire(
            request_type=kind,
            name=name,
            response_time=(ended_s - began_s) * 1000,
            response_length=size,
            exception=failure,
            context={},
            start_time=start_time,
        )
        return ended_s

    @contextmanager
    def _reported(self, kind: str, name: str) -> Iterator[None]:
        """Fire an event for a with-block, a failure where an exception leaves it; none where it is killed."""
        start_time, began_s = time.time(), time.perf_counter()
        try:
            yield
        except Exception as error:
            failure = error if isinstance(error, SqlError) else SqlError("P0001", error)
            self._report(kind, name, began_s, start_time, 0, failure)
            raise
        self._report(kind, name, began_s, start_time, 0, None)

    @contextmanager
    def _borrowed(self) -> Iterator[GreenConnection]:
        """Lend a connection, of the user or of the pool, where the breaker allows it.

        Raises SqlError for none, or what the with-block raises.
        """
        breaker = self._breaker
        if breaker is None:
            with self._lent() as connection:
                yield connection
            return
        before = breaker.state
        allowed_in = breaker.allows()
        self._note_state(before)
        if allowed_in is None:
            raise CircuitOpenError
        failure: BaseException | None = None
        try:
            with self._lent() as connection:
                yield connection
        except BaseException as error:
            is_answer = isinstance(error, Exception) and not (
                isinstance(error, SqlError) and (error.is_connection_lost or error.sqlstate == TIMED_OUT)
            )
            failure = None if is_answer else error
            raise
        finally:
            before = breaker.state
            breaker.learn(allowed_in, failure)
            self._note_state(before)

    @contextmanager
    def _lent(self) -> Iterator[GreenConnection]:
        borrow, give_back = self._means.borrow, self._means.give_back
        if borrow is None or give_back is None:
            if self._connection is None or self._connection.closed:
                self._connection = self._measure_wait(CONNECT, "sql.connect", self._means.connect)
            yield self._connection
            return
        connection = self._measure_wait(POOL, "sql.pool", borrow)
        try:
            yield connection
        finally:
            give_back(connection)

    def _measure_wait(self, kind: str, name: str, get: Callable[[], T]) -> T:
        """Return a connection, whose wait is a request of its own.

        Raises SqlError.
        """
        with self._reported(kind, name):
            try:
                return get()
            except psycopg.Error as error:
                raise SqlError(sqlstate_of(error), error) from error

    def _note_state(self, before: State) -> None:
        assert self._breaker is not None
        if self._breaker.state is not before:
            self._count(BREAKER[self._breaker.state], 1)

    def _count(self, name: str, by: int) -> None:
        recorder = execution_of(self._environment).recorder
        if recorder is not None:
            recorder.record_value(COUNTER, name, by)
