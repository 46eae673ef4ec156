"""What a statement compares is read from its text, and the indexes that are worth a try follow from it."""

from __future__ import annotations

import pytest

from plimsoll.advice.candidates import best_of, candidates
from plimsoll.advice.catalogue import Catalogue, Table
from plimsoll.advice.server import Index
from plimsoll.advice.sql import Column, Statement, columns_of, parsed
from plimsoll.advice.trial import median_interval
from plimsoll.run_files.advice import Gain

ORDERS = Table(
    "public",
    "orders",
    200_000,
    {"id": 200_000, "customer_id": 5_000, "status": 5, "total": 90_000, "created": 200_000},
    updates=10,
    hot_updates=5,
)
CUSTOMERS = Table("public", "customers", 5_000, {"id": 5_000, "name": 5_000}, updates=0, hot_updates=0)
CATALOGUE = Catalogue(
    {"orders": ORDERS, "customers": CUSTOMERS},
    [
        Index(
            "orders",
            "orders_pkey",
            ("id 1978 0",),
            included=frozenset(),
            method="btree",
            predicate="",
            is_unique=True,
            is_constraint=True,
            scans=1,
            size_bytes=1,
        )
    ],
    [],
    {},
    None,
    {},
)


def statement(text: str) -> Statement:
    """Return what a statement does, which must be readable."""
    found = parsed(text)
    assert found is not None
    return found


def test_columns_by_what_is_done_with_them() -> None:
    """Equality, joins, ranges and order are told apart, with the tables of their aliases."""
    found = statement(
        "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id"
        " WHERE o.status = $1 AND o.total > $2 AND c.name IN ($3, $4) ORDER BY o.created DESC LIMIT $5"
    )

    assert found.tables == {"o": "orders", "c": "customers"}
    assert set(found.equal) == {Column("o", "status"), Column("c", "name")}
    assert set(found.joined) == {Column("o", "customer_id"), Column("c", "id")}
    assert found.ranged == [Column("o", "total")]
    assert found.sorted_by == [Column("o", "created")]
    assert found.parameters == {
        1: Column("o", "status"),
        2: Column("o", "total"),
        3: Column("c", "name"),
        4: Column("c", "name"),
        5: "LIMIT",
    }


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("UPDATE orders SET status = $1 WHERE id = $2", {1: Column("", "status"), 2: Column("", "id")}),
        ("SELECT * FROM orders WHERE id = ANY($1)", {1: Column("", "id")}),
        ("SELECT * FROM orders WHERE created BETWEEN $1 AND $2 OFFSET $3",
         {1: Column("", "created"), 2: Column("", "created"), 3: "OFFSET"}),
        ("SELECT * FROM orders WHERE tsv @@ to_tsquery($1)", {1: None}),
        ("INSERT INTO orders (id, total) VALUES ($1,$2)",
         {1: Column("orders", "id"), 2: Column("orders", "total")}),
    ],
)  # fmt: skip
def test_parameters(text: str, parameters: dict[int, object]) -> None:
    """Each is known by the column that it is compared with or stored in, or not known."""
    assert statement(text).parameters == parameters


@pytest.mark.parametrize("text", ["BEGIN", "COPY orders FROM STDIN", "SELEC 1", "VACUUM orders", ""])
def test_what_is_no_statement_on_rows(text: str) -> None:
    """Commands, and what cannot be read, are left alone."""
    assert parsed(text) is None


def test_functions_of_the_server_are_left_alone() -> None:
    """They could reach beyond a branch."""
    assert statement("SELECT pg_terminate_backend(id) FROM orders").is_administrative
    assert statement("SELECT pg_sleep($1)").is_administrative
    assert not statement("SELECT lower(status) FROM orders").is_administrative


def test_columns_of_a_condition() -> None:
    """Those of a plan's condition, whatever it does with them; none where it cannot be read."""
    assert columns_of("((customer_id = ?) AND (lower(status) = ?::text))") == {"customer_id", "status"}
    assert columns_of("total DESC, lower(status)") == {"total", "status"}
    assert columns_of("(hashed SubPlan 1") == set()


def test_candidates_begin_with_the_most_selective_column() -> None:
    """Columns compared for equality come before ranges and order; at most two make an index."""
    found = candidates(
        statement("SELECT * FROM orders WHERE status = $1 AND customer_id = $2 ORDER BY created LIMIT $3"),
        "orders",
        CATALOGUE,
    )

    assert found == [
        ("customer_id",),
        ("status",),
        ("created",),
        ("customer_id", "status"),
        ("customer_id", "created"),
    ]


def test_what_is_indexed_already_is_no_candidate() -> None:
    """Neither is a column in an expression, nor one of another table."""
    assert candidates(statement("SELECT * FROM orders WHERE id = $1"), "orders", CATALOGUE) == []
    assert candidates(statement("SELECT * FROM orders WHERE lower(status) = $1"), "orders", CATALOGUE) == []
    joined = "SELECT 1 FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.name = $1"
    assert candidates(statement(joined), "orders", CATALOGUE) == [("customer_id",)]


def gain(after_blocks: float, *, ratio_high: float | None = 0.1, is_used: bool = True) -> Gain:
    """Return a gain from a thousand blocks to so many."""
    return Gain(
        definition="CREATE INDEX ON orders (customer_id)",
        statement="SELECT 1",
        parameter_sets=200,
        before_ms=10.0,
        after_ms=0.5,
        ratio=0.05,
        ratio_low=0.04,
        ratio_high=ratio_high,
        before_blocks=1_000,
        after_blocks=after_blocks,
        is_used=is_used,
        build_s=0.1,
        index_bytes=1_400_000,
        wal_bytes_per_row_before=161.0,
        wal_bytes_per_row_after=225.0,
        insert_us_per_row_before=3.0,
        insert_us_per_row_after=4.0,
        updates_not_hot=7,
        hot_update_ratio=0.5,
    )


def test_only_a_measured_gain_is_one() -> None:
    """It needs a ratio whose interval is below 1, fewer blocks, and a plan that uses the index."""
    assert gain(8).is_shown
    assert not gain(8, ratio_high=1.01).is_shown
    assert not gain(8, ratio_high=None).is_shown
    assert not gain(8, is_used=False).is_shown
    assert not gain(1_000).is_shown


def test_a_second_column_must_halve_the_blocks() -> None:
    """Of those with a gain the single column stays unless a pair is twice as good."""
    single, pair = ("customer_id",), ("customer_id", "status")

    assert best_of([(single, gain(40)), (pair, gain(8))]) == (pair, gain(8))
    assert best_of([(single, gain(10)), (pair, gain(8))]) == (single, gain(10))
    assert best_of([(single, gain(10, is_used=False)), (pair, gain(8))]) == (pair, gain(8))
    assert best_of([(single, gain(10, ratio_high=2))]) is None


def test_what_a_gain_costs_is_said() -> None:
    """The words have time, blocks, size, WAL and updates."""
    measured, costs = gain(8).words

    assert "ratio 0.05, 0.04 to 0.1 of 200 parameter sets; 1,000 blocks before, 8 after" in measured
    assert "1.4 MB; built in 0.1 s; an inserted row writes 161 bytes of WAL before, 225 after" in costs
    assert "7 updates of the run set its columns" in costs


def test_the_interval_of_a_median() -> None:
    """Order statistics: the outermost of six, the 86th and 115th of 200, none of five."""
    assert median_interval([3.0, 1.0, 2.0, 6.0, 5.0, 4.0]) == (1.0, 6.0)
    assert median_interval([float(each) for each in range(1, 201)]) == (86.0, 115.0)
    assert median_interval([1.0] * 5) == (None, None)
    assert median_interval([]) == (None, None)
