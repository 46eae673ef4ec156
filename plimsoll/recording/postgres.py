"""What the database server says of itself, second by second, and of its statements, stage by stage.

Of the whole server: a run's own database has a name that this does not know. A server that cannot be asked,
or does not tell everything, is said once and asked again; the load never waits for it.
"""

from __future__ import annotations

import gevent
from gevent.event import Event

import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from plimsoll.recording.run_directory import CsvLog, RecordingErrors
from plimsoll.redact import redact
from plimsoll.run_files.files import POSTGRES_FILE, STATEMENTS_FILE, PostgresRow, StatementRow

APPLICATION = "plimsoll sampler"
INTERVAL_S, CONNECT_LIMIT_S, CLOSE_LIMIT_S = 1.0, 5, 5.0
STATEMENT_LIMIT_MS = 5000
LONGEST_PAUSE_S = 10.0
TOP_STATEMENTS, MAX_QUERY = 20, 10_000

# An ordinary role is told neither type nor state of the sessions of others.
_SESSIONS = """
SELECT count(*), count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE state = 'idle'),
    count(*) FILTER (WHERE state LIKE 'idle in%%'), count(*) FILTER (WHERE wait_event_type = 'Lock'),
    max(extract(epoch FROM clock_timestamp() - xact_start)) FILTER (WHERE state LIKE 'idle in%%'),
    max(extract(epoch FROM clock_timestamp() - query_start)) FILTER (WHERE state = 'active')
FROM pg_stat_activity
WHERE coalesce(backend_type, 'client backend') = 'client backend' AND datname IS NOT NULL
    AND pid <> pg_backend_pid() AND application_name <> %s
"""
# The sessions at the root of a chain of locks, each with all that wait behind it.
_BLOCKERS = """
WITH RECURSIVE waits AS (
    SELECT pid, unnest(pg_blocking_pids(pid)) AS by FROM pg_stat_activity WHERE wait_event_type = 'Lock'
), chain AS (
    SELECT pid, by, 1 AS depth FROM waits
    UNION SELECT chain.pid, waits.by, depth + 1 FROM chain JOIN waits ON waits.pid = chain.by WHERE depth < 20
)
SELECT by, count(DISTINCT pid) FROM chain WHERE by NOT IN (SELECT pid FROM waits)
GROUP BY by ORDER BY 2 DESC LIMIT 1
"""
_COUNTERS = """
SELECT sum(xact_commit), sum(xact_rollback), sum(blks_hit), sum(blks_read), sum(tup_returned),
    sum(tup_fetched), sum(tup_inserted), sum(tup_updated), sum(tup_deleted), sum(temp_bytes), sum(deadlocks)
FROM pg_stat_database
"""
_LIMIT = """
SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::int) FROM pg_settings
WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
"""
_SEES_OTHERS = "SELECT pg_has_role('pg_read_all_stats', 'usage')::int"
_STATEMENTS = """
SELECT queryid::text, sum(calls), sum(rows), sum(total_exec_time), sum(temp_blks_written)
FROM pg_stat_statements(false) WHERE queryid IS NOT NULL GROUP BY queryid
"""
_TEXTS = (
    "SELECT DISTINCT ON (queryid) queryid::text, query FROM pg_stat_statements WHERE queryid::text = ANY(%s)"
)

_LITERAL = re.compile(r"'(?:[^']|'')*'|\$([A-Za-z_]\w*)?\$.*?\$\1\$", re.DOTALL)
"""What pg_stat_statements puts no placeholder for, such as the PASSWORD of a role."""
_OWN = re.compile(r"\bpg_(stat_|settings\b|blocking_pids\b)")
"""What this asks by itself, as others do that watch a server."""

logger = logging.getLogger("plimsoll")


class PostgresSampler:
    """Samples one server from the start of a run until `close`, in a greenlet of its own."""

    def __init__(
        self, url: str, directory: Path, now_unix_s: Callable[[], float], errors: RecordingErrors
    ) -> None:
        self._url, self._now_unix_s, self._errors = url, now_unix_s, errors
        self._samples = CsvLog(directory / POSTGRES_FILE, PostgresRow._fields)
        self._statements = CsvLog(directory / STATEMENTS_FILE, StatementRow._fields)
        self._connection: Connection[Any] | None = None
        self._limit: int | None = None
        self._sees_others = True
        self._counted: dict[str, Sequence[float]] | None = None
        self._stage: str | None = None
        self._written_stage = ""
        self._said: set[str] = set()
        self._is_over = Event()
        self._sampling = gevent.spawn(self._sample_every_second)

    def note_stage(self, stage: str | None) -> None:
        """Have the statements that follow counted for another stage."""
        self._stage = stage or ""

    def close(self) -> None:
        """Count the statements of the last stage, and close the files."""
        self._is_over.set()
        self._sampling.join(CLOSE_LIMIT_S)
        if self._sampling.ready():  # else a query of it is still under way, and the connection is busy
            with suppress(gevent.Timeout), gevent.Timeout(CLOSE_LIMIT_S):
                self._ask(lambda connection: self._count_statements(connection, self._written_stage))
        self._sampling.kill()
        if self._connection is not None:
            self._connection.close()
        self._samples.close()
        self._statements.close()

    def _sample_every_second(self) -> None:
        pause_s, due_s = INTERVAL_S, time.monotonic()
        while not self._is_over.is_set():
            if self._ask(self._sample):
                pause_s, due_s = INTERVAL_S, max(due_s + INTERVAL_S, time.monotonic())
            else:
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                due_s = time.monotonic() + pause_s
            self._is_over.wait(max(due_s - time.monotonic(), 0.0))

    def _ask(self, ask: Callable[[Connection[Any]], None]) -> bool:
        """Return whether the server has answered; what it says else is logged once."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connected()
            ask(self._connection)
        except psycopg.Error as error:
            self._say(f"the database cannot be sampled now: {redact(str(error)).strip().splitlines()[0]}")
            return False
        return True

    def _connected(self) -> Connection[Any]:
        """Return a new connection, once what a run begins with is known; what was counted before stays.

        Raises psycopg.Error.
        """
        connection = psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_LIMIT_S,
            application_name=APPLICATION,
            options=f"-c statement_timeout={STATEMENT_LIMIT_MS}",
        )
        try:
            self._limit = _first(connection, _LIMIT)
            self._sees_others = bool(_first(connection, _SEES_OTHERS))
            if self._counted is None:
                self._counted = self._totals(connection)
        except psycopg.Error:
            connection.close()
            raise
        if not self._sees_others:
            self._say(
                "the database does not tell this role what the sessions of others do: GRANT pg_monitor to it"
            )
        return connection

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            logger.warning("%s", what)

    def _sample(self, connection: Connection[Any]) -> None:
        if self._stage is not None and self._stage != self._written_stage:
            self._count_statements(connection, self._written_stage)
            self._written_stage = self._stage
        sessions = connection.execute(_SESSIONS, [APPLICATION]).fetchone()
        assert sessions is not None
        if not self._sees_others:
            sessions = (sessions[0], *[None] * (len(sessions) - 1))
        blocker = connection.execute(_BLOCKERS).fetchone() if sessions[4] else None
        counters = connection.execute(_COUNTERS).fetchone()
        assert counters is not None
        now = (self._now_unix_s(), *sessions[:5], self._limit, *sessions[5:], *(blocker or (None, 0)))
        row = PostgresRow._make((*now, *map(int, counters), *self._of_the_log(connection)))
        with self._errors.guard(POSTGRES_FILE):
            self._samples.write(row)

    def _of_the_log(self, connection: Connection[Any]) -> tuple[int | None, int | None, int | None]:
        """Return the checkpoints that were due and those that were asked for, and the bytes of the log."""
        version = connection.info.server_version
        table, columns = "pg_stat_bgwriter", "checkpoints_timed, checkpoints_req"
        if version >= 17_00_00:
            table, columns = "pg_stat_checkpointer", "num_timed, num_requested"
        checkpoints = connection.execute(f"SELECT {columns} FROM {table}".encode()).fetchone() or (None, None)  # noqa: S608 - our own words
        wal_bytes = _first(connection, "SELECT wal_bytes FROM pg_stat_wal") if version >= 14_00_00 else None
        return checkpoints[0], checkpoints[1], wal_bytes

    def _totals(self, connection: Connection[Any]) -> dict[str, Sequence[float]]:
        """Return what each statement has come to so far; none where the server does not count them."""
        try:
            found = connection.execute(_STATEMENTS).fetchall()
        except (psycopg.ProgrammingError, psycopg.errors.ObjectNotInPrerequisiteState) as error:
            what = str(error).partition("\n")[0]
            self._say(f"the database does not tell of statements, for want of pg_stat_statements: {what}")
            return {}
        return {queryid: tuple(map(float, totals)) for queryid, *totals in found}

    def _count_statements(self, connection: Connection[Any], stage: str) -> None:
        """Write down what the statements that took most time have come to since the last time."""
        before, self._counted = self._counted or {}, self._totals(connection)
        grown = {}
        for queryid, totals in self._counted.items():
            was = before.get(queryid, (0.0,) * len(totals))
            # Totals that fell were reset: they begin anew.
            since = (
                totals if totals[0] < was[0] else [now - then for now, then in zip(totals, was, strict=True)]
            )
            if since[0]:
                grown[queryid] = since
        top = sorted(grown, key=lambda queryid: -grown[queryid][2])[: 2 * TOP_STATEMENTS]
        texts = dict(connection.execute(_TEXTS, [top]).fetchall()) if top else {}
        others = [queryid for queryid in top if not _OWN.search(texts.get(queryid) or "")]
        for queryid in others[:TOP_STATEMENTS]:
            calls, rows, total_ms, temp_blocks = grown[queryid]
            query = redact(_LITERAL.sub("'***'", texts.get(queryid) or ""))[:MAX_QUERY]
            row = StatementRow(stage, queryid, query, int(calls), int(rows), total_ms, int(temp_blocks))
            with self._errors.guard(STATEMENTS_FILE):
                self._statements.write(row)


def _first(connection: Connection[Any], statement: str) -> int | None:
    row = connection.execute(statement.encode()).fetchone()
    return None if row is None or row[0] is None else int(row[0])
