"""Allocates the rows of one feeder to all processes: in which order, and how many at once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, get_args

from plimsoll.data.sources import Source

Strategy = Literal["unique", "circular", "random"]

# So many rows are with a process before its users want them, so that they need not wait for each.
STOCK_ROWS = 100


class Block(NamedTuple):
    """Rows for one process; *is_last* tells that there will be no more for it."""

    rows: list[Any]
    is_last: bool


class RowAllocator:
    """The rows of one source, each dealt as its strategy says.

    What is dealt, and in which order, depends on the rows, the strategy and the seed alone. The processes
    decide only which user gets a row.

    Raises:
        ValueError: at construction, for a strategy that there is not.
    """

    def __init__(self, source: Source, strategy: Strategy) -> None:
        if strategy not in get_args(Strategy):
            raise ValueError(f"{source}: strategy must be 'unique', 'circular' or 'random', got {strategy!r}")
        self.source, self.strategy = source, strategy
        self._rows: Sequence[Any] | None = None
        self._positions: Iterator[int] = iter(())
        self._dealt = 0

    def open(self, seed: str) -> None:
        """Read the rows, unless they are there already and stay as they are; deal from the start.

        Raises:
            FeedError: they cannot be read, or there are none.
        """
        if self._rows is None or not self.source.is_fixed:
            self._rows = self.source.read()
        self.begin(seed)

    def begin(self, seed: str) -> None:
        """Deal from the start, once there are rows; *seed* decides what is drawn."""
        if self._rows is not None:
            self._positions = positions(self.strategy, len(self._rows), seed)
            self._dealt = 0

    def allocate(self, wanted: int, processes: int) -> Block:
        """Return the next rows for one of so many processes: those that are *wanted*, and some in stock.

        Of rows that are not plenty any more, none go into stock, as another process may want them; circular
        ones are plenty again once all were dealt, and are the same for several from then on.

        Raises:
            FeedError: it is not open and cannot be opened.
        """
        if self._rows is None:
            self.open(seed="")
        assert self._rows is not None
        rest = len(self._rows) - self._dealt
        is_scarce = 0 < rest <= wanted + 2 * processes * STOCK_ROWS
        count = wanted if is_scarce and self.strategy != "random" else wanted + STOCK_ROWS
        if self.strategy != "unique":
            return self._block(count, is_last=False)
        return self._block(min(rest, count), is_last=rest <= count)

    def _block(self, count: int, *, is_last: bool) -> Block:
        assert self._rows is not None
        rows = [self._rows[position] for position in itertools.islice(self._positions, count)]
        self._dealt += len(rows)
        return Block(rows, is_last)


def positions(strategy: Strategy, rows: int, seed: str) -> Iterator[int]:
    """Return in which order so many rows are dealt: once, around and around, or evenly drawn by the seed."""
    if strategy == "unique":
        return iter(range(rows))
    if strategy == "circular":
        return itertools.cycle(range(rows))
    draw = random.Random(seed).randrange
    return (draw(rows) for _ in itertools.count())
