"""What is dealt: unique rows once, to any number of processes; circular ones in order; random by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.data.row_allocator import STOCK_ROWS, RowAllocator, Strategy, positions


class Numbers:
    """A source of the numbers from 0 on."""

    name = "numbers"

    def __init__(self, rows: int, *, is_fixed: bool = True) -> None:
        self.rows, self.is_fixed = rows, is_fixed
        self.times_read = 0

    def read(self) -> Sequence[int]:
        """Return the numbers."""
        self.times_read += 1
        return range(self.rows)


def allocator(rows: int, strategy: Strategy, seed: str = "1") -> RowAllocator:
    """Return a allocator that is open."""
    opened = RowAllocator(Numbers(rows), strategy)
    opened.open(seed)
    return opened


@given(
    rows=st.integers(1, 2000), asks=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=80)
)
def test_a_unique_row_is_dealt_once(rows: int, asks: list[tuple[int, int]]) -> None:
    """However many processes ask, for however many users, come or go: no row goes out twice, all in order."""
    unique = allocator(rows, "unique")
    dealt = [row for wanted, processes in asks for row in unique.allocate(wanted, processes).rows]

    assert dealt == list(range(len(dealt)))


@pytest.mark.parametrize("strategy", ["unique", "circular"])
@given(rows=st.integers(1, 600), processes=st.integers(1, 4), data=st.data())
def test_rows_that_are_few_all_reach_who_wants_them(
    strategy: Strategy, rows: int, processes: int, data: st.DataObject
) -> None:
    """As many users as there are rows, over several processes, each ask for one: all get one of their own."""
    few = allocator(rows, strategy)
    stock: list[list[int]] = [[] for _ in range(processes)]
    taken = []
    for _ in range(rows):
        process = data.draw(st.integers(0, processes - 1)) if rows < 40 else _ % processes
        stock[process] = stock[process] or few.allocate(1, processes).rows
        taken.append(stock[process].pop(0))

    assert sorted(taken) == list(range(rows))


@given(rows=st.integers(1, 50), asks=st.lists(st.integers(0, 30), min_size=1, max_size=5))
def test_circular_rows_go_around(rows: int, asks: list[int]) -> None:
    """The first row follows the last, whoever gets them."""
    circular = allocator(rows, "circular")
    dealt = [row for wanted in asks for row in circular.allocate(wanted, 3).rows]

    assert dealt == [number % rows for number in range(len(dealt))]


@given(rows=st.integers(1, 50), asks=st.lists(st.integers(0, 30), min_size=1, max_size=5), seed=st.text())
def test_random_rows_hang_on_the_seed_alone(rows: int, asks: list[int], seed: str) -> None:
    """However the rows are asked for, the same are dealt in the same order."""
    drawn = allocator(rows, "random", seed)
    dealt = [row for wanted in asks for row in drawn.allocate(wanted, 3).rows]

    assert dealt == list(islice(positions("random", rows, seed), len(dealt)))
    assert set(dealt) <= set(range(rows))


def test_seeds_draw_differently() -> None:
    """Two seeds make two orders."""
    first, second = (list(islice(positions("random", 1000, seed), 20)) for seed in ("1", "2"))

    assert first != second


def test_stock_is_dealt_while_rows_are_plenty() -> None:
    """Of 1,000 rows, one user of one of two processes has 100 more sent along; of 400 rows, none."""
    assert len(allocator(1000, "unique").allocate(1, 2).rows) == 1 + STOCK_ROWS
    assert len(allocator(400, "unique").allocate(1, 2).rows) == 1


def test_the_last_block_says_so() -> None:
    """Whoever gets the last row, and whoever comes after it, is told that there are no more."""
    few = allocator(3, "unique")

    assert few.allocate(2, 1) == ([0, 1], False)
    assert few.allocate(2, 1) == ([2], True)
    assert few.allocate(2, 1) == ([], True)


def test_a_new_run_begins_with_the_first_row() -> None:
    """What was dealt in the run before is dealt again."""
    unique = allocator(3, "unique")
    unique.allocate(3, 1)
    unique.begin("1")

    assert unique.allocate(1, 1).rows == [0]


@pytest.mark.parametrize(("is_fixed", "times_read"), [(True, 1), (False, 2)])
def test_rows_are_read_once_unless_they_change(*, is_fixed: bool, times_read: int) -> None:
    """A file is read once in a process, a query before each run."""
    source = Numbers(3, is_fixed=is_fixed)
    opened = RowAllocator(source, "unique")
    opened.open("1")
    opened.open("1")

    assert source.times_read == times_read


def test_an_allocator_that_is_not_open_opens_itself() -> None:
    """Locust used as a library has no preparation."""
    assert RowAllocator(Numbers(1), "unique").allocate(1, 1).rows == [0]


def test_an_unknown_way_is_refused() -> None:
    """The text says what there is."""
    with pytest.raises(ValueError, match="strategy must be 'unique', 'circular' or 'random', got 'any'"):
        RowAllocator(Numbers(1), "any")  # type: ignore[arg-type] # on purpose
