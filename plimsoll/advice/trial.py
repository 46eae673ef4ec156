"""An index tried on a branch: the same statement measured without and with it, and what it costs."""

import time
from collections.abc import Sequence
from math import comb
from statistics import median
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection, sql

from plimsoll.advice.catalogue import Table
from plimsoll.advice.explain import Parameters, explained
from plimsoll.advice.plans import blocks_of, uses_index
from plimsoll.run_files.advice import Gain

TRIAL_S = 6.0
"""How long a statement is measured before and after each, at most; fewer sets are measured then."""
MIN_SETS = 6
WARM_UP_SETS = 20
BLOCK_SETS = 20
WRITE_BASE_ROWS, WRITE_BATCHES, WRITE_BATCH_ROWS = 10_000, 10, 100
INDEX_NAME, PROBE_NAME = "plimsoll_tried_index", "plimsoll_write_probe"
CONFIDENCE = 0.95


class Measured(NamedTuple):
    """A statement without the index: the time of each parameter set, and the median of touched blocks."""

    times_ms: list[float]
    blocks: float


class WriteCost(NamedTuple):
    """What a row costs that is inserted: WAL, and the median time."""

    wal_bytes: float
    insert_us: float


def measured(connection: Connection[Any], text: str, sets: Sequence[Parameters]) -> Measured:
    """Execute a statement with each parameter set, warm and for a bounded time.

    Raises psycopg.Error where it cannot be executed.
    """
    begun = time.perf_counter()
    for each in sets[:WARM_UP_SETS]:
        _executed_ms(connection, text, each)
        if time.perf_counter() - begun > TRIAL_S / 2:
            break
    begun, times_ms = time.perf_counter(), []
    for each in sets:
        times_ms.append(_executed_ms(connection, text, each))
        if len(times_ms) >= MIN_SETS and time.perf_counter() - begun > TRIAL_S:
            break
    options = "BUFFERS, TIMING OFF"
    some = sets[: min(BLOCK_SETS, len(times_ms))]
    blocks = [blocks_of(explained(connection, text, each, options=options)) for each in some]
    return Measured(times_ms, float(median(blocks)))


def _executed_ms(connection: Connection[Any], text: str, parameters: Parameters) -> float:
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        begun = time.perf_counter()
        cursor.execute(text, parameters or None)
        if cursor.description is not None:
            cursor.fetchall()
        return 1000 * (time.perf_counter() - begun)


def try_index(
    connection: Connection[Any],
    statement: tuple[str, Sequence[Parameters], Measured],
    table: Table,
    columns: Sequence[str],
    updates_not_hot: int,
) -> Gain:
    """Create an index, measure a statement that was measured without it, and drop the index.

    Raises psycopg.Error where that is refused.
    """
    text, sets, before = statement
    keys = sql.SQL(", ").join(map(sql.Identifier, columns))
    create, relation = sql.SQL("CREATE INDEX {} ON {} ({})"), sql.Identifier(table.schema, table.name)
    begun = time.perf_counter()
    connection.execute(create.format(sql.Identifier(INDEX_NAME), relation, keys))
    build_s = time.perf_counter() - begun
    try:
        connection.execute(sql.SQL("ANALYZE {}").format(relation))
        after = measured(connection, text, sets[: len(before.times_ms)])
        is_used = uses_index(explained(connection, text, sets[0]), INDEX_NAME)
        index = sql.Identifier(table.schema, INDEX_NAME).as_string()
        row = connection.execute("SELECT pg_relation_size($1::regclass)", [index]).fetchone()
        assert row is not None
    finally:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(table.schema, INDEX_NAME)))
    ratios = [now / then for now, then in zip(after.times_ms, before.times_ms, strict=False)]
    count, (low, high) = len(ratios), median_interval(ratios)
    plain, indexed = write_costs(connection, table, keys)
    return Gain(
        definition=f"CREATE INDEX ON {relation.as_string()} ({keys.as_string()})",
        statement=text,
        parameter_sets=count,
        before_ms=median(before.times_ms[:count]),
        after_ms=median(after.times_ms[:count]),
        ratio=median(ratios),
        ratio_low=low,
        ratio_high=high,
        before_blocks=before.blocks,
        after_blocks=after.blocks,
        is_used=is_used,
        build_s=build_s,
        index_bytes=int(row[0]),
        wal_bytes_per_row_before=plain and plain.wal_bytes,
        wal_bytes_per_row_after=indexed and indexed.wal_bytes,
        insert_us_per_row_before=plain and plain.insert_us,
        insert_us_per_row_after=indexed and indexed.insert_us,
        updates_not_hot=updates_not_hot,
        hot_update_ratio=table.hot_updates / table.updates if table.updates else None,
    )


def median_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return where the true median lies with 95 % confidence, by order statistics; None of fewer than six."""
    ordered, count = sorted(values), len(values)
    below, total = 0, 0
    # The most values that may be cut off at each end: so few on one side of the median are that unlikely.
    while below < count and 2 * (total + comb(count, below)) <= (1 - CONFIDENCE) * 2**count:
        total += comb(count, below)
        below += 1
    return (ordered[below - 1], ordered[count - below]) if below else (None, None)


def write_costs(
    connection: Connection[Any], table: Table, keys: sql.Composable
) -> tuple[WriteCost | None, WriteCost | None]:
    """Return what inserting a row costs without and with an index on a copy of a part of the table.

    None where the rows cannot be copied.
    """
    probe, relation = sql.Identifier(table.schema, PROBE_NAME), sql.Identifier(table.schema, table.name)
    copy = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING INDEXES)").format(probe, relation)
    drop = sql.SQL("DROP TABLE IF EXISTS {}").format(probe)

    def inserted() -> WriteCost:
        connection.execute(sql.SQL("TRUNCATE {}").format(probe))
        insert = sql.SQL("INSERT INTO {} SELECT * FROM {} OFFSET {} LIMIT {}")
        connection.execute(insert.format(probe, relation, sql.Literal(0), sql.Literal(WRITE_BASE_ROWS)))
        plans = []
        for batch in range(WRITE_BATCHES):
            offset = sql.Literal(WRITE_BASE_ROWS + batch * WRITE_BATCH_ROWS)
            rows = insert.format(probe, relation, offset, sql.Literal(WRITE_BATCH_ROWS))
            query = sql.SQL("EXPLAIN (ANALYZE, WAL, TIMING OFF, FORMAT JSON) {}").format(rows)
            row = connection.execute(query).fetchone()
            assert row is not None
            plans.append(row[0][0])
        wal_bytes = sum(plan["Plan"].get("WAL Bytes", 0) for plan in plans)
        return WriteCost(
            wal_bytes / (WRITE_BATCHES * WRITE_BATCH_ROWS),
            1000 * median(plan["Execution Time"] for plan in plans) / WRITE_BATCH_ROWS,
        )

    try:
        connection.execute(drop)
        connection.execute(copy)
        plain = inserted()
        connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(probe, keys))
        return plain, inserted()
    except psycopg.Error:
        return (
            None,
            None,
        )  # as with a domain or a rule that refuses copies: the gain is told without this cost
    finally:
        connection.execute(drop)
