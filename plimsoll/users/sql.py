"""Users of PostgreSQL: queries, transactions and COPY, each measured from the call to the last row.

Requests have the type SQL, a COPY that of COPY. Beside them: CONNECT `sql.connect`, each attempt to connect;
POOL `sql.pool`, each wait for a connection of a pool; TX, a transaction as a whole; and for one that is
retried TX `NAME.try`, each try of it, and TX `NAME`, all of them with the pauses between. A failure is named
by its SQLSTATE and condition.
"""

from __future__ import annotations

from gevent import Greenlet, GreenletExit, Timeout
from gevent.lock import BoundedSemaphore
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import StopTest

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar, NamedTuple

import psycopg_pool
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import pool as pool_module

from plimsoll.branches import url_faults
from plimsoll.users.measuring import Measuring
from plimsoll.users.sql_client import SqlClient
from plimsoll.users.sql_connection import GreenConnection, Queries, connect
from plimsoll.users.sql_retries import Breaker, Retry
from plimsoll.users.sql_session import BREAKER, RETRIES, ROWS, Means

Pool = psycopg_pool.ConnectionPool[GreenConnection]

DATABASE_VARIABLE = "DATABASE_URL"
NO_DATABASE = f"no database: give --database-url, set {DATABASE_VARIABLE}, or give the class a database_url"
CHECK_INTERVAL_MS = 500
"""How soon a server ends the query of a client that is gone."""

# A waiter that is killed must give up its place: else the pool hands it a connection that never comes back.
vars(pool_module)["CLIENT_EXCEPTIONS"] = (Exception, GreenletExit, Timeout)


class PoolStats(NamedTuple):
    """How many connections a pool has, how many of them are idle, and how many users wait for one."""

    size: int
    idle: int
    waiting: int


def sql_request_names(*transactions: str) -> frozenset[str]:
    """Return the names of the requests that an SqlUser makes by itself, and those of its transactions."""
    names = {f"{name}{suffix}" for name in transactions for suffix in ("", ".try", ".commit")}
    return frozenset({"sql.connect", "sql.pool", *names})


class SqlUser(Measuring, User):
    """A user with `self.sql`: one connection of its own, or one of a pool of its class and process."""

    abstract = True

    database_url: str | None = None
    """The database, postgresql://USER:PASSWORD@HOST:PORT/NAME; without it --database-url or DATABASE_URL."""

    queries: Queries = Queries({})
    """Queries by name, prepared once on each connection: `Queries.from_file("shop.sql")`."""

    autocommit: bool = True
    """Whether each statement outside of a transaction is one by itself."""

    pool_size: int | None = None
    """How many connections the users of this class share in a process; None: each user has its own."""

    pool_timeout_s: float = 30.0
    """The longest wait for a connection of the pool."""

    max_waiting: int = 0
    """How many may wait for a connection of the pool at once; 0: any number."""

    max_lifetime_s: float = 3600.0
    """After which time a connection of the pool is replaced by another, when it is given back."""

    connect_timeout_s: int = 10
    statement_timeout_s: float | None = None
    lock_timeout_s: float | None = None
    idle_in_transaction_timeout_s: float | None = None

    application_name: str = "plimsoll"

    retry: Retry | None = Retry()
    """How `self.sql.retried` tries again; None: not at all."""

    breaker: Breaker | None = None
    """The circuit breaker of this class; None: every call is made."""

    request_tracker: ClassVar[Callable[[str, str], AbstractContextManager[None]] | None] = None
    """Returns the with-block to hold around a request of a type and name; `record_run()` sets it."""

    client_metric_names: ClassVar[frozenset[str]] = frozenset({RETRIES, ROWS, *BREAKER.values()})

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        url = database_url_of(type(self), environment)
        if url is None:
            raise StopTest(f"{type(self).__name__}: {NO_DATABASE}")
        self._url = url
        borrow = give_back = None
        if self.pool_size is not None:
            pools = pools_of(environment)

            def borrow() -> GreenConnection:
                return pools.of(self, url).getconn(self.pool_timeout_s)

            def give_back(connection: GreenConnection) -> None:
                pools.of(self, url).putconn(connection)

        opened = partial(connect, url, connection_settings(self, url), autocommit=self.autocommit)
        own = (self.queries, self.retry, self.breaker, type(self).request_tracker)
        self.sql = SqlClient(environment, Means(opened, borrow, give_back, *own))

    @classmethod
    def setting_faults(cls, host: str | None) -> list[str]:  # noqa: ARG003 - asked of every client
        """Return all that is wrong with the settings of this class."""
        faults = url_faults(cls.database_url, "database_url") if cls.database_url else []
        for name in ("pool_timeout_s", "connect_timeout_s", "max_lifetime_s"):
            if not getattr(cls, name) > 0:
                faults.append(f"{name} must be over 0 s, got {getattr(cls, name)!r}")
        for name in ("statement_timeout_s", "lock_timeout_s", "idle_in_transaction_timeout_s"):
            value = getattr(cls, name)
            if value is not None and not value > 0:
                faults.append(f"{name} must be over 0 s, or None for no limit, got {value!r}")
        if cls.pool_size is not None and cls.pool_size < 1:
            faults.append(f"pool_size must be at least 1, or None for no pool, got {cls.pool_size!r}")
        for name in ("retry", "breaker"):
            settings = getattr(cls, name)
            faults += [f"{name}: {fault}" for fault in (settings.faults() if settings else ())]
        return faults

    def pool_stats(self) -> PoolStats:
        """Return the state of the pool that the users of this class share in this process.

        Raises ValueError for a class without a pool.
        """
        if self.pool_size is None:
            raise ValueError(f"{type(self).__name__} has no pool: give the class a pool_size")
        stats = pools_of(self.environment).of(self, self._url).get_stats()
        return PoolStats(stats["pool_size"], stats["pool_available"], stats.get("requests_waiting", 0))

    def on_stop(self) -> None:
        """Close the user's connection, so that no session is left."""
        self.sql.close()

    def start(self, group: Group) -> Greenlet:
        """Start the user, whose connection is closed as soon as it has ended, however that happens."""
        greenlet = super().start(group)
        greenlet.rawlink(lambda _: self.sql.disconnect())
        return greenlet


def database_url_of(user_class: type[SqlUser], environment: Environment) -> str | None:
    """Return the database of the users of a class, None where none is named."""
    named = getattr(environment.parsed_options, "database_url", None)
    return user_class.database_url or named or os.environ.get(DATABASE_VARIABLE)


def connection_settings(user: SqlUser, url: str) -> dict[str, Any]:
    """Return what the connections of a user are opened with; the server keeps the limits by itself."""
    limits_s = {
        "statement_timeout": user.statement_timeout_s,
        "lock_timeout": user.lock_timeout_s,
        "idle_in_transaction_session_timeout": user.idle_in_transaction_timeout_s,
    }
    own = conninfo_to_dict(url).get("options")  # else ours would take its place
    options = [str(own)] if own else []
    options += [f"-c {name}={round(limit_s * 1000)}" for name, limit_s in limits_s.items() if limit_s]
    return {
        "connect_timeout": user.connect_timeout_s,
        "application_name": user.application_name,
        "options": " ".join([*options, f"-c client_connection_check_interval={CHECK_INTERVAL_MS}"]),
    }


class _Pools:
    """The pools of the users of one environment, by their classes; closed when its run ends."""

    def __init__(self, environment: Environment) -> None:
        self._by_class: dict[type[SqlUser], Pool] = {}
        self._lock = BoundedSemaphore()  # to open a pool takes a while, in which other users ask for it
        environment.events.test_stop.add_listener(self._close)

    def of(self, user: SqlUser, url: str) -> Pool:
        """Return the pool of a user's class, which its first user opens."""
        with self._lock:
            pool = self._by_class.get(type(user))
            if pool is None:
                assert user.pool_size is not None
                settings = connection_settings(user, url)
                pool = self._by_class[type(user)] = Pool(
                    url,
                    kwargs=settings | {"autocommit": user.autocommit, "prepare_threshold": None},
                    connection_class=GreenConnection,
                    min_size=user.pool_size,
                    max_size=user.pool_size,
                    timeout=user.pool_timeout_s,
                    max_waiting=user.max_waiting,
                    max_lifetime=user.max_lifetime_s,
                    open=True,
                )
        return pool

    def _close(self, **_: Any) -> None:
        while self._by_class:
            self._by_class.popitem()[1].close()


def pools_of(environment: Environment) -> _Pools:
    """Return the pools of an environment."""
    own = vars(environment)
    if "plimsoll_sql_pools" not in own:
        own["plimsoll_sql_pools"] = _Pools(environment)
    pools: _Pools = own["plimsoll_sql_pools"]
    return pools
