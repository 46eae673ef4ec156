"""What a normalised statement compares, joins and sorts by, read with sqlglot."""

import re
from functools import cache
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from plimsoll.redact import redact

VALUE = re.compile(r"'(?:[^']|'')*'|(?<![\w.$\"])-?\d+(?:\.\d+)?(?![\w.\"])")
PARAMETER = re.compile(r"\$(\d+)")
ADMINISTRATIVE = ("pg_", "dblink", "lo_", "set_config", "query_to_xml")
RANGES = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)


class Column(NamedTuple):
    """A column of a table, by the names that the statement uses; the table "" is not said."""

    table: str
    name: str


class Statement(NamedTuple):
    """What a statement does: its tables by alias, its parameters, and columns by what is done with them.

    parameters maps the number of each to the column that it is compared with or stored in, "LIMIT", or None
    where that is not known; arrays are the numbers of those compared by = ANY.
    """

    kind: str
    tables: dict[str, str]
    parameters: dict[int, Column | str | None]
    arrays: frozenset[int]
    equal: list[Column]
    joined: list[Column]
    ranged: list[Column]
    sorted_by: list[Column]
    set_columns: list[Column]
    is_administrative: bool
    """Whether it calls functions of the server, which could reach beyond a branch."""

    @classmethod
    def of_check(cls, table: str, uses: dict[int, Column]) -> "Statement":
        """Return what the server's own check of a foreign key does when a parent is deleted."""
        parameters: dict[int, Column | str | None] = {**uses}
        equal = list(uses.values())
        return cls("select", {table: table}, parameters, frozenset(), equal, [], [], [], [], False)  # noqa: FBT003 - as in the class


@cache
def parsed(text: str) -> Statement | None:
    """Return what a statement of pg_stat_statements does; None where sqlglot cannot read it."""
    try:
        tree = sqlglot.parse_one(PARAMETER.sub(r":p\1", text), read="postgres")
    except SqlglotError:
        return None
    if not isinstance(tree, exp.Select | exp.Insert | exp.Update | exp.Delete | exp.SetOperation):
        return None
    common = {each.alias for each in tree.find_all(exp.CTE)}
    named = [table for table in tree.find_all(exp.Table) if table.name and table.name not in common]
    equal, joined, ranged = _compared(tree)
    ordered = [key.this for order in tree.find_all(exp.Order) for key in order.expressions]
    assignments = [each.this for each in tree.expressions] if isinstance(tree, exp.Update) else []
    return Statement(
        kind=tree.key,
        tables={table.alias_or_name: table.name for table in named},
        parameters={_number(found): _use(found, tree) for found in tree.find_all(exp.Placeholder)},
        arrays=frozenset(_number(found) for found in tree.find_all(exp.Placeholder) if _any_of(found)),
        equal=equal,
        joined=joined,
        ranged=ranged,
        sorted_by=[_column(each) for each in ordered if isinstance(each, exp.Column)],
        set_columns=[_column(each) for each in assignments if isinstance(each, exp.Column)],
        is_administrative=any(
            each.name.lower().startswith(ADMINISTRATIVE) for each in tree.find_all(exp.Anonymous)
        ),
    )


def without_values(text: str) -> str:
    """Return a condition or a statement with a question mark for each value: it is a row of somebody's."""
    return VALUE.sub("?", text)


def without_secrets(text: str) -> str:
    """Return a statement as it may be shown: without values where it is not normalised, as ALTER ROLE."""
    return redact(text if parsed(text) is not None else without_values(text))


def columns_of(condition: str) -> set[str]:
    """Return the names of the columns in a condition or a list of keys of a plan."""
    shown = condition.replace("?", "NULL")  # which stands for a value here
    for query in (f"SELECT 1 WHERE ({shown})", f"SELECT 1 ORDER BY {shown}"):
        try:
            tree = sqlglot.parse_one(query, read="postgres")
        except SqlglotError:
            continue
        return {column.name for column in tree.find_all(exp.Column)}
    return set()


def _compared(tree: exp.Expression) -> tuple[list[Column], list[Column], list[Column]]:
    """Return the columns compared for equality with values, with columns of other tables, and by ranges."""
    equal: list[Column] = []
    joined: list[Column] = []
    ranged: list[Column] = []
    for clause in tree.find_all(exp.Where, exp.Join):
        for predicate in clause.find_all(exp.EQ, exp.In, *RANGES):
            sides = [side for side in (predicate.this, predicate.args.get("expression")) if side is not None]
            columns = [_column(side) for side in sides if isinstance(side, exp.Column)]
            if len(columns) == 2:
                joined += columns
            elif columns:
                (ranged if isinstance(predicate, RANGES) else equal).append(columns[0])
    return _once(equal), _once(joined), _once(ranged)


def _use(found: exp.Placeholder, tree: exp.Expression) -> Column | str | None:
    """Return what a parameter is compared with or stored in."""
    around = found.parent
    if isinstance(around, exp.Limit | exp.Fetch):
        return "LIMIT"
    if isinstance(around, exp.Offset):
        return "OFFSET"
    if isinstance(around, exp.Tuple) and isinstance(tree, exp.Insert):
        listed = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
        place = next((n for n, each in enumerate(around.expressions) if each is found), len(listed))
        return Column(tree.this.this.name, listed[place].name) if place < len(listed) else None
    while isinstance(around, exp.Paren | exp.Any | exp.Cast | exp.Add | exp.Sub | exp.Mul | exp.Div):
        around = around.parent
    if isinstance(around, exp.Predicate):
        for side in (around.this, around.args.get("expression")):
            column = side.find(exp.Column) if isinstance(side, exp.Expression) else None
            if column is not None:
                return _column(column)
    return None


def _any_of(found: exp.Placeholder) -> bool:
    around = found.parent
    while isinstance(around, exp.Paren | exp.Cast):
        around = around.parent
    return isinstance(around, exp.Any)


def _column(column: exp.Column) -> Column:
    return Column(column.table, column.name)


def _number(found: exp.Placeholder) -> int:
    return int(str(found.this).removeprefix("p"))


def _once(columns: list[Column]) -> list[Column]:
    return list(dict.fromkeys(columns))
