"""A connection to PostgreSQL whose waits are those of gevent's loop, and the hot path of its named queries.

psycopg waits under gevent by a poll object that is made anew each time, which is half of the cost of a select
by key; here each connection keeps its watcher. A greenlet that is killed within a query cancels it and closes
the connection: psycopg itself would leave the query running, and the connection unusable.
"""

from __future__ import annotations

import gevent
from gevent import monkey

import re
import select
import struct
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import psycopg
import psycopg_pool
from psycopg import errors, generators, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq.abc import PGresult

from locust.exception import RescheduleTask  # isort: skip

T = TypeVar("T")
Rows = list[tuple[Any, ...]]

READ, WRITE = 1, 2
CANCEL_LIMIT_S = 1.0
INTEGERS = {
    oid: (struct.Struct(form).pack, -(2 ** (bits - 1)), 2 ** (bits - 1))
    for oid, form, bits in ((21, "!h", 16), (23, "!i", 32), (20, "!q", 64))
}
"""How smallint, integer and bigint are sent, by their OIDs, and the range of each."""
_NAME = re.compile(r"^--\s*name:\s*(\S+)\s*$", re.MULTILINE)
_PARAMETER = re.compile(r"%\((\w+)\)s|(%%)|(%)")
# libpq has no SQLSTATE before a server has answered.
_STATES_BY_TEXT = {
    "53300": r"too many clients|remaining connection slots|too many connections",
    "57P03": r"starting up|shutting down|recovery mode|not yet accepting",
    "28P01": r"password authentication failed",
    "28000": r"no pg_hba.conf entry|role .* does not exist",
    "3D000": r"database .* does not exist",
    "08006": r"server closed|reset by peer|connection is lost|terminating connection|is closed|broken",
    "08001": r"",
}
_STATES_OF_POOLS = {psycopg_pool.PoolTimeout: "PL001", psycopg_pool.TooManyRequests: "PL002"}
"""In the place of the SQLSTATEs that the errors of a pool have not."""
_poll = monkey.get_original("select", "poll")


class SqlError(RescheduleTask):
    """A statement that failed, by its SQLSTATE; a task that does not catch it ends, and that is all."""

    def __init__(self, sqlstate: str, cause: BaseException) -> None:
        self.sqlstate = sqlstate
        self.message = str(cause).partition("\n")[0]
        super().__init__(f"{sqlstate} {condition_of(sqlstate)}")

    @property
    def is_connection_lost(self) -> bool:
        """Whether the next statement needs another connection, which may not be had."""
        return self.sqlstate[:2] in {"08", "53"} or self.sqlstate[:4] == "57P0"

    @property
    def is_transient(self) -> bool:
        """Whether the same transaction may succeed the next time."""
        return self.is_connection_lost or self.sqlstate in {"40001", "40P01", "55P03"}


def condition_of(sqlstate: str) -> str:
    """Return the name of a condition, such as SerializationFailure; of an unknown one its class."""
    with suppress(KeyError):
        return errors.lookup(sqlstate).__name__
    pools = {state: kind.__name__ for kind, state in _STATES_OF_POOLS.items()}
    return pools.get(sqlstate) or "Error"


def sqlstate_of(error: BaseException) -> str:
    """Return the SQLSTATE of an error of psycopg, by its text where the connection was lost or not had."""
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return error.sqlstate
    for kind, state in _STATES_OF_POOLS.items():
        if isinstance(error, kind):
            return state
    text = str(error)
    return next(state for state, pattern in _STATES_BY_TEXT.items() if re.search(pattern, text))


@dataclass(frozen=True)
class NamedQuery:
    """A query with a name, in which $1, $2, … stand for its parameters in the order of *parameters*."""

    name: str
    text: bytes
    parameters: tuple[str, ...]


class Queries(Mapping[str, NamedQuery]):
    """Queries by their names; that of each is the name of its requests."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._queries = {name: _query_of(name, text) for name, text in named.items()}

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a file of queries, each after a line `-- name: NAME`; parameters are written %(NAME)s.

        Raises:
            OSError: it cannot be read.
            ValueError: it has no such line, or the same name twice, or a query cannot be used.
        """
        head, *parts = _NAME.split(Path(path).read_text(encoding="utf-8"))
        if not parts:
            raise ValueError(f"{path}: no query; each begins after a line '-- name: NAME'")
        names = parts[::2]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{path}: {', '.join(map(repr, twice))} is named twice")
        del head  # comments before the first query
        return cls(dict(zip(names, parts[1::2], strict=True)))

    @property
    def names(self) -> frozenset[str]:
        """The request names of all queries."""
        return frozenset(self._queries)

    def __getitem__(self, name: str) -> NamedQuery:
        return self._queries[name]

    def __iter__(self) -> Any:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)


def _query_of(name: str, text: str) -> NamedQuery:
    parameters: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[2]:
            return "%"
        if match[3]:
            raise ValueError(f"query {name!r}: a single '%' must be written '%%', a parameter '%(name)s'")
        if match[1] not in parameters:
            parameters.append(match[1])
        return f"${parameters.index(match[1]) + 1}"

    numbered = _PARAMETER.sub(number, text).strip().rstrip(";")
    if not numbered:
        raise ValueError(f"query {name!r} is empty")
    return NamedQuery(name, numbered.encode(), tuple(parameters))


class _Prepared:
    """A query that is prepared on a connection, with the types that the server has given its parameters."""

    __slots__ = ("oids", "statement", "transformer", "was_loaded")

    def __init__(self, statement: bytes, oids: Sequence[int], connection: GreenConnection) -> None:
        self.statement, self.oids = statement, oids
        self.transformer, self.was_loaded = Transformer(connection), False


class GreenConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection for one greenlet at a time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reading: Any = None
        self._prepared_queries: dict[str, _Prepared] = {}

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Run a generator of psycopg to its end; a kill on the way cancels the query and closes."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        hub = gevent.get_hub()
        try:
            state = next(gen)
            while True:
                if state == READ:
                    if self._reading is None:
                        self._reading = hub.loop.io(self.pgconn.socket, READ)
                    hub.wait(self._reading)
                else:
                    state = self._wait_to_write(hub)
                state = gen.send(state)
        except StopIteration as end:
            value: T = end.value
            return value
        except Exception:
            raise
        except BaseException:  # GreenletExit, gevent.Timeout
            self.abandon()
            raise

    def _wait_to_write(self, hub: Any) -> int:
        """Return what can be done, once the socket can be written or read."""
        both = hub.loop.io(self.pgconn.socket, READ | WRITE)
        try:
            hub.wait(both)
        finally:
            both.close()
        poll = _poll()
        poll.register(self.pgconn.socket, select.POLLIN | select.POLLOUT)
        found = poll.poll(0)
        event = found[0][1] if found else 0
        return (READ if event & ~select.POLLOUT else 0) | (WRITE if event & select.POLLOUT else 0) or READ

    def abandon(self) -> None:
        """Cancel what runs and close, so that the server's session ends as well."""
        with suppress(Exception):
            self.cancel_safe(timeout=CANCEL_LIMIT_S)
        self.close()

    def close(self) -> None:
        """Close; the watcher first, as it would never hear of a descriptor that is closed."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.stop()
            reading.close()
        super().close()

    def run(self, query: NamedQuery, values: Mapping[str, Any]) -> tuple[Rows, int, int]:
        """Return the rows of a named query, how many were returned or changed, and the bytes of their values.

        Raises psycopg.Error.
        """
        if len(values) != len(query.parameters):
            raise _wrong_parameters(query, values)
        prepared = self._prepared_queries.get(query.name) or self._prepare(query)
        transformer = prepared.transformer
        formats: list[pq.Format] = []
        sent: list[Any] = []
        try:
            for name, oid in zip(query.parameters, prepared.oids, strict=True):
                value = values[name]
                if type(value) is int and oid in INTEGERS:
                    pack, low, high = INTEGERS[oid]
                    if low <= value < high:
                        sent.append(pack(value))
                        formats.append(pq.Format.BINARY)
                        continue
                # As text, the server reads it as the type that it has declared, or refuses it.
                sent.append(
                    None if value is None else transformer.get_dumper(value, PyFormat.TEXT).dump(value)
                )
                formats.append(pq.Format.TEXT)
        except KeyError:
            raise _wrong_parameters(query, values) from None
        if not self.autocommit and self.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self.pgconn.send_query(b"BEGIN")
            self._result()
        self.pgconn.send_query_prepared(
            prepared.statement, sent, param_formats=formats, result_format=pq.Format.BINARY
        )
        result = self._result()
        rows, size = [], 0
        if result.status == pq.ExecStatus.TUPLES_OK:
            transformer.set_pgresult(result, set_loaders=not prepared.was_loaded)
            prepared.was_loaded = True
            rows = transformer.load_rows(0, result.ntuples, tuple)
            get, columns = result.get_value, range(result.nfields)
            size = sum(len(get(row, column) or b"") for row in range(result.ntuples) for column in columns)
        return rows, len(rows) or result.command_tuples or 0, size

    def _prepare(self, query: NamedQuery) -> _Prepared:
        statement = f"plimsoll_{len(self._prepared_queries)}".encode()
        self.pgconn.send_prepare(statement, query.text)
        self._result()
        self.pgconn.send_describe_prepared(statement)
        described = self._result()
        oids = [described.param_type(number) for number in range(described.nparams)]
        prepared = self._prepared_queries[query.name] = _Prepared(statement, oids, self)
        return prepared

    def _result(self) -> PGresult:
        result: PGresult = self.wait(generators.execute(self.pgconn))[-1]
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result, encoding=self.info.encoding)
        return result


def _wrong_parameters(query: NamedQuery, values: Mapping[str, Any]) -> TypeError:
    wanted = ", ".join(query.parameters) or "none"
    return TypeError(f"query {query.name!r} takes the parameters {wanted}, got {', '.join(values) or 'none'}")


def connect(url: str, settings: Mapping[str, Any], *, autocommit: bool) -> GreenConnection:
    """Open a connection, in whose session nothing is prepared but by `run`.

    Raises psycopg.Error.
    """
    return GreenConnection.connect(url, autocommit=autocommit, prepare_threshold=None, **settings)
