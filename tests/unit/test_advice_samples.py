"""Rules over the samples of a run: each finds its fault, and is silent on the healthy counterpart."""

from __future__ import annotations

from typing import Any

import pytest

from plimsoll.advice.samples import (
    PoolSample,
    ServerSample,
    StatementCalls,
    idle_in_transaction,
    lock_pile_up,
    n_plus_one,
    pool_too_small,
    slowest,
)


def calls(stage: str, queryid: str, n: int, rows: int, total_ms: float = 1.0) -> StatementCalls:
    """Return the calls of a statement in a stage."""
    return StatementCalls(stage, queryid, f"SELECT {queryid}", n, rows, total_ms)


def server(elapsed_s: float, **changes: Any) -> ServerSample:
    """Return a sample of a server with ten of a hundred connections and nothing wrong."""
    return ServerSample(elapsed_s, 10, 100, 0.0, None, 0)._replace(**changes)


def test_one_statement_for_each_row_of_a_list() -> None:
    """Each list of twenty is followed by twenty calls, in both stages."""
    found = n_plus_one(
        [
            calls("ramp", "orders", 50, 1_000),
            calls("ramp", "items", 1_000, 3_000),
            calls("hold", "orders", 400, 8_000),
            calls("hold", "items", 7_990, 24_000),
            calls("hold", "count", 400, 400),
        ],
        {},
    )

    assert [(each.kind, each.subject) for each in found] == [("n_plus_one", "SELECT items")]
    assert found[0].evidence["list_statement"] == "SELECT orders"
    assert found[0].evidence["calls_per_list"] == pytest.approx(20, rel=0.01)
    assert (found[0].severity, len(found[0].next_steps)) == ("high", 4)


@pytest.mark.parametrize(
    "healthy",
    [
        # nine rows for each list
        [calls("hold", "orders", 100, 900), calls("hold", "items", 900, 900)],
        # many calls, and a list that has nothing to do with their number
        [calls("hold", "orders", 100, 10_000), calls("hold", "items", 2_000, 2_000)],
        # a mix whose shares change from stage to stage
        [
            calls("ramp", "orders", 100, 2_000),
            calls("ramp", "items", 2_000, 2_000),
            calls("hold", "orders", 100, 2_000),
            calls("hold", "items", 4_000, 4_000),
        ],
        # a batch instead of single calls
        [calls("hold", "orders", 100, 2_000), calls("hold", "items", 100, 2_000)],
    ],
)
def test_calls_that_are_no_n_plus_one(healthy: list[StatementCalls]) -> None:
    """Few calls, unrelated calls, calls in another ratio in each stage, and batches are fine."""
    assert n_plus_one(healthy, {}) == []


def test_ten_calls_in_each_iteration() -> None:
    """Where the run counts iterations, calls for a row each are held against them; nine are fine."""
    fifteen = [calls("ramp", "items", 150, 150), calls("hold", "items", 1_500, 1_500)]
    found = n_plus_one(fifteen, {"ramp": 10, "hold": 100})

    assert [each.evidence["calls_per_iteration"] for each in found] == [15]
    assert n_plus_one([calls("hold", "items", 900, 900)], {"hold": 100}) == []
    assert n_plus_one(fifteen, {"ramp": 10, "hold": 500}) == []
    assert n_plus_one(fifteen, {}) == []


def test_a_session_idle_in_a_transaction() -> None:
    """Over a second is named, with when and how long; half a second is not."""
    samples = [
        server(each, idle_in_transaction_s=idle) for each, idle in enumerate([0.0, 0.5, 1.5, 2.5, 0.0])
    ]
    (found,) = idle_in_transaction(samples)

    assert (found.kind, found.severity) == ("idle_in_transaction", "critical")
    assert (found.evidence["longest_s"], found.evidence["at_s"], found.evidence["samples"]) == (2.5, 3, 2)
    assert idle_in_transaction(samples[:2]) == idle_in_transaction([]) == []


def test_a_pile_of_lock_waits() -> None:
    """Three behind one root, twice in a row, are a pile; one sample, two victims or other roots are not."""
    pile = [server(each, root_blocker="4711", victims=victims) for each, victims in enumerate([0, 3, 8, 1])]
    (found,) = lock_pile_up(pile)

    assert (found.kind, found.severity, found.subject) == ("lock_pile_up", "critical", "session 4711")
    assert found.evidence["victims"] == 8
    assert lock_pile_up(pile[:2]) == []
    assert lock_pile_up([server(each, root_blocker="4711", victims=2) for each in range(5)]) == []
    assert lock_pile_up([server(each, root_blocker=str(each), victims=5) for each in range(5)]) == []
    assert lock_pile_up([]) == []


def pool(*waiting: float) -> list[PoolSample]:
    """Return a sample a second of a pool of five."""
    return [PoolSample(second, 5, each) for second, each in enumerate(waiting)]


def test_a_pool_that_is_too_small() -> None:
    """Requests wait in a tenth of the samples while the server has sessions to spare."""
    (found,) = pool_too_small(pool(0, 3, *[0] * 8), [server(0)])

    assert (found.kind, found.group, found.severity) == ("pool_too_small", "throughput", "medium")
    assert found.evidence["pool_size"] == 5
    assert "at most 10 of 100 sessions" in found.text


def test_pools_that_are_large_enough_or_not_the_fault() -> None:
    """Rare waits, few samples, and a server without sessions to spare are no reason to enlarge it."""
    assert pool_too_small(pool(3, *[0] * 19), [server(0)]) == []
    assert pool_too_small(pool(3, 3), [server(0)]) == []
    assert pool_too_small(pool(*[3] * 20), [server(0, connections=95)]) == []
    assert pool_too_small([], []) == []


def test_the_statements_that_are_looked_at() -> None:
    """Slow ones come first, then those of most time; stages are added up, and uncalled ones left out."""
    recorded = [
        calls("ramp", "often", 5_000, 1, 4_000),
        calls("hold", "often", 5_000, 1, 4_000),
        calls("hold", "slow", 10, 1, 1_500),
        calls("hold", "quick", 10, 1, 1),
        calls("hold", "never", 0, 0, 0),
    ]

    assert [each.queryid for each in slowest(recorded, 100, 10)] == ["slow", "often", "quick"]
    assert [(each.queryid, each.calls) for each in slowest(recorded, 100, 2)] == [
        ("slow", 10),
        ("often", 10_000),
    ]
