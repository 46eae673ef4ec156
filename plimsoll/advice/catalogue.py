"""Read-only queries of the catalogue of a database, and their rows as the rules want them."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import dict_row

from plimsoll.advice.samples import StatementCalls
from plimsoll.advice.server import ForeignKey, Index, Machine
from plimsoll.advice.sql import Column, Statement, without_secrets

USER_SCHEMAS = r"n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"
# Index keys with operator class and order, as pg_get_indexdef writes them without a name that differs.
INDEXES = rf"""
SELECT t.relname AS "table", c.relname AS name, a.amname AS method,
  ARRAY(SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid, k, false), i.indclass[k - 1],
          i.indoption[k - 1]) FROM generate_series(1, i.indnkeyatts) k) AS keys,
  ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, false)
        FROM generate_series(i.indnkeyatts + 1, i.indnatts) k) AS included,
  coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate, i.indisunique AS is_unique,
  i.indisprimary OR i.indisexclusion OR i.indisreplident OR i.indisclustered
    OR EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = i.indexrelid) AS is_constraint,
  coalesce(s.idx_scan, 0) AS scans, pg_relation_size(i.indexrelid) AS size_bytes
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_am a ON a.oid = c.relam
  LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = i.indexrelid
WHERE i.indisvalid AND c.relkind = 'i' AND {USER_SCHEMAS}
ORDER BY t.relname, c.relname"""  # noqa: S608 - a constant of this module
FOREIGN_KEYS = rf"""
SELECT o.conname AS name, t.relname AS "table", greatest(t.reltuples, 0) AS table_rows, p.relname AS parent,
  ARRAY(SELECT attname::text FROM unnest(o.conkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute ON attrelid = o.conrelid AND attnum = k.number ORDER BY place) AS columns,
  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = o.conrelid AND i.indisvalid AND i.indpred IS NULL
          AND (i.indkey::int2[])[0:cardinality(o.conkey) - 1] @> o.conkey
          AND o.conkey @> (i.indkey::int2[])[0:cardinality(o.conkey) - 1]) AS is_indexed
FROM pg_constraint o JOIN pg_class t ON t.oid = o.conrelid JOIN pg_class p ON p.oid = o.confrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE o.contype = 'f' AND {USER_SCHEMAS} ORDER BY t.relname, o.conname"""  # noqa: S608 - a constant of this module
TABLES = rf"""
SELECT n.nspname AS schema, t.relname AS name, greatest(t.reltuples, 0) AS rows,
  array_agg(a.attname::text ORDER BY a.attnum) AS columns,
  array_agg(coalesce(s.n_distinct, 0) ORDER BY a.attnum) AS n_distinct,
  coalesce(max(u.n_tup_upd), 0) AS updates, coalesce(max(u.n_tup_hot_upd), 0) AS hot_updates
FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = a.attname
    AND NOT s.inherited
  LEFT JOIN pg_stat_user_tables u ON u.relid = t.oid
WHERE t.relkind = 'r' AND {USER_SCHEMAS}
GROUP BY t.oid, n.nspname, t.relname, t.reltuples ORDER BY t.reltuples"""  # noqa: S608 - a constant of this module
JUDGED_SETTINGS = (
    "autovacuum",
    "autovacuum_max_workers",
    "checkpoint_completion_target",
    "effective_cache_size",
    "maintenance_work_mem",
    "max_connections",
    "max_parallel_workers_per_gather",
    "max_wal_size",
    "random_page_cost",
    "seq_page_cost",
    "shared_buffers",
    "work_mem",
)
SETTINGS = f"""
SELECT name, vartype, setting,
  CASE unit WHEN 'B' THEN 1 WHEN 'kB' THEN 1024 WHEN '8kB' THEN 8192 WHEN 'MB' THEN 1048576
    WHEN 'ms' THEN 0.001 WHEN 'min' THEN 60 ELSE 1 END AS factor
FROM pg_settings WHERE name IN {JUDGED_SETTINGS}"""  # noqa: S608 - a constant of this module
OWN_SETTINGS = """
SELECT name, current_setting(name) AS value FROM pg_settings
WHERE source IN ('database', 'user', 'database user') AND context = 'user'"""


class Table(NamedTuple):
    """A table: its estimated rows, its columns with their distinct values, and its updates since a reset."""

    schema: str
    name: str
    rows: float
    distinct: dict[str, float]
    updates: int
    hot_updates: int


class Catalogue(NamedTuple):
    """What a database has; tables by their names: of two with one name, the larger."""

    tables: dict[str, Table]
    indexes: list[Index]
    foreign_keys: list[ForeignKey]
    settings: dict[str, Any]
    machine: Machine | None
    own_settings: dict[str, str]
    """What sessions of this database and role have otherwise than the server, which a copy does not have."""

    def leading_columns(self, table: str) -> set[str]:
        """Return the columns with which an unconditional index of a table begins."""
        return {
            each.keys[0].split(" ")[0].strip('"')
            for each in self.indexes
            if each.table == table and not each.predicate
        }

    def has_index(self, table: str, columns: tuple[str, ...]) -> bool:
        """Tell whether an unconditional index of a table begins with these columns, in any order."""
        return any(
            {key.split(" ")[0].strip('"') for key in each.keys[: len(columns)]} == set(columns)
            for each in self.indexes
            if each.table == table and not each.predicate
        )

    def table_of(self, column: Column, statement: Statement) -> Table | None:
        """Return the table of a column: that of its alias, or the one of the statement that has it."""
        if column.table:
            table = self.tables.get(statement.tables.get(column.table, column.table))
            return table if table is not None and column.name in table.distinct else None
        owners = {name for name in statement.tables.values() if column.name in self._columns(name)}
        return self.tables[owners.pop()] if len(owners) == 1 else None

    def owned(self, columns: Sequence[Column], statement: Statement) -> list[tuple[str, str]]:
        """Return table and name of each column whose table is known, once."""
        found = [(self.table_of(each, statement), each.name) for each in columns]
        return list(dict.fromkeys((table.name, name) for table, name in found if table is not None))

    def _columns(self, table: str) -> set[str]:
        return set(self.tables[table].distinct) if table in self.tables else set()


def read_catalogue(connection: Connection[Any]) -> Catalogue:
    """Read the catalogue of a database.

    Raises psycopg.Error where the database refuses.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        tables = {row["name"]: _table(row) for row in cursor.execute(TABLES).fetchall()}
        indexes = [
            Index(**row | {"keys": tuple(row["keys"]), "included": frozenset(row["included"])})
            for row in cursor.execute(INDEXES).fetchall()
        ]
        foreign_keys = [
            ForeignKey(**row | {"columns": tuple(row["columns"])})
            for row in cursor.execute(FOREIGN_KEYS).fetchall()
        ]
        settings = {row["name"]: _setting(row) for row in cursor.execute(SETTINGS).fetchall()}
        own = {row["name"]: str(row["value"]) for row in cursor.execute(OWN_SETTINGS).fetchall()}
    return Catalogue(tables, indexes, foreign_keys, settings, _machine(connection), own)


def read_statements(connection: Connection[Any]) -> list[StatementCalls]:
    """Return what pg_stat_statements counted of this database since its reset, if it is installed.

    Raises psycopg.Error where the database refuses.
    """
    row = connection.execute(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'pg_stat_statements'"
    ).fetchone()
    if row is None:
        return []
    query = f"""
        SELECT '', queryid::text, query, calls, rows, total_exec_time, temp_blks_written
        FROM {row[0]}.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = current_database() AND toplevel AND queryid IS NOT NULL"""  # noqa: S608 - a quoted name
    return [
        StatementCalls(*found)._replace(text=without_secrets(found[2])) for found in connection.execute(query)
    ]


def _table(row: dict[str, Any]) -> Table:
    # Negative n_distinct is a share of the rows.
    rows = float(row["rows"])
    distinct = {
        column: float(-found * rows if found < 0 else found)
        for column, found in zip(row["columns"], row["n_distinct"], strict=True)
    }
    return Table(row["schema"], row["name"], rows, distinct, row["updates"], row["hot_updates"])


def _setting(row: dict[str, Any]) -> float | bool | str:
    if row["vartype"] == "bool":
        return bool(row["setting"] == "on")
    is_number = row["vartype"] in ("integer", "real")
    return float(row["setting"]) * float(row["factor"]) if is_number else str(row["setting"])


def _machine(connection: Connection[Any]) -> Machine | None:
    """Return this machine where the server is on it, reached by a socket or by loopback, else None."""
    host = connection.info.host
    if not host.startswith("/") and host not in ("localhost", "127.0.0.1", "::1"):
        return None
    return Machine(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), os.cpu_count() or 1)
