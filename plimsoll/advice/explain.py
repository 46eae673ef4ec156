"""Plans of statements on a branch, with parameters drawn from the columns that they are compared with."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection, RawCursor, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from plimsoll.advice.catalogue import Catalogue, Table
from plimsoll.advice.plans import Node, plan_findings, walk
from plimsoll.advice.samples import StatementCalls
from plimsoll.advice.sql import Column, Statement, parsed
from plimsoll.run_files.advice import Finding

DATA_STATEMENT = re.compile(r"\s*(select|with|update|delete)\b", re.IGNORECASE)
STATEMENT_TIMEOUT_S = 30
MAX_SETS, EXPLAINED_SETS, EXPLAINED_S = 200, 5, 10.0
SAMPLED_ROWS = 20_000
ARRAY_SIZE = 10
ROWS_ASKED_FOR = "10"
"""Of a LIMIT whose number the normalised statement does not tell."""
Parameters = tuple[str, ...]


def with_options(url: str, options: str) -> str:
    """Return a connection string with server options beside those that it has."""
    own = conninfo_to_dict(url).get("options")
    return make_conninfo(url, options=f"{own} {options}" if own else options)


@contextmanager
def branch_session(url: str, settings: Mapping[str, str]) -> Iterator[Connection[Any]]:
    """Connect with a branch: statements are ended after 30 s, and find the tables of every schema.

    *settings* are those of the database that was copied.

    Raises psycopg.Error where that is refused.
    """
    with psycopg.connect(
        with_options(url, f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c synchronize_seqscans=off"),
        autocommit=True,
        cursor_factory=RawCursor,
        prepare_threshold=None,
        client_encoding="UTF8",
    ) as connection:
        for name, value in settings.items():
            connection.execute("SELECT set_config($1, $2, false)", [name, value])
        connection.execute(
            "SELECT set_config('search_path', string_agg(quote_ident(nspname), ', ' ORDER BY"
            " nspname <> 'public'), false) FROM pg_namespace"
            " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        )
        yield connection


def parameter_sets(
    connection: Connection[Any], statement: Statement, catalogue: Catalogue, most: int
) -> list[Parameters]:
    """Return *most* sets of parameters as texts, by their numbers; none where one cannot be known.

    Columns of one table come from one row, so that what belongs together stays together.
    """
    if not statement.parameters:
        return [()] * most
    values: dict[int, Sequence[str]] = {}
    by_table: dict[str, dict[int, str]] = {}
    for number, use in statement.parameters.items():
        if isinstance(use, Column):
            table = catalogue.table_of(use, statement)
            if table is None:
                return []
            by_table.setdefault(table.name, {})[number] = use.name
        elif use is None:
            return []
        else:
            values[number] = [ROWS_ASKED_FOR if use == "LIMIT" else "0"]
    for name, columns in by_table.items():
        drawn = _draw(connection, catalogue.tables[name], columns, statement, most)
        if not drawn:
            return []
        values |= drawn
    numbers = sorted(values)
    return [tuple(values[n][k % len(values[n])] for n in numbers) for k in range(most)]


def _draw(
    connection: Connection[Any], table: Table, columns: Mapping[int, str], statement: Statement, most: int
) -> dict[int, list[str]]:
    """Return values for each parameter of a table, rows in an order of chance that is the same each time.

    The second parameter of a range takes the next higher value of the sample, one of a list the next row's.
    """
    names = sorted(set(columns.values()))
    known = [sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in names]
    shown = [
        sql.SQL("{0}::text, coalesce(lead({0}) OVER (ORDER BY {0}), {0})::text").format(sql.Identifier(name))
        for name in names
    ]
    query = sql.SQL(
        "SELECT {shown} FROM (SELECT * FROM (SELECT {names} FROM {table} TABLESAMPLE BERNOULLI ({percent})"
        " REPEATABLE (1) WHERE {known}) s ORDER BY random() LIMIT {most}) s ORDER BY random()"
    ).format(
        shown=sql.SQL(", ").join(shown),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier(table.schema, table.name),
        percent=sql.Literal(min(100.0, 100.0 * SAMPLED_ROWS / max(table.rows, 1.0))),
        known=sql.SQL(" AND ").join(known),
        most=sql.Literal(most),
    )
    with connection.transaction():
        connection.execute("SELECT setseed(0.5)")
        rows = connection.execute(query).fetchall()
    if not rows:
        return {}
    ranges = {column.name for column in statement.ranged}
    values: dict[int, list[str]] = {}
    used: dict[str, int] = {}
    for number in sorted(columns):
        name, shift = columns[number], used.get(columns[number], 0)
        place = 2 * names.index(name)
        used[name] = shift + 1
        if number in statement.arrays:
            texts = [str(row[place]) for row in rows]
            values[number] = [_array((texts + texts)[k : k + ARRAY_SIZE]) for k in range(len(texts))]
        elif name in ranges and shift == 1:
            values[number] = [str(row[place + 1]) for row in rows]
        else:
            values[number] = [str(rows[(k + shift) % len(rows)][place]) for k in range(len(rows))]
    return values


def _array(texts: Sequence[str]) -> str:
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def explained(
    connection: Connection[Any], text: str, parameters: Parameters, *, options: str = "BUFFERS, SETTINGS"
) -> Node:
    """Execute a statement, undo what it wrote, and return its plan.

    Raises psycopg.Error where it cannot be executed.
    """
    with connection.transaction(force_rollback=True):
        query = f"EXPLAIN (ANALYZE, {options}, FORMAT JSON) {text}"
        row = connection.execute(query, parameters or None).fetchone()
    assert row is not None
    plan: Node = row[0][0]
    return plan


def generic_plan(connection: Connection[Any], text: str, catalogue: Catalogue) -> Node | None:
    """Return the plan for unknown parameters, its sequential scans filled with estimates as if executed.

    None before PostgreSQL 16. Raises psycopg.Error where the statement cannot be planned.
    """
    if connection.info.server_version < 160000:
        return None
    # Without parameters psycopg uses the simple protocol; another refuses a $1 without a value.
    row = connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {text}").fetchone()
    assert row is not None
    plan: Node = row[0][0]
    for placed in walk(plan["Plan"]):
        node, table = placed.node, catalogue.tables.get(str(placed.node.get("Relation Name")))
        is_under_limit = any(each["Node Type"] == "Limit" for each in placed.above)
        if node["Node Type"] == "Seq Scan" and table is not None and not is_under_limit:
            removed = max(table.rows - node["Plan Rows"], 0) if "Filter" in node else 0
            node |= {
                "Actual Rows": node["Plan Rows"],
                "Actual Loops": 1,
                "Rows Removed by Filter": removed,
            }
    return plan


def plans_of(connection: Connection[Any], text: str, sets: Sequence[Parameters]) -> list[Node]:
    """Return the plans of a statement with a few of its parameter sets; fewer where that takes long.

    Raises psycopg.Error where it cannot be executed.
    """
    begun, plans = time.perf_counter(), list[Node]()
    for each in dict.fromkeys(sets[:EXPLAINED_SETS]):
        plans.append(explained(connection, text, each))
        if time.perf_counter() - begun > EXPLAINED_S:
            break
    return plans


class Looked(NamedTuple):
    """A statement whose plan was looked at, with parameters to execute it, and what was found."""

    text: str
    statement: Statement
    sets: list[Parameters]
    findings: list[Finding]


def look(
    connection: Connection[Any], call: StatementCalls, catalogue: Catalogue, notes: list[str]
) -> Looked | None:
    """Return what is wrong with the plan of a statement; None, mostly with a note, where there is none."""
    statement = parsed(call.text)
    mean_ms = call.total_ms / call.calls
    if statement is None or (fault := _fault(statement, catalogue)) is not None:
        why = "it is not understood" if statement is None else fault
        if why and DATA_STATEMENT.match(call.text):
            notes.append(f"no plan, as {why}: {call.text[:200]}")
        return None
    try:
        sets = parameter_sets(connection, statement, catalogue, MAX_SETS)
        if sets:
            plans = plans_of(connection, call.text, sets)
            plan = max(plans, key=lambda each: float(each["Execution Time"]))
        else:
            estimated = generic_plan(connection, call.text, catalogue)
            if estimated is None:
                notes.append(f"its parameters cannot be drawn from columns: {call.text[:200]}")
                return None
            plan = estimated
    except psycopg.Error as error:
        notes.append(f"no plan ({type(error).__name__}): {call.text[:200]}")
        return None
    found = plan_findings(plan, call.text)
    for each in found:
        each.evidence["mean_ms"], each.evidence["calls"] = mean_ms, call.calls
        if not sets:
            each.evidence["is_estimated"] = True
    return Looked(call.text, statement, sets, found)


def _fault(statement: Statement, catalogue: Catalogue) -> str | None:
    """Return why a statement is not executed, "" where that needs no note; None where it is."""
    unknown = sorted(set(statement.tables.values()) - catalogue.tables.keys())
    if foreign := [name for name in unknown if not name.startswith("pg_")]:
        return f"{', '.join(foreign)} is no table of this database"
    is_of_tables = statement.tables and not unknown
    return None if is_of_tables and statement.kind != "insert" and not statement.is_administrative else ""
