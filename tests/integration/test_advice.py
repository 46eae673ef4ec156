"""Faults planted in a real database are found by `plimsoll advise`; a healthy one gets no advice."""

from __future__ import annotations

import csv
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from plimsoll.advice.command import advise, command
from plimsoll.run_files.advice import Advice
from plimsoll.run_files.exit_status import ExitStatus

SCHEMA = """
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (
  id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers, status text NOT NULL,
  total numeric NOT NULL, note text NOT NULL);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 5000) n;
INSERT INTO orders SELECT n, 1 + n * 7919 % 5000, (ARRAY['open', 'paid', 'sent'])[1 + n % 3], n * 37 % 1000,
  'note' FROM generate_series(1, 200000) n;
ANALYZE"""
HEALTHY_INDEX = "CREATE INDEX orders_customer_id ON orders (customer_id)"
BY_KEY = "SELECT * FROM orders WHERE id = $1"
BY_CUSTOMER = "SELECT * FROM orders WHERE customer_id = $1"
SORTED = "SELECT id, total, note FROM orders WHERE status = $1 ORDER BY total, note, id"


@pytest.fixture(scope="module")
def shop(database_url: str) -> Iterator[str]:
    """Make a database of 200,000 orders without an index on their customers."""
    name = f"advice_{secrets.token_hex(4)}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
        )
        url = make_conninfo(database_url, dbname=name)
        with psycopg.connect(url, autocommit=True) as own:
            own.execute(SCHEMA)
        yield url
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def write_run(
    folder: Path, statements: dict[str, tuple[int, int, float]], **files: list[dict[str, Any]]
) -> Path:
    """Write what advice reads of a run: statements with calls, rows and total time, and other CSV files."""
    (folder / "run.json").write_text("{}")
    rows = [
        {"stage": "hold", "queryid": n, "query": text, "calls": calls, "rows": rows, "total_ms": total_ms}
        for n, (text, (calls, rows, total_ms)) in enumerate(statements.items())
    ]
    for name, content in {"statements": rows, **files}.items():
        if content:
            with (folder / f"{name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, content[0].keys())
                writer.writeheader()
                writer.writerows(content)
    return folder


def kinds(advice: Advice) -> list[str]:
    """Return the kinds of the findings."""
    return [each.kind for each in advice.findings]


def test_a_missing_index_is_measured_on_a_branch(shop: str, tmp_path: Path) -> None:
    """An index on the customer is faster and reads fewer blocks; the database itself is not changed."""
    run = write_run(tmp_path, {BY_CUSTOMER: (100, 4_000, 12_000.0)})
    advice = advise(run, shop)
    (found,) = advice.findings

    assert (found.kind, found.subject) == ("missing_index", "orders (customer_id)")
    gain = found.gain
    assert gain is not None
    assert gain.ratio_high is not None
    assert gain.ratio_high < 0.5
    assert gain.after_blocks < 0.1 * gain.before_blocks
    assert gain.parameter_sets >= 6
    assert gain.index_bytes > 1_000_000
    assert gain.wal_bytes_per_row_after is not None
    assert gain.wal_bytes_per_row_before is not None
    assert gain.wal_bytes_per_row_after > gain.wal_bytes_per_row_before > 0
    with psycopg.connect(shop) as connection:
        indexes = connection.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"
        ).fetchall()
        branches = connection.execute(
            "SELECT datname FROM pg_database WHERE datname ~ '^plimsoll_'"
        ).fetchall()
    assert sorted(indexes) == [("customers_pkey",), ("orders_pkey",)]
    assert branches == []


def test_an_index_without_a_gain_is_listed_as_tried(shop: str, tmp_path: Path) -> None:
    """A third of the rows has the status: an index does not save blocks, so none is advised."""
    text = "SELECT sum(total) FROM orders WHERE status = $1 AND total + id < 0"
    advice = advise(write_run(tmp_path, {text: (100, 100, 12_000.0)}), shop)

    assert "missing_index" not in kinds(advice)
    assert ["status" in each.definition for each in advice.tried] == [True]
    assert not advice.tried[0].is_shown


def test_an_index_that_a_cast_makes_useless(shop: str, tmp_path: Path) -> None:
    """The key is compared as another type, so that its index is not used: no other index would help."""
    text = "SELECT * FROM orders WHERE id::numeric = $1"
    advice = advise(write_run(tmp_path, {text: (100, 100, 12_000.0)}), shop)

    assert [(each.kind, each.subject) for each in advice.findings] == [("index_not_used", "orders (id)")]
    assert advice.tried == []


def test_a_spill_to_disk(shop: str, tmp_path: Path) -> None:
    """A sort of 66,000 rows does not fit into the database's 64 kB; what it needs is found on the branch."""
    run = write_run(tmp_path, {SORTED: (10, 10, 3_000.0)})
    with psycopg.connect(shop, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET work_mem = '64kB'").format(name))
    advice = advise(run, shop)
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} RESET work_mem").format(name))
    (found,) = advice.findings

    assert found.kind == "spill_to_disk"
    assert found.evidence["temp_blocks"] > 100
    assert found.evidence["work_mem_bytes"] > 1 << 20


def test_one_statement_for_each_row(shop: str, tmp_path: Path) -> None:
    """A list of ten and ten selects by key are an N+1, although each statement is fast."""
    run = write_run(
        tmp_path,
        {"SELECT id FROM orders ORDER BY id LIMIT $1": (100, 1_000, 20.0), BY_KEY: (1_000, 1_000, 20.0)},
    )
    advice = advise(run, shop)

    assert [(each.kind, each.subject) for each in advice.findings] == [("n_plus_one", BY_KEY)]


def test_statements_of_a_server_where_the_run_recorded_none(shop: str, tmp_path: Path) -> None:
    """A list and its selects by key, as pg_stat_statements counted them, are an N+1."""
    with psycopg.connect(shop, autocommit=True) as connection:
        (preloaded,) = connection.execute("SHOW shared_preload_libraries").fetchone() or ("",)
        if "pg_stat_statements" not in preloaded:
            pytest.skip("this PostgreSQL has no pg_stat_statements preloaded")
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        for _ in range(10):
            for (key,) in connection.execute("SELECT id FROM orders ORDER BY id LIMIT 12").fetchall():
                connection.execute("SELECT * FROM orders WHERE id = %s", [key])
    (tmp_path / "run.json").write_text("{}")
    advice = advise(tmp_path, shop, use_branch=False)

    assert [(each.kind, each.subject) for each in advice.findings] == [("n_plus_one", BY_KEY)]
    assert "statements are those of the server since its statistics were reset" in advice.notes


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        ({"idle_in_transaction_max_s": [0.1, 1.4, 2.4]}, "idle_in_transaction"),
        ({"blocked": [3, 7, 2], "root_blocker": [4711, 4711, 4711]}, "lock_pile_up"),
    ],
)
def test_what_samples_show(tmp_path: Path, samples: dict[str, list[float]], kind: str) -> None:
    """A session idle in a transaction and a pile of lock waits are found without any database."""
    rows = [
        {"unix_s": 1000 + second, "connections": 9, "max_connections": 100}
        | {name: values[second] for name, values in samples.items()}
        for second in range(3)
    ]
    advice = advise(write_run(tmp_path, {}, postgres=rows), None)

    assert kinds(advice) == [kind]


def test_a_healthy_schema_gets_no_advice(shop: str, database_url: str, tmp_path: Path) -> None:
    """Selects by key and by an indexed column, a list, and updates by key leave nothing to advise."""
    name = f"advice_{secrets.token_hex(4)}"
    source = psycopg.conninfo.conninfo_to_dict(shop)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(copy.format(sql.Identifier(name), sql.Identifier(str(source))))
        try:
            url = make_conninfo(database_url, dbname=name)
            with psycopg.connect(url, autocommit=True) as own:
                own.execute(HEALTHY_INDEX)
                own.execute("SET enable_seqscan = off; SELECT * FROM orders WHERE customer_id = 1")
                own.execute("SELECT pg_stat_force_next_flush()")
            statements = {
                BY_KEY: (1_000, 1_000, 30.0),
                BY_CUSTOMER: (100, 4_000, 60.0),
                "UPDATE orders SET total = total + $1 WHERE id = $2": (300, 300, 30.0),
                "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.id = $1": (
                    50,
                    2_000,
                    9.0,
                ),
                "SELECT count(*) FROM orders": (2, 2, 60.0),
                "INSERT INTO customers (id, name) VALUES ($1, $2)": (10, 10, 1.0),
            }
            samples = [{"unix_s": 1000 + n, "connections": 9, "max_connections": 100} for n in range(3)]
            advice = advise(write_run(tmp_path, statements, postgres=samples), url)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    assert [(each.kind, each.text) for each in advice.findings] == []
    assert advice.tried == []


def test_without_a_branch_nothing_is_said_to_be_measured(shop: str, tmp_path: Path) -> None:
    """With --no-branch the catalogue is read and the foreign key named, without a gain."""
    text = "SELECT c.name FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = $1"
    advice = advise(write_run(tmp_path, {text: (10, 10, 200.0)}), shop, use_branch=False)

    assert [(each.kind, each.gain) for each in advice.findings] == [("unindexed_foreign_key", None)]
    assert "without a branch no plan was looked at, and nothing was measured" in advice.notes


def test_a_database_in_use_is_not_copied(shop: str, tmp_path: Path) -> None:
    """The advice says why there is no branch and what would help, and has what needs none."""
    run = write_run(tmp_path, {BY_CUSTOMER: (100, 4_000, 12_000.0)})
    with psycopg.connect(shop):
        advice = advise(run, shop)

    assert advice.branch == "none"
    assert any("has open sessions" in note and "as the template" in note for note in advice.notes)


def test_the_command_writes_what_it_prints(shop: str, tmp_path: Path) -> None:
    """advice.json can be read back; a database that is gone is said with what to do, without its password."""
    run = write_run(tmp_path, {BY_KEY: (100, 100, 3.0)})
    status, text = command([str(run), "--database-url", shop, "--no-branch"])

    assert status == ExitStatus.PASS
    assert "nothing to advise" in text
    assert Advice.of(json.loads((run / "advice.json").read_text())).findings == []
    gone = "postgresql://me:hush-4711@127.0.0.1:1/gone"
    status, text = command([str(run), "--database-url", gone])
    assert status == ExitStatus.BAD_CONFIGURATION
    assert "that of --with-service has ended with its run" in text
    assert "hush-4711" not in text
    assert command([str(tmp_path / "none")])[0] == ExitStatus.BAD_CONFIGURATION
