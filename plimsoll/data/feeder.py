"""A feeder: rows of test data for the users of a class, of which this process has some at a time."""

from __future__ import annotations

from gevent import GreenletExit
from gevent.event import Event

from collections import deque
from itertools import count
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from plimsoll.data.row_allocator import Block, RowAllocator, Strategy
from plimsoll.data.sources import CsvFile, FeedError, JsonLinesFile, Source

# An answer takes a millisecond or so; one that does not come was lost with its connection: ask again.
ANSWER_LIMIT_S = 3.0
GIVE_UP_S = 30.0

RowT = TypeVar("RowT")


class FeederExhausted(GreenletExit):  # type: ignore[misc] # gevent carries no types
    """Every row of a unique feeder was dealt: the user that asks for one more ends as if stopped."""


class Channel(Protocol):
    """What the feeders of a process get their rows by."""

    def begin(self, seed: str) -> None:
        """Begin a new run."""

    def ask(self, key: str, wanted: int) -> None:
        """Have rows of a feeder taken to it, now or soon: for so many users who wait, and some in stock."""

    def tell_exhausted(self, key: str) -> None:
        """Tell that a user asked for more rows than there are."""


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
        self.key = _new_key(f"{strategy} {source.name}")
        self._rows: deque[RowT] = deque()
        self._few = 0
        self._waiting = 0
        self._asked_s: float | None = None
        self._is_over = self._is_told = False
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
        # Only here: psycopg takes a tenth of the start of every process of the load, and few ask a database.
        from plimsoll.data.query import Query

        return Feeder(Query(statement, database_url), strategy)

    def next(self) -> RowT:
        """Return the next row.

        Raises:
            FeederExhausted: each row was dealt once; the user ends.
            FeedError: the master has no such rows, or does not answer.
        """
        give_up_s = monotonic() + GIVE_UP_S
        while not self._rows:
            if self._fault or monotonic() > give_up_s:
                raise FeedError(self._fault or f"{self.key}: no rows from the master in {GIVE_UP_S:.0f} s")
            if self._is_over:
                self._tell_exhausted()
                raise FeederExhausted(exhausted(self.key))
            self._await_rows()
        row = self._rows.popleft()
        if len(self._rows) < self._few:
            self._ask()
        return row

    def take(self, block: Block) -> None:
        """Keep these rows for the users of this process."""
        self._asked_s = None
        self._rows.extend(block.rows)
        # What is on its way while the second half of a block is used keeps users from waiting.
        self._few = len(block.rows) // 2
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
        self._few, self._asked_s, self._fault = 0, None, None
        self._is_over = self._is_told = False

    def _await_rows(self) -> None:
        self._has_news.clear()
        self._waiting += 1
        try:
            self._ask()
            self._has_news.wait(ANSWER_LIMIT_S)
        finally:
            self._waiting -= 1

    def _tell_exhausted(self) -> None:
        if not self._is_told:
            self._is_told = True
            assert PROCESS.channel is not None  # it has had rows
            PROCESS.channel.tell_exhausted(self.key)

    def _ask(self) -> None:
        is_asked = self._asked_s is not None and monotonic() < self._asked_s + ANSWER_LIMIT_S
        if PROCESS.channel is not None and not is_asked and not self._is_over:
            self._asked_s = monotonic()
            # Those who have not been woken yet wait for rows that are here.
            PROCESS.channel.ask(self.key, max(0, self._waiting - len(self._rows)))


def exhausted(key: str) -> str:
    """Return what is said when a feeder has no more rows."""
    return f"{key}: every row is used; users that ask for more stop"


def _new_key(name: str) -> str:
    """Return a name for a feeder that it has in all processes: they load the same locustfiles."""
    return next(
        key
        for number in count(1)
        if (key := f"{name} #{number}" if number > 1 else name) not in PROCESS.feeders
    )
