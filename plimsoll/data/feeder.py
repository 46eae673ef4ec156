"""A feeder: rows of test data for the users of a class, allocated to all processes by the master.

A process has some rows at a time; its users get them one by one.
"""

from __future__ import annotations

from gevent import GreenletExit
from gevent.event import Event

import itertools
import random
from collections import deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, get_args

from plimsoll.data.sources import CsvFile, FeedError, JsonLinesFile, Query, Source

Strategy = Literal["unique", "circular", "random"]

# So many rows are with a process before its users want them, so that they need not wait for each.
STOCK_ROWS = 100

# An answer takes a millisecond or so; one that does not come was lost with its connection: ask again.
ANSWER_LIMIT_S = 3.0
GIVE_UP_S = 30.0

RowT = TypeVar("RowT")


class Block(NamedTuple):
    """Rows for one process; *is_last* tells that there will be no more for it."""

    rows: list[Any]
    is_last: bool


class RowAllocator:
    """The rows of one source, each allocated as its strategy says.

    What is allocated, and in which order, depends on the rows, the strategy and the seed alone. The processes
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
        self._allocated = 0

    def open(self, seed: str) -> None:
        """Read the rows, unless they are there already and stay as they are; allocate from the start.

        Raises:
            FeedError: they cannot be read, or there are none.
        """
        if self._rows is None or not self.source.is_fixed:
            self._rows = self.source.read()
        self.begin(seed)

    def begin(self, seed: str) -> None:
        """Allocate from the start, once there are rows; *seed* decides what is drawn."""
        if self._rows is not None:
            self._positions = positions(self.strategy, len(self._rows), seed)
            self._allocated = 0

    def allocate(self, wanted: int, processes: int) -> Block:
        """Return the next rows for one of so many processes: those that are *wanted*, and some in stock.

        Of rows that are not plenty any more, none go into stock, as another process may want them; circular
        ones are plenty again once all were allocated, and are the same for several from then on.

        Raises:
            FeedError: it is not open and cannot be opened.
        """
        if self._rows is None:
            self.open(seed="")
        assert self._rows is not None
        rest = len(self._rows) - self._allocated
        is_scarce = 0 < rest <= wanted + 2 * processes * STOCK_ROWS
        count = wanted if is_scarce and self.strategy != "random" else wanted + STOCK_ROWS
        if self.strategy != "unique":
            return self._block(count, is_last=False)
        return self._block(min(rest, count), is_last=rest <= count)

    def _block(self, count: int, *, is_last: bool) -> Block:
        assert self._rows is not None
        rows = [self._rows[position] for position in itertools.islice(self._positions, count)]
        self._allocated += len(rows)
        return Block(rows, is_last)


def positions(strategy: Strategy, rows: int, seed: str) -> Iterator[int]:
    """Return in which order so many rows are allocated: once, in a circle, or evenly drawn by the seed."""
    if strategy == "unique":
        return iter(range(rows))
    if strategy == "circular":
        return itertools.cycle(range(rows))
    draw = random.Random(seed).randrange
    return (draw(rows) for _ in itertools.count())


class FeederExhausted(GreenletExit):  # type: ignore[misc] # gevent carries no types
    """Every row of a unique feeder was allocated: a user that requests another ends as if stopped."""


class Channel(Protocol):
    """What the feeders of a process get their rows by."""

    def begin(self, seed: str) -> None:
        """Begin a new run."""

    def ask(self, key: str, wanted: int) -> None:
        """Have rows of a feeder taken to it, now or soon: for so many users who wait, and some in stock."""

    def report_exhausted(self, key: str) -> None:
        """Report that a user asked for more rows than there are."""


class Process:
    """What the feeders of this process have in common."""

    channel: Channel | None
    """None while it is not known yet whether this process is a worker: feeders ask again."""

    def __init__(self) -> None:
        self.feeders: dict[str, Feeder[Any]] = {}


PROCESS = Process()


class Feeder(Generic[RowT]):
    """Rows for the users of a class, one at a time.

    *strategy*: `unique`, no row twice in a run; `circular`, in order, and again from the first; `random`, any
    row each time, drawn by --seed.

    Raises:
        ValueError: at construction, for a strategy that there is not.
    """

    def __init__(self, source: Source, strategy: Strategy) -> None:
        self.allocator = RowAllocator(source, strategy)
        # A name that it has in all processes: they load the same locustfiles.
        name = f"{strategy} {source.name}"
        keys = itertools.chain([name], (f"{name} #{number}" for number in itertools.count(2)))
        self.key = next(key for key in keys if key not in PROCESS.feeders)
        self._rows: deque[RowT] = deque()
        self._refill_below = 0
        self._waiting = 0
        self._asked_s: float | None = None
        self._is_over = self._is_reported = False
        self._fault: str | None = None
        self._has_news = Event()
        PROCESS.feeders[self.key] = self

    @staticmethod
    def csv(path: str, strategy: Strategy) -> Feeder[dict[str, str]]:
        """Feed the rows of a CSV file with a header; the path is relative to where Locust is started."""
        return Feeder(CsvFile(path), strategy)

    @staticmethod
    def json_lines(path: str, strategy: Strategy) -> Feeder[dict[str, Any]]:
        """Feed the objects of a file with one JSON object on each line."""
        return Feeder(JsonLinesFile(path), strategy)

    @staticmethod
    def sql(statement: str, strategy: Strategy, database_url: str | None = None) -> Feeder[dict[str, Any]]:
        """Feed the rows of a query, read before each run; ORDER BY makes it reproducible."""
        return Feeder(Query(statement, database_url), strategy)

    def next(self) -> RowT:
        """Return the next row.

        Raises:
            FeederExhausted: each row was allocated once; the user ends.
            FeedError: the master has no such rows, or does not answer.
        """
        give_up_s = monotonic() + GIVE_UP_S
        while not self._rows:
            if self._fault or monotonic() > give_up_s:
                raise FeedError(self._fault or f"{self.key}: no rows from the master in {GIVE_UP_S:.0f} s")
            if self._is_over:
                if not self._is_reported:
                    self._is_reported = True
                    assert PROCESS.channel is not None  # it has had rows
                    PROCESS.channel.report_exhausted(self.key)
                raise FeederExhausted(exhausted(self.key))
            self._has_news.clear()
            self._waiting += 1
            try:
                self._ask()
                self._has_news.wait(ANSWER_LIMIT_S)
            finally:
                self._waiting -= 1
        row = self._rows.popleft()
        if len(self._rows) < self._refill_below:
            self._ask()
        return row

    def take(self, block: Block) -> None:
        """Keep these rows for the users of this process."""
        self._asked_s = None
        self._rows.extend(block.rows)
        # What is on its way while the second half of a block is used keeps users from waiting.
        self._refill_below = len(block.rows) // 2
        self._is_over = block.is_last
        self._has_news.set()

    def release(self, row: RowT) -> None:
        """Take back a unique row that is not used any more, for the next user of this process."""
        if self.allocator.strategy == "unique":
            self._rows.appendleft(row)
            self._has_news.set()

    def refuse(self, fault: str) -> None:
        """Fail the users that wait for rows, as there are none."""
        self._fault = fault
        self._has_news.set()

    def begin(self) -> None:
        """Forget what is left of the run before."""
        self._rows.clear()
        self._refill_below, self._asked_s, self._fault = 0, None, None
        self._is_over = self._is_reported = False

    def _ask(self) -> None:
        is_asked = self._asked_s is not None and monotonic() < self._asked_s + ANSWER_LIMIT_S
        if PROCESS.channel is not None and not is_asked and not self._is_over:
            self._asked_s = monotonic()
            # Those who have not been woken yet wait for rows that are here.
            PROCESS.channel.ask(self.key, max(0, self._waiting - len(self._rows)))


def exhausted(key: str) -> str:
    """Return what is said when a feeder has no more rows."""
    return f"{key}: all rows used; users that request another row stop"
