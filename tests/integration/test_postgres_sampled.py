"""What is sampled of a real database server while a load runs."""

from __future__ import annotations

import gevent

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from plimsoll.recording.postgres import PostgresSampler
from plimsoll.recording.run_directory import RecordingErrors
from plimsoll.run_files.files import POSTGRES_FILE, STATEMENTS_FILE, PostgresRow, StatementRow
from service.embedded_postgres import embedded_postgres

Row = dict[str, str]


@pytest.fixture
def sampler(database_url: str, tmp_path: Path) -> Iterator[PostgresSampler]:
    """Sample the server; a test takes its samples by itself, at once."""
    made = PostgresSampler(database_url, tmp_path, time.time, RecordingErrors())
    made._sampling.kill(block=True)
    yield made
    made.close()


def rows(path: Path) -> list[Row]:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sampled(sampler: PostgresSampler, folder: Path) -> Row:
    """Take one sample and return it."""
    assert sampler._ask(sampler._sample)
    return rows(folder / POSTGRES_FILE)[-1]


def test_sessions_by_their_state(tmp_path: Path) -> None:
    """Idle ones and those idle in a transaction are told apart, and how old the oldest of these is."""
    with embedded_postgres() as url:  # nobody else has sessions on it
        sampler = PostgresSampler(url, tmp_path, time.time, RecordingErrors())
        sampler._sampling.kill(block=True)
        with psycopg.connect(url) as idle, psycopg.connect(url) as open_one:
            idle.execute("SELECT 1")
            idle.commit()
            open_one.execute("SELECT 1")
            with gevent.Timeout(10):  # the session that has set up the server may end only now
                while (after := sampled(sampler, tmp_path))["connections"] != "2":
                    time.sleep(0.02)
        sampler.close()

    assert list(after) == list(PostgresRow._fields)
    counts = [after[name] for name in ("connections", "active", "idle", "idle_in_transaction")]
    assert counts == ["2", "0", "1", "1"]
    assert 0 <= float(after["idle_in_transaction_max_s"]) < 60
    assert int(after["max_connections"]) == 97
    assert int(after["wal_bytes"]) > 0
    assert int(after["commits"]) > 0


def test_who_blocks_whom(sampler: PostgresSampler, database_url: str, tmp_path: Path) -> None:
    """Of two that wait, one behind the other, the root is named, with both as its victims."""
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("DROP TABLE IF EXISTS blocked; CREATE TABLE blocked (n integer)")
    root, *victims = (psycopg.connect(database_url) for _ in range(3))
    root.execute("LOCK TABLE blocked")
    for victim in victims:
        victim.pgconn.send_query(b"BEGIN; LOCK TABLE blocked")
    with gevent.Timeout(10):
        while (row := sampled(sampler, tmp_path))["waiting"] != "2":
            time.sleep(0.02)
    root_pid = root.info.backend_pid
    for connection in (root, *victims):
        connection.close()

    assert (row["root_blocker"], row["blocked"]) == (str(root_pid), "2")


def test_statements_of_each_stage(sampler: PostgresSampler, database_url: str, tmp_path: Path) -> None:
    """What ran in a stage is there by its normalised text, with its calls and rows in that stage alone."""

    def run(times: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            for n in range(times):
                connection.execute("SELECT g, 'only here' FROM generate_series(1, 5) g WHERE g > %s", [n % 2])

    for stage, times in (("warm up", 3), ("hold", 7)):
        sampler.note_stage(stage)
        sampled(sampler, tmp_path)
        run(times)
    sampler.close()
    found = [
        row for row in rows(tmp_path / STATEMENTS_FILE) if "SELECT g, $2 FROM generate_series" in row["query"]
    ]

    assert list(found[0]) == list(StatementRow._fields)
    assert [(row["stage"], row["calls"]) for row in found] == [("warm up", "3"), ("hold", "7")]
    assert float(found[1]["total_ms"]) > 0
    assert "only here" not in found[0]["query"]


def test_a_role_without_rights_sees_less(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An ordinary role has counts and counters; what it is not told is not known, and what to do is said."""
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("DROP ROLE IF EXISTS sampled_poor")
        server.execute("CREATE ROLE sampled_poor LOGIN")
        poor = PostgresSampler(
            make_conninfo(database_url, user="sampled_poor"), tmp_path, time.time, RecordingErrors()
        )
        poor._sampling.kill(block=True)
        row = sampled(poor, tmp_path)
        poor.close()
        server.execute("DROP ROLE sampled_poor")

    assert int(row["connections"]) >= 1
    assert int(row["commits"]) > 0
    assert (row["active"], row["waiting"]) == ("", "")
    assert "GRANT pg_monitor" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("url", ["host=127.0.0.1 port=1 password=s3cret", "host=/nowhere"])
def test_a_server_that_is_away_is_said_once(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked again and again, it is said once, without a secret; the files are there, and empty."""
    sampler = PostgresSampler(url, tmp_path, time.time, RecordingErrors())
    sampler._sampling.kill(block=True)
    for _ in range(3):
        assert not sampler._ask(sampler._sample)
    sampler.close()

    assert [record.message.partition(": ")[0] for record in caplog.records] == [
        "the database cannot be sampled now"
    ]
    assert "s3cret" not in caplog.text
    assert rows(tmp_path / POSTGRES_FILE) == []


def test_it_comes_back_with_the_server(sampler: PostgresSampler, database_url: str, tmp_path: Path) -> None:
    """A session that the server has ended is replaced, and sampling goes on."""
    sampled(sampler, tmp_path)
    assert sampler._connection is not None
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(%s)", [sampler._connection.info.backend_pid])

    assert not sampler._ask(sampler._sample)
    sampled(sampler, tmp_path)
    assert len(rows(tmp_path / POSTGRES_FILE)) == 2


def test_passwords_of_statements_are_masked(
    sampler: PostgresSampler, database_url: str, tmp_path: Path
) -> None:
    """Utility statements, which the server does not normalise, are written down without their literals."""
    sampler.note_stage("secrets")
    sampled(sampler, tmp_path)
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("CREATE ROLE sampled_secret LOGIN PASSWORD 'hunter2'")
        server.execute("ALTER ROLE sampled_secret PASSWORD 'it''s hunter3'")
        server.execute("DO $do$ BEGIN PERFORM 'hunter4'; END $do$")
        server.execute("DROP ROLE sampled_secret")
    sampler.close()
    text = (tmp_path / STATEMENTS_FILE).read_text("utf-8")

    assert "ALTER ROLE sampled_secret PASSWORD '***'" in text
    assert "hunter" not in text


def test_the_last_stage_is_counted_when_the_load_ends(database_url: str, tmp_path: Path) -> None:
    """While it samples by itself, its end waits for the sample under way and counts what ran last."""
    sampler = PostgresSampler(database_url, tmp_path, time.time, RecordingErrors())
    sampler.note_stage("only")
    with gevent.Timeout(10):
        while not rows(tmp_path / POSTGRES_FILE):
            gevent.sleep(0.01)
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("SELECT count(*) FROM generate_series(1, 7) a, generate_series(1, 7) b")
    sampler.close()

    last = [row for row in rows(tmp_path / STATEMENTS_FILE) if "generate_series($3, $4) b" in row["query"]]
    assert [(row["stage"], row["calls"]) for row in last] == [("only", "1")]
