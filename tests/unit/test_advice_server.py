"""Rules over catalogue, settings and counters: each finds its fault, and is silent on its counterpart."""

from __future__ import annotations

from typing import Any

import pytest

from plimsoll.advice.server import (
    GIB,
    MIB,
    Counters,
    ForeignKey,
    Index,
    Machine,
    counter_findings,
    foreign_key_findings,
    index_findings,
    setting_findings,
)

MACHINE = Machine(16 * GIB, 8)
FITTING: dict[str, Any] = {
    "autovacuum": True,
    "autovacuum_max_workers": 3,
    "checkpoint_completion_target": 0.9,
    "effective_cache_size": 12 * GIB,
    "maintenance_work_mem": 512 * MIB,
    "max_connections": 100,
    "max_parallel_workers_per_gather": 2,
    "max_wal_size": 4 * GIB,
    "random_page_cost": 1.1,
    "seq_page_cost": 1.0,
    "shared_buffers": 4 * GIB,
    "work_mem": 16 * MIB,
}
CALM = Counters(1_000_000, 5_000, 0, 2, 0, 40)


def index(name: str, *keys: str, **changes: Any) -> Index:
    """Return an index of orders of two MiB that was used."""
    whole = Index(
        "orders",
        name,
        keys,
        included=frozenset(),
        method="btree",
        predicate="",
        is_unique=False,
        is_constraint=False,
        scans=10,
        size_bytes=2 * MIB,
    )
    return whole._replace(**changes)


def test_unused_and_redundant_indexes_are_notes() -> None:
    """An index that is never scanned, and one that another begins with, are named with their size."""
    found = index_findings(
        [
            index("orders_pkey", "id", is_unique=True, is_constraint=True, scans=0),
            index("by_customer", "customer_id"),
            index("by_customer_and_day", "customer_id", "day"),
            index("by_status", "status", scans=0),
        ]
    )

    assert [(each.kind, each.subject, each.severity) for each in found] == [
        ("redundant_index", "by_customer", "note"),
        ("unused_index", "by_status", "note"),
    ]
    assert "2.0 MiB" in found[0].text


def test_of_two_equal_indexes_one_is_redundant() -> None:
    """Both do the same, and one may stay."""
    assert [each.subject for each in index_findings([index("a", "day"), index("b", "day")])] == ["b"]
    assert [
        each.subject for each in index_findings([index("a", "day", is_unique=True), index("b", "day")])
    ] == ["b"]


@pytest.mark.parametrize(
    "other",
    [
        index("other", "customer_id", "day", predicate="(status = 'open')"),
        index("other", "day", "customer_id"),
        index("other", "customer_id", "day", method="gin"),
        index("other", "customer_id", "day", table="items"),
    ],
)
def test_indexes_that_do_something_else(other: Index) -> None:
    """Another order, condition, method or table makes an index one of its own."""
    assert index_findings([index("by_customer", "customer_id"), other]) == []


def test_what_an_index_includes_is_not_lost() -> None:
    """A covering index is not replaced by one that does not cover."""
    covering = index("covering", "customer_id", included=frozenset({"total"}))

    assert index_findings([covering, index("pair", "customer_id", "day")]) == []
    assert [each.subject for each in index_findings([covering, index("plain", "customer_id")])] == ["plain"]
    assert index_findings([index("small", "status", scans=0, size_bytes=8192)]) == []


def key(**changes: Any) -> ForeignKey:
    """Return an unindexed foreign key of a large table."""
    unindexed = ForeignKey("fk", "orders", ("customer_id",), "customers", 200_000.0, is_indexed=False)
    return unindexed._replace(**changes)


def test_foreign_keys_without_an_index() -> None:
    """They are named where the table is large and the run joined by them or deleted parents."""
    (found,) = foreign_key_findings([key()], {"fk": "DELETE FROM customers WHERE id = $1"})

    assert (found.kind, found.subject) == ("unindexed_foreign_key", "orders (customer_id)")
    assert foreign_key_findings([key()], {}) == []
    assert foreign_key_findings([key(is_indexed=True)], {"fk": ""}) == []
    assert foreign_key_findings([key(table_rows=900.0)], {"fk": ""}) == []


def settings_found(
    machine: Machine | None = MACHINE, counters: Counters = CALM, /, **changes: Any
) -> list[str]:
    """Return which settings are named of those that fit but for the changes."""
    return [each.subject for each in setting_findings(FITTING | changes, counters, machine)]


def test_settings_that_fit() -> None:
    """A tuned server, and one whose machine is not known, get no advice."""
    assert settings_found() == settings_found(None) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("autovacuum", False),
        ("shared_buffers", 8 * GIB),
        ("work_mem", GIB),
        ("effective_cache_size", 32 * GIB),
        ("effective_cache_size", GIB),
        ("maintenance_work_mem", 4 * GIB),
        ("maintenance_work_mem", MIB),
        ("max_connections", 800),
        ("max_parallel_workers_per_gather", 32),
        ("random_page_cost", 0.5),
        ("random_page_cost", 10.0),
        ("checkpoint_completion_target", 0.1),
    ],
)
def test_settings_that_do_not_fit(name: str, value: float) -> None:
    """Each is named alone, with its value."""
    assert settings_found(**{name: value}) == [name]


def test_settings_that_the_run_shows_to_be_wrong() -> None:
    """Connections that run out, checkpoints before their time, and small buffers that miss."""
    missing = CALM._replace(blocks_hit=500_000, blocks_read=100_000)

    assert settings_found(MACHINE, CALM._replace(peak_connections=95)) == ["max_connections"]
    assert settings_found(MACHINE, CALM._replace(checkpoints_requested=9)) == ["max_wal_size"]
    assert settings_found(MACHINE, missing, shared_buffers=128 * MIB) == ["shared_buffers"]
    assert settings_found(shared_buffers=128 * MIB) == []


def test_the_cache_hit_ratio() -> None:
    """It is named below 99 %, unless hardly anything was read or it is not known."""
    (found,) = counter_findings(Counters(blocks_hit=900_000, blocks_read=100_000))

    assert (found.kind, found.evidence["hit_ratio"]) == ("cache_hit_ratio", 0.9)
    assert counter_findings(Counters(blocks_hit=9_000, blocks_read=1_000)) == []
    assert counter_findings(CALM) == counter_findings(Counters()) == []
