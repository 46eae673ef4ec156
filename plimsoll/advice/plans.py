"""Rules over one plan, as EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) gives it."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from plimsoll.advice.findings import finding
from plimsoll.advice.sql import without_values
from plimsoll.run_files.advice import Finding

Node = dict[str, Any]
CAST = re.compile(r"\(\(*(\w+)\)::")
CONDITIONS = ("Filter", "Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter")
MIN_ROWS = 10_000
"""Fewer rows are read faster than an index is worth."""
MIN_REMOVED_RATIO = 0.95
INDEX_MIN_REMOVED = 1000
INDEX_MIN_REMOVED_PER_ROW = 10
MISESTIMATE = 10
MISESTIMATE_MIN_ROWS = 1000
NESTED_MIN_LOOPS = 10
INDEX_SCANS = ("Index Scan", "Index Only Scan", "Bitmap Heap Scan")
STOPPING_EARLY = ("Limit", "Merge Join")
"""Nodes that may read only a part of what is below them: fewer rows than expected are no wrong estimate."""


class Placed(NamedTuple):
    """A node of a plan, with those above it, the nearest last."""

    node: Node
    above: tuple[Node, ...]

    @property
    def loops(self) -> float:
        """Return how often the node was executed."""
        return float(self.node.get("Actual Loops", 0))

    @property
    def rows(self) -> float:
        """Return the rows that it returned in all executions."""
        return float(self.node.get("Actual Rows", 0)) * self.loops

    @property
    def removed(self) -> float:
        """Return the rows that its filter removed in all executions."""
        return float(self.node.get("Rows Removed by Filter", 0)) * self.loops

    @property
    def scans(self) -> float:
        """Return how often the whole table was read: parallel workers share one scan."""
        return 1.0 if self.node.get("Parallel Aware") else max(self.loops, 1.0)


def walk(node: Node, above: tuple[Node, ...] = ()) -> Iterator[Placed]:
    """Yield each node of a plan, those below a node before it."""
    for below in node.get("Plans", ()):
        yield from walk(below, (*above, node))
    yield Placed(node, above)


def blocks_of(plan: Node) -> int:
    """Return the blocks that a plan touched, in memory or not."""
    root = plan["Plan"]
    return int(root.get("Shared Hit Blocks", 0) + root.get("Shared Read Blocks", 0))


def uses_index(plan: Node, index: str) -> bool:
    """Tell whether any node of a plan reads this index."""
    return any(placed.node.get("Index Name") == index for placed in walk(plan["Plan"]))


def plan_findings(plan: Node, statement: str) -> list[Finding]:
    """Return what is wrong with a plan that was executed; *statement* is what the findings call it."""
    nodes = list(walk(_masked(plan["Plan"])))
    found = [
        made
        for placed in nodes
        for rule in RULES
        if placed.loops and (made := rule(placed, statement)) is not None
    ]
    misestimate = next((made for placed in nodes if (made := _misestimate(placed, statement))), None)
    return [*found, *([misestimate] if misestimate else [])]


def cast_columns(condition: str) -> set[str]:
    """Return the columns that a condition casts to another type before it compares them."""
    return set(CAST.findall(condition))


def _masked(node: Node) -> Node:
    masked = {name: without_values(text) if name in CONDITIONS else text for name, text in node.items()}
    return masked | ({"Plans": [_masked(each) for each in node["Plans"]]} if "Plans" in node else {})


def _sequential_scan(placed: Placed, statement: str) -> Finding | None:
    node = placed.node
    read = placed.rows + placed.removed
    if node["Node Type"] != "Seq Scan" or read / placed.scans < MIN_ROWS:
        return None
    if placed.removed / read <= MIN_REMOVED_RATIO:
        return None
    text = (
        f"a sequential scan reads {read / placed.scans:,.0f} rows of {node['Relation Name']} and its filter"
        f" {node['Filter']} removes {placed.removed / read:.2%} of them"
    )
    evidence = _of(placed, statement, condition=node["Filter"]) | {
        "rows_read": read,
        "rows_removed": placed.removed,
        "scans": placed.scans,
    }
    return finding("missing_index", str(node["Relation Name"]), text, evidence)


def _sorted_for_few(placed: Placed, statement: str) -> Finding | None:
    """Find a large table that is sorted whole for a few rows of its order."""
    node = placed.node
    below = node["Plans"][0] if node["Node Type"] == "Sort" and node.get("Plans") else {}
    if below.get("Node Type") != "Seq Scan":
        return None
    read = Placed(below, ())
    if read.rows / read.scans < MIN_ROWS or placed.rows / read.rows >= 1 - MIN_REMOVED_RATIO:
        return None
    keys = ", ".join(node.get("Sort Key", ()))
    table = str(below["Relation Name"])
    text = f"{read.rows:,.0f} rows of {table} are sorted by {keys} for {placed.rows:,.0f} of them"
    evidence = _of(read, statement, condition=keys) | {"rows_read": read.rows, "rows_kept": placed.rows}
    return finding("missing_index", table, text, evidence)


def _unindexed_join(placed: Placed, statement: str) -> Finding | None:
    """Find a large table that is read whole although the join keeps few of its rows."""
    node = placed.node
    condition = node.get("Hash Cond") or node.get("Merge Cond")
    if condition is None or node.get("Join Type") not in ("Inner", "Semi"):
        return None
    for child in node.get("Plans", ()):
        scan = child
        while scan["Node Type"] in ("Hash", "Sort", "Materialize", "Gather"):
            scan = scan["Plans"][0]
        read = Placed(scan, ())
        is_whole = scan["Node Type"] == "Seq Scan" and not scan.get("Rows Removed by Filter")
        if not is_whole or read.rows / read.scans < MIN_ROWS:
            continue
        kept = placed.rows / read.rows
        if kept < 1 - MIN_REMOVED_RATIO:
            text = (
                f"a join reads all {read.rows / read.scans:,.0f} rows of {scan['Relation Name']} and"
                f" {condition} keeps {kept:.2%} of them"
            )
            evidence = _of(Placed(scan, ()), statement, condition=condition) | {
                "rows_read": read.rows,
                "rows_joined": placed.rows,
            }
            return finding("unindexed_join", str(scan["Relation Name"]), text, evidence)
    return None


def _ineffective_index(placed: Placed, statement: str) -> Finding | None:
    node = placed.node
    if node["Node Type"] not in INDEX_SCANS or "Filter" not in node:
        return None
    if placed.removed < max(INDEX_MIN_REMOVED, INDEX_MIN_REMOVED_PER_ROW * placed.rows):
        return None
    text = (
        f"an index of {node['Relation Name']} finds {placed.rows + placed.removed:,.0f} rows, and the filter"
        f" {node['Filter']} removes all but {placed.rows:,.0f} of them"
    )
    evidence = _of(placed, statement, condition=node["Filter"]) | {
        "rows_removed": placed.removed,
        "rows_kept": placed.rows,
        "index_condition": node.get("Index Cond") or node.get("Recheck Cond"),
    }
    return finding("ineffective_index", str(node["Relation Name"]), text, evidence)


def _nested_loop_scan(placed: Placed, statement: str) -> Finding | None:
    """Find a table that is read again for each outer row, or compared with it row by row from memory."""
    if placed.node["Node Type"] != "Nested Loop":
        return None
    inner = placed.node["Plans"][1]
    loops = float(inner.get("Actual Loops", 0))
    scan = inner["Plans"][0] if inner["Node Type"] == "Materialize" else inner
    if scan["Node Type"] != "Seq Scan" or loops < NESTED_MIN_LOOPS:
        return None
    per_loop = Placed(scan, ())
    read = (per_loop.rows + per_loop.removed) / max(per_loop.loops, 1.0) * loops
    removed = float(placed.node.get("Rows Removed by Join Filter", 0)) * placed.loops
    if read < MIN_ROWS or (per_loop.removed + removed) / read <= MIN_REMOVED_RATIO:
        return None
    condition = placed.node.get("Join Filter") or scan.get("Filter")
    text = (
        f"a nested loop goes {loops:,.0f} times through {scan['Relation Name']}, over"
        f" {read:,.0f} rows in all, by {condition}"
    )
    evidence = _of(Placed(scan, ()), statement, condition=condition) | {"rows_read": read, "loops": loops}
    return finding("nested_loop_scan", str(scan["Relation Name"]), text, evidence)


def _spill(placed: Placed, statement: str) -> Finding | None:
    node = placed.node
    parts = [node, *node.get("Workers", ())]
    sorts_kb = [part["Sort Space Used"] for part in parts if part.get("Sort Space Type") == "Disk"]
    disk_kb = sum(sorts_kb) + sum(part.get("Disk Usage", 0) for part in parts)
    batches = max(max(part.get("Hash Batches", 0), part.get("HashAgg Batches", 0)) for part in parts)
    if not disk_kb and batches <= 1:
        return None
    temp_blocks = int(node.get("Temp Written Blocks", 0))
    how = f"{disk_kb:,.0f} kB" if disk_kb else f"{batches} batches"
    text = f"{node['Node Type']} does not fit into work_mem and goes to disk: {how}, {temp_blocks:,} blocks"
    keys = ", ".join(node.get("Sort Key") or node.get("Group Key") or ())
    evidence = _of(placed, statement, condition=keys or None) | {
        "disk_kb": disk_kb,
        "batches": batches,
        "temp_blocks": temp_blocks,
        "sort_key": list(node.get("Sort Key", ())),
    }
    return finding("spill_to_disk", statement, text, evidence)


def _misestimate(placed: Placed, statement: str) -> Finding | None:
    node = placed.node
    is_counted = node["Node Type"].endswith("Scan") or node["Node Type"].endswith(("Join", "Loop"))
    if not is_counted or not placed.loops:
        return None
    expected, actual = max(float(node["Plan Rows"]), 1.0), max(float(node["Actual Rows"]), 1.0)
    if max(expected, actual) < MISESTIMATE_MIN_ROWS or max(expected, actual) / min(expected, actual) < (
        MISESTIMATE
    ):
        return None
    stops = any(
        each["Node Type"] in STOPPING_EARLY or each.get("Join Type") in ("Semi", "Anti")
        for each in (*placed.above, node)
    )
    if actual < expected and stops:
        return None
    subject = str(node.get("Relation Name", statement))
    text = (
        f"{node['Node Type']} on {subject}: {actual:,.0f} rows where {expected:,.0f} were expected,"
        f" {max(expected, actual) / min(expected, actual):,.0f} times off"
    )
    condition = node.get("Filter") or node.get("Index Cond") or node.get("Recheck Cond")
    evidence = _of(placed, statement, condition=condition) | {
        "expected_rows": expected,
        "actual_rows": actual,
    }
    return finding("row_misestimate", subject, text, evidence)


def _of(placed: Placed, statement: str, *, condition: str | None) -> dict[str, Any]:
    node = placed.node
    return {
        "statement": statement,
        "node": node["Node Type"],
        "table": node.get("Relation Name"),
        "condition": condition,
    }


RULES: tuple[Callable[[Placed, str], Finding | None], ...] = (
    _sequential_scan,
    _sorted_for_few,
    _unindexed_join,
    _ineffective_index,
    _nested_loop_scan,
    _spill,
)
