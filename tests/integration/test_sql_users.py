"""Users of a real PostgreSQL server: what they measure, and that nothing they leave behind is left."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from gevent import GreenletExit
from locust.env import Environment
from locust.event import Events

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from plimsoll import Breaker, Queries, Retry, SqlError, SqlUser
from plimsoll.context import execution_of
from tests.processes import user_environment

Row = tuple[Any, ...]
QUERIES = Queries(
    {
        "row_by_id": "SELECT id, name FROM rows WHERE id = %(id)s",
        "new_row": "INSERT INTO rows (id, name, at) VALUES (%(id)s, %(name)s, %(at)s)",
        "share": "SELECT 100 %% 7, %(id)s::bigint",
    }
)


class Seen(list[dict[str, Any]]):
    """The request events of an environment."""

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return those of a name."""
        return [event for event in self if event["name"] == name]

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many there are of each type and name."""
        return dict(Counter((event["request_type"], event["name"]) for event in self))


@pytest.fixture
def schema(database_url: str) -> Iterator[str]:
    """Make a schema with a table of ten rows, and return a connection string that works in it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS sql_users CASCADE; CREATE SCHEMA sql_users")
        connection.execute("CREATE TABLE sql_users.rows (id bigint PRIMARY KEY, name text, at timestamptz)")
        connection.execute("INSERT INTO sql_users.rows SELECT n, 'row ' || n FROM generate_series(1, 10) n")
        yield f"{database_url} options='-c search_path=sql_users'"
        connection.execute("DROP SCHEMA sql_users CASCADE")


@pytest.fixture
def events() -> Seen:
    """Keep the request events."""
    return Seen()


@pytest.fixture
def user_of(schema: str, events: Seen) -> Iterator[Callable[..., SqlUser]]:
    """Make users whose class has the settings that are given."""
    environment = Environment(events=Events())
    environment.events.request.add_listener(lambda **event: events.append(event))
    made: list[SqlUser] = []

    def make(**settings: Any) -> SqlUser:
        own = {"abstract": False, "database_url": schema, "queries": QUERIES} | settings
        made.append(type("OneUser", (SqlUser,), own)(environment))
        return made[-1]

    yield make
    for user in made:
        user.sql.close()
    environment.events.test_stop.fire(environment=environment)


def sessions(database_url: str, what: str = "application_name = 'plimsoll'") -> int:
    """Return how many sessions there are of which this holds."""
    with psycopg.connect(database_url) as connection:
        statement = f"SELECT count(*) FROM pg_stat_activity WHERE {what}"  # noqa: S608 - our own words
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


def until_no_session(database_url: str, what: str = "application_name = 'plimsoll'") -> None:
    """Wait until there is no such session, for ten seconds at most."""
    with gevent.Timeout(10):
        while sessions(database_url, what):
            gevent.sleep(0.02)


def test_a_named_query_is_measured_from_call_to_last_row(
    user_of: Callable[..., SqlUser], events: Seen
) -> None:
    """Rows come with Python's types; the event has the bytes, a time in ms, and connecting apart."""
    rows = user_of().sql.run("row_by_id", id=3)

    assert rows == [(3, "row 3")]
    assert events.counts == {("CONNECT", "sql.connect"): 1, ("SQL", "row_by_id"): 1}
    (event,) = events.named("row_by_id")
    assert event["response_length"] == 8 + len("row 3")
    assert 0 < event["response_time"] < 10_000
    assert event["exception"] is None


@pytest.mark.parametrize("number", [1, 40_000, 3_000_000_000, None, 2**70])
def test_one_query_is_one_prepared_statement(user_of: Callable[..., SqlUser], number: int | None) -> None:
    """Whatever the size of an integer, the statement and its plan are the same; one too large is refused."""
    user = user_of()
    user.sql.run("row_by_id", id=1)
    if number == 2**70:
        with pytest.raises(SqlError, match="22003 NumericValueOutOfRange"):
            user.sql.run("row_by_id", id=number)
    else:
        user.sql.run("row_by_id", id=number)
    count = user.sql.execute("prepared", "SELECT count(*) FROM pg_prepared_statements")

    assert count == [(1,)]


def test_values_of_any_type_come_back(user_of: Callable[..., SqlUser]) -> None:
    """Times, texts with quotes, NULL and a per cent sign are what they were."""
    user, at = user_of(), datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    user.sql.run("new_row", id=11, name="O'Brien %s", at=at)
    user.sql.run("new_row", id=12, name=None, at=None)

    assert user.sql.execute("rows", "SELECT name, at FROM rows WHERE id > %s ORDER BY id", [10]) == [
        ("O'Brien %s", at),
        (None, None),
    ]
    assert user.sql.run("share", id=5) == [(2, 5)]


@pytest.mark.parametrize("values", [{}, {"id": 1, "more": 2}, {"other": 1}])
def test_wrong_parameters_are_named(user_of: Callable[..., SqlUser], values: dict[str, int]) -> None:
    """A fault of the journey says what the query takes and what it got."""
    with pytest.raises(TypeError, match="query 'row_by_id' takes the parameters id, got"):
        user_of().sql.run("row_by_id", **values)


def test_a_failure_has_its_sqlstate(user_of: Callable[..., SqlUser], events: Seen) -> None:
    """A violated constraint is a failure of its request by code and condition; the connection goes on."""
    user = user_of()
    with pytest.raises(SqlError) as caught:
        user.sql.run("new_row", id=1, name="twice", at=None)

    assert (caught.value.sqlstate, caught.value.is_transient) == ("23505", False)
    assert str(events.named("new_row")[0]["exception"]) == "23505 UniqueViolation"
    assert user.sql.run("row_by_id", id=1) == [(1, "row 1")]
    assert events.counts["CONNECT", "sql.connect"] == 1


def test_without_autocommit_an_error_ends_in_a_rollback(user_of: Callable[..., SqlUser]) -> None:
    """What was done before is gone, and the next statement begins anew; a commit keeps what came after."""
    user = user_of(autocommit=False)
    user.sql.run("new_row", id=11, name="lost", at=None)
    with pytest.raises(SqlError):
        user.sql.run("new_row", id=1, name="twice", at=None)
    user.sql.run("new_row", id=12, name="kept", at=None)
    user.sql.commit()
    user.sql.close()

    assert user.sql.execute("new", "SELECT id FROM rows WHERE id > 10") == [(12,)]


def test_a_transaction_is_committed_or_rolled_back(user_of: Callable[..., SqlUser], events: Seen) -> None:
    """As a whole it is a request, its COMMIT another; an exception undoes it and passes on."""
    user = user_of()
    with user.sql.transaction("enrol", isolation="serializable") as tx:
        tx.run("new_row", id=11, name="kept", at=None)
        assert tx.execute("level", "SHOW transaction_isolation") == [("serializable",)]
    with suppress(ZeroDivisionError), user.sql.transaction("enrol"):
        user.sql.run("new_row", id=12, name="undone", at=None)
        _ = 1 // 0
    with pytest.raises(SqlError), user.sql.transaction("enrol"):
        user.sql.run("new_row", id=1, name="twice", at=None)

    assert user.sql.execute("new", "SELECT id FROM rows WHERE id > 10") == [(11,)]
    assert [bool(event["exception"]) for event in events.named("enrol")] == [False, True, True]
    assert events.counts["SQL", "enrol.commit"] == 1


def test_a_transaction_is_tried_again_where_that_may_help(
    user_of: Callable[..., SqlUser], events: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two such failures are tried again after 0.1 and 0.2 s; each try is a request, and so is the whole."""
    pauses: list[float] = []
    monkeypatch.setattr(gevent, "sleep", pauses.append)
    user, left = user_of(), ["40001", "40P01"]

    def work(tx: Any) -> str:
        tx.run("new_row", id=11, name="once", at=None)
        if left:
            tx.execute("fail", f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{left.pop()}'; END $$")
        return "done"

    assert user.sql.retried("move", work) == "done"
    assert pauses == [0.1, 0.2]
    assert [str(event["exception"] or "") for event in events.named("move.try")] == [
        "40P01 DeadlockDetected",
        "40001 SerializationFailure",
        "",
    ]
    assert [event["exception"] for event in events.named("move")] == [None]
    assert user.sql.execute("new", "SELECT count(*) FROM rows WHERE id = 11") == [(1,)]


def test_what_cannot_succeed_is_not_tried_again(user_of: Callable[..., SqlUser], events: Seen) -> None:
    """A violated constraint, and the last of max_tries, end it with the failure."""
    user = user_of(retry=Retry(max_tries=2, first_delay_s=0))
    with pytest.raises(SqlError, match="23505"):
        user.sql.retried("move", lambda tx: tx.run("new_row", id=1, name="twice", at=None))
    assert len(events.named("move.try")) == 1
    fail = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"
    with pytest.raises(SqlError, match="40001"):
        user.sql.retried("move", lambda tx: tx.execute("fail", fail))
    assert len(events.named("move.try")) == 3
    assert [str(event["exception"]) for event in events.named("move")] == [
        "23505 UniqueViolation",
        "40001 SerializationFailure",
    ]


@pytest.mark.parametrize(
    ("settings", "statement", "failure"),
    [
        ({"statement_timeout_s": 0.05}, "SELECT pg_sleep(20)", "57014 QueryCanceled"),
        ({"lock_timeout_s": 0.05}, "LOCK TABLE rows", "55P03 LockNotAvailable"),
    ],
)
def test_timeouts_are_enforced_and_the_connection_is_usable(
    user_of: Callable[..., SqlUser], schema: str, settings: dict[str, float], statement: str, failure: str
) -> None:
    """The server ends the statement; the next one has the same session."""
    user = user_of(**settings)
    (before,) = user.sql.execute("pid", "SELECT pg_backend_pid()")
    with psycopg.connect(schema) as other:
        other.execute("LOCK TABLE rows IN ACCESS SHARE MODE")
        with pytest.raises(SqlError, match=failure), user.sql.transaction("slow") as tx:
            tx.execute("slow", statement)

    assert user.sql.execute("pid", "SELECT pg_backend_pid()") == [before]


@pytest.mark.parametrize("how", ["query", "transaction", "copy", "pipeline"])
def test_a_killed_greenlet_leaves_no_query_and_no_session(
    user_of: Callable[..., SqlUser], database_url: str, how: str
) -> None:
    """What it waits for is cancelled at the server, and its session ends at once; it is not resurrected."""
    user = user_of(queries=Queries({"sleep": "SELECT pg_sleep(60)"}))

    def transaction() -> None:
        with user.sql.transaction("slow") as tx:
            tx.run("sleep")

    work: dict[str, Callable[[], object]] = {
        "query": lambda: user.sql.run("sleep"),
        "transaction": transaction,
        "copy": lambda: user.sql.copy_out("slow", "COPY (SELECT pg_sleep(60)) TO STDOUT"),
        "pipeline": lambda: user.sql.pipeline("slow", [("sleep", {}), ("sleep", {})]),
    }
    greenlet = gevent.spawn(work[how])
    with gevent.Timeout(10):
        while not sessions(database_url, "wait_event = 'PgSleep'"):
            gevent.sleep(0.02)
    greenlet.kill(timeout=10)

    assert isinstance(greenlet.value, GreenletExit)
    until_no_session(database_url)


def test_a_timeout_of_gevent_does_not_spoil_the_next_query(user_of: Callable[..., SqlUser]) -> None:
    """The query that took too long is gone with its session; the user has another."""
    user = user_of()
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.1):
        user.sql.execute("slow", "SELECT pg_sleep(60)")

    assert user.sql.run("row_by_id", id=1) == [(1, "row 1")]


def in_locust(program: str, url: str) -> dict[str, Any]:
    """Return what a program prints as JSON that runs as Locust does: patched for gevent, as pools want it."""
    done = subprocess.run(
        [sys.executable, "-c", f"{POOLS}\n{program}"],
        env=user_environment({"DATABASE_URL": url}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


POOLS = """
import locust, gevent, json, time
from locust.env import Environment
from plimsoll import SqlError, SqlUser
environment, seen = Environment(), []
def note(request_type, name, exception, **_):
    seen.append((request_type, name, str(exception or "")))
environment.events.request.add_listener(note)
def ask(user, statement):
    try:
        user.sql.execute("ask", statement)
    except SqlError:
        pass
"""
KILLS = """
class Borrower(SqlUser):
    pool_size, application_name = 4, "plimsoll kills"
users = [Borrower(environment) for _ in range(60)]
greenlets = [gevent.spawn(ask, user, "SELECT pg_sleep(0.05)") for user in users]
gevent.sleep(0.1)
gevent.killall(greenlets[::2], timeout=10)
gevent.joinall(greenlets, timeout=30)
from plimsoll.users.sql import pools_of
pool = pools_of(environment).of(users[0], None)
deadline_s = time.monotonic() + 10
while pool.get_stats().get("pool_available") != 4 and time.monotonic() < deadline_s:
    gevent.sleep(0.02)
stats = pool.get_stats()
own = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'plimsoll kills'"
((size,),) = users[1].sql.execute("count", own)
environment.events.test_stop.fire(environment=environment)
found = {"available": stats["pool_available"], "size": stats["pool_size"], "sessions": size}
found |= {"failures": [e for *_, e in seen if e], "waits": sum(kind == "POOL" for kind, *_ in seen)}
print(json.dumps(found))
"""
FULL = """
class Borrower(SqlUser):
    pool_size, max_waiting, pool_timeout_s = 1, 1, 0.2
users = [Borrower(environment) for _ in range(3)]
ask(users[0], "SELECT 1")
seen.clear()
greenlets = [gevent.spawn(ask, user, "SELECT pg_sleep(1)") for user in users]
gevent.joinall(greenlets, timeout=30)
environment.events.test_stop.fire(environment=environment)
failed = {kind: sorted(e for each, _, e in seen if each == kind and e) for kind in ("SQL", "POOL")}
print(json.dumps(failed))
"""


def test_a_pool_keeps_its_connections_through_kills(database_url: str) -> None:
    """Of 60 borrowers at 4 connections half are killed while they wait or ask; all 4 are there afterwards."""
    found = in_locust(KILLS, database_url)

    assert (found["available"], found["size"], found["sessions"]) == (4, 4, 4)
    assert found["failures"] == []
    assert found["waits"] >= 31
    until_no_session(database_url, "application_name = 'plimsoll kills'")


def test_a_full_pool_is_a_failure_of_its_own(database_url: str) -> None:
    """Who waits too long for a connection, or finds too many waiting, fails by the pool's own condition."""
    failures = ["PL001 PoolTimeout", "PL002 TooManyRequests"]
    assert in_locust(FULL, database_url) == {"SQL": failures, "POOL": failures}


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        ("host=127.0.0.1 port=1", "08001"),
        ("host=/nowhere", "08001"),
        ("{url} dbname=nowhere", "3D000 InvalidCatalogName"),
        ("{url} user=nobody", "28000"),
    ],
)
def test_connection_errors_have_an_sqlstate(
    user_of: Callable[..., SqlUser], database_url: str, events: Seen, url: str, failure: str
) -> None:
    """Before the server has answered there is none: it is told by the text, for the query as well."""
    user = user_of(database_url=url.format(url=database_url))
    with pytest.raises(SqlError, match=failure):
        user.sql.run("row_by_id", id=1)

    assert [event["request_type"] for event in events] == ["CONNECT", "SQL"]
    assert {str(event["exception"])[:5] for event in events} == {failure[:5]}


def test_a_breaker_opens_tries_once_and_closes(user_of: Callable[..., SqlUser], events: Seen) -> None:
    """After two lost connections nothing is sent; then one call tries, and its success closes it."""
    now_s = [0.0]
    breaker = Breaker(max_failures=2, open_s=30, clock=lambda: now_s[0])
    user = user_of(breaker=breaker)
    recorded: list[str] = []
    vars(execution_of(user.environment))["recorder"] = Noting(recorded)
    terminate = "SELECT pg_terminate_backend(pg_backend_pid())"
    for _ in range(2):
        with pytest.raises(SqlError, match=r"57P01|08006"):
            user.sql.execute("end", terminate)
    for _ in range(3):
        with pytest.raises(SqlError, match="circuit breaker open"):
            user.sql.run("row_by_id", id=1)
    now_s[0] = 30
    assert user.sql.run("row_by_id", id=1) == [(1, "row 1")]

    assert recorded == ["sql.breaker_open", "sql.breaker_half_open", "sql.breaker_closed"]
    assert len(events.named("sql.connect")) == 3
    assert len(events.named("row_by_id")) == 4


class Noting:
    """A recorder that notes the names of counters."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def record_value(self, kind: str, name: str, value: float) -> None:
        """Note a counter that was counted up."""
        if kind == "counter" and name.startswith("sql.breaker"):
            self.names += [name] * int(value)


def test_copy_and_pipeline(user_of: Callable[..., SqlUser], events: Seen) -> None:
    """COPY in and out are one request each, with rows and bytes; several queries in one trip are one."""
    user = user_of()
    assert (
        user.sql.copy_in("load", "COPY rows (id, name) FROM STDIN", [(n, "new") for n in range(11, 111)])
        == 100
    )
    assert user.sql.copy_out("dump", "COPY (SELECT id FROM rows WHERE id > 100) TO STDOUT") == 40
    found = user.sql.pipeline("three", [("row_by_id", {"id": n}) for n in (1, 999, 2)])

    assert found == [[(1, "row 1")], [], [(2, "row 2")]]
    assert events.counts == {
        ("CONNECT", "sql.connect"): 1,
        ("COPY", "load"): 1,
        ("COPY", "dump"): 1,
        ("SQL", "three"): 1,
    }
    assert events.named("dump")[0]["response_length"] == 40


def test_a_pipeline_that_fails_is_one_failure(user_of: Callable[..., SqlUser], events: Seen) -> None:
    """The first statement that fails names it, and the connection goes on."""
    user = user_of()
    wrong = {"id": 1, "name": "twice", "at": None}
    with pytest.raises(SqlError, match="23505"):
        user.sql.pipeline("two", [("new_row", wrong), ("row_by_id", {"id": 1})])

    assert [str(event["exception"]) for event in events.named("two")] == ["23505 UniqueViolation"]
    assert user.sql.run("row_by_id", id=1) == [(1, "row 1")]


def test_a_plan_is_a_dict(user_of: Callable[..., SqlUser]) -> None:
    """EXPLAIN with parameters gives the node, its rows and its buffers."""
    plan = user_of().sql.explain("plan", "SELECT * FROM rows WHERE id = %(id)s", {"id": 3})["Plan"]

    assert plan["Actual Rows"] == 1
    assert "Shared Hit Blocks" in plan


def test_many_users_wait_beside_a_slow_query(user_of: Callable[..., SqlUser], events: Seen) -> None:
    """While one query of a process is slow, hundreds of others of it are answered."""
    slow, quick = user_of(), user_of()
    sleeping = gevent.spawn(slow.sql.execute, "slow", "SELECT pg_sleep(60)")
    for _ in range(300):
        quick.sql.run("row_by_id", id=1)
    is_still_slow = not sleeping.ready()
    sleeping.kill()

    assert is_still_slow
    assert len(events.named("row_by_id")) == 300
