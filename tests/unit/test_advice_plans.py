"""Rules over plans: each finds its fault, and is silent on the healthy counterpart."""

from __future__ import annotations

from typing import Any

import pytest

from plimsoll.advice.plans import blocks_of, cast_columns, plan_findings, uses_index
from plimsoll.advice.sql import without_values

STATEMENT = "SELECT * FROM orders WHERE customer_id = $1"


def node(kind: str, /, *below: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Return a node that was executed and returned as many rows as expected, unless said otherwise."""
    rows, loops = facts.pop("rows", 1), facts.pop("loops", 1)
    executed = {"Node Type": kind, "Actual Rows": rows, "Actual Loops": loops, "Plan Rows": rows}
    return executed | facts | ({"Plans": list(below)} if below else {})


def scan(rows: float, removed: float, /, **more: Any) -> dict[str, Any]:
    """Return a sequential scan of orders with a filter."""
    known = {"Relation Name": "orders", "Filter": "(customer_id = 17)", "Rows Removed by Filter": removed}
    return node("Seq Scan", rows=rows, **known | more)


def kinds(*roots: dict[str, Any]) -> list[str]:
    """Return the kinds of findings on plans."""
    return [each.kind for root in roots for each in plan_findings({"Plan": root}, STATEMENT)]


def test_a_selective_sequential_scan_is_a_missing_index() -> None:
    """The finding says table, rows and share, and shows no value of anybody's row."""
    (found,) = plan_findings({"Plan": scan(40, 199_960)}, STATEMENT)

    assert (found.kind, found.group, found.severity) == ("missing_index", "response time", "high")
    assert found.subject == "orders"
    assert found.text == (
        "a sequential scan reads 200,000 rows of orders"
        " and its filter (customer_id = ?) removes 99.98% of them"
    )
    assert found.evidence["rows_removed"] == 199_960
    assert found.evidence["condition"] == "(customer_id = ?)"
    assert len(found.next_steps) == 4


@pytest.mark.parametrize(
    "healthy",
    [
        scan(10, 9_000),  # a small table
        scan(100_000, 100_000),  # half of the rows are wanted
        scan(0, 0, loops=0, Filter="(false)"),  # never executed
        node("Limit", scan(10, 50)),  # it stopped early
        scan(1, 99, loops=1000),  # a small table, read often
        node("Index Scan", rows=40, **{"Relation Name": "orders", "Index Cond": "(customer_id = 17)"}),
    ],
)
def test_healthy_scans(healthy: dict[str, Any]) -> None:
    """Small tables, unselective filters, and scans that stop early need no index."""
    assert kinds(healthy) == []


def test_a_table_that_is_sorted_for_a_few_rows() -> None:
    """An index in the order saves reading all; half of the rows, or a small table, are sorted rightly."""

    def first_of(rows: float, of: float) -> dict[str, Any]:
        orders = node("Seq Scan", rows=of, **{"Relation Name": "orders"})
        return node("Limit", node("Sort", orders, rows=rows, **{"Sort Key": ["total DESC"]}), rows=rows)

    (found,) = plan_findings({"Plan": first_of(10, 200_000)}, STATEMENT)
    assert (found.kind, found.evidence["condition"]) == ("missing_index", "total DESC")
    assert kinds(first_of(100_000, 200_000), first_of(10, 5_000)) == []


def test_rows_of_a_parallel_scan_are_those_of_all_workers() -> None:
    """Figures of a parallel scan are for each worker, of which three shared one table."""
    parallel = scan(2, 4_998, loops=3, **{"Parallel Aware": True})

    assert kinds(node("Gather", parallel, rows=6)) == ["missing_index"]
    assert kinds(node("Gather", scan(2, 2_998, loops=3, **{"Parallel Aware": True}))) == []


def hash_join(rows: float, inner_rows: float) -> dict[str, Any]:
    """Return a join of few customers with all orders."""
    orders = node("Seq Scan", rows=inner_rows, **{"Relation Name": "orders"})
    customers = node("Index Scan", rows=1, **{"Relation Name": "customers", "Index Cond": "(id = 1)"})
    condition = {"Hash Cond": "(o.customer_id = c.id)", "Join Type": "Inner"}
    return node("Hash Join", orders, node("Hash", customers), rows=rows, **condition)


def test_a_join_that_reads_a_table_for_few_rows() -> None:
    """It is unindexed where the join keeps under 5 % of a large table, and fine where it keeps most."""
    assert kinds(hash_join(40, 200_000)) == ["unindexed_join"]
    assert kinds(hash_join(150_000, 200_000)) == []
    assert kinds(hash_join(40, 5_000)) == []


def test_an_index_whose_filter_removes_most() -> None:
    """Ten rows are removed for each one that is kept, and a thousand in all."""
    of = {"Relation Name": "orders", "Index Cond": "(customer_id = 1)", "Filter": "(status = 'open')"}

    assert kinds(node("Index Scan", rows=50, **of, **{"Rows Removed by Filter": 5_000})) == [
        "ineffective_index"
    ]
    assert kinds(node("Index Scan", rows=50, **of, **{"Rows Removed by Filter": 400})) == []
    assert kinds(node("Index Scan", rows=900, **of, **{"Rows Removed by Filter": 5_000})) == []


@pytest.mark.parametrize(
    "spilling",
    [
        node("Sort", **{"Sort Space Type": "Disk", "Sort Space Used": 8152, "Sort Key": ["total"]}),
        node("Sort", Workers=[{"Sort Space Type": "Disk", "Sort Space Used": 8152}]),
        node("Hash", **{"Hash Batches": 8}),
        node("Aggregate", **{"HashAgg Batches": 5, "Disk Usage": 2048}),
    ],
)
def test_what_goes_to_disk(spilling: dict[str, Any]) -> None:
    """A sort, a hash and an aggregate that do not fit into work_mem are named."""
    (found,) = plan_findings({"Plan": spilling}, STATEMENT)

    assert (found.kind, found.group) == ("spill_to_disk", "resources")
    assert "goes to disk" in found.text


def test_what_stays_in_memory() -> None:
    """Sorts, hashes and aggregates in memory are fine."""
    sort = node("Sort", **{"Sort Space Type": "Memory", "Sort Space Used": 25})

    assert kinds(sort, node("Hash", **{"Hash Batches": 1}), node("Aggregate", **{"HashAgg Batches": 1})) == []


def test_only_the_lowest_wrong_estimate_is_named() -> None:
    """Those above follow from it."""
    low = node("Seq Scan", rows=20_000, **{"Relation Name": "orders", "Plan Rows": 500})
    join = node("Hash Join", low, rows=20_000, **{"Plan Rows": 500})
    (found,) = plan_findings({"Plan": join}, STATEMENT)

    assert (found.kind, found.subject) == ("row_misestimate", "orders")
    assert "20,000 rows where 500 were expected, 40 times off" in found.text


def test_estimates_that_are_right_or_do_not_matter() -> None:
    """Nine times off, few rows, and fewer rows because of a LIMIT are no fault."""
    cut = node("Seq Scan", rows=10, **{"Relation Name": "orders", "Plan Rows": 200_000})
    few = node("Seq Scan", rows=500, **{"Relation Name": "orders", "Plan Rows": 1})
    near = node("Seq Scan", rows=9_000, **{"Relation Name": "orders", "Plan Rows": 1_000})

    assert kinds(node("Limit", cut), few, near) == []


def test_a_nested_loop_with_a_scan_inside() -> None:
    """It is found where the inner table is read for each outer row, or compared with it from memory."""
    outer = node("Seq Scan", rows=100, **{"Relation Name": "customers"})
    inner = scan(1, 999, loops=100)
    held = node("Materialize", node("Seq Scan", rows=1000, **{"Relation Name": "orders"}), loops=100)
    by_memory = {"Rows Removed by Join Filter": 99_900, "Join Filter": "(a.x = b.y)"}
    indexed = node("Index Scan", rows=1, loops=100, **{"Relation Name": "orders"})

    assert kinds(node("Nested Loop", outer, inner, rows=100)) == ["nested_loop_scan"]
    assert kinds(node("Nested Loop", outer, held, rows=100, **by_memory)) == ["nested_loop_scan"]
    assert kinds(node("Nested Loop", outer, indexed, rows=100)) == []
    assert kinds(node("Nested Loop", outer, scan(1, 9, loops=100), rows=100)) == []


def test_blocks_and_used_indexes() -> None:
    """Blocks are those of the root, in memory or not; an index is used wherever in the plan it is."""
    plan = {
        "Plan": node(
            "Limit",
            node("Index Scan", **{"Index Name": "orders_status"}),
            **{"Shared Hit Blocks": 7, "Shared Read Blocks": 2},
        )
    }

    assert blocks_of(plan) == 9
    assert uses_index(plan, "orders_status")
    assert not uses_index(plan, "orders_pkey")


def test_columns_that_are_cast() -> None:
    """Of a column, not of a value."""
    assert cast_columns("(((customer_id)::numeric = ?::numeric) AND (id = ?::integer))") == {"customer_id"}
    assert cast_columns("(id = ANY (?::integer[]))") == set()


@pytest.mark.parametrize(
    ("condition", "masked"),
    [
        ("(email = 'o''neill@example.com'::text)", "(email = ?::text)"),
        ("((t1.total > 12.50) AND (x2 = -3))", "((t1.total > ?) AND (x2 = ?))"),
        ("(a = $1)", "(a = $1)"),
        ("(day = ANY ('{2026-01-01,2026-01-02}'::date[]))", "(day = ANY (?::date[]))"),
    ],
)
def test_values_of_rows_are_not_shown(condition: str, masked: str) -> None:
    """Parameters are drawn from real rows, which are nobody else's business; names stay."""
    assert without_values(condition) == masked
