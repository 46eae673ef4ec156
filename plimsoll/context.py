"""What a greenlet does for the load: whose it is, and under which tags, in which iteration and transaction.

A user's greenlet has a context from its start on, and each greenlet that it spawns inherits it. All contexts
of an environment share its execution: what the schedule counts, what is under way, and who records it.
"""

from __future__ import annotations

from gevent import Greenlet, GreenletExit, getcurrent
from locust import TaskSet, User
from locust.env import Environment

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, lru_cache
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Protocol

from plimsoll.locust_internals import after_user_start, around_tasks, around_waits
from plimsoll.redact import redact_name
from plimsoll.run_files.files import Invariant
from plimsoll.run_files.intervals import TAG_SEPARATOR

LATE_S = 0.010
MAX_TAGS_LENGTH, TRANSACTION_SEPARATOR = 200, "/"


class Attribution(NamedTuple):
    """A user class, empty for none, and tags, sorted and separated by commas."""

    user_class: str = ""
    tags: str = ""


class UnderWay(Protocol):
    """A request or a transaction that has not ended, begun at *started_s* of time.monotonic."""

    started_s: float

    def cut_off(self) -> None:
        """End it as unfinished."""


class Recorder(Protocol):
    """Keeps what ends in a run; times are those of time.monotonic."""

    def record_iteration(self, iteration: Iteration) -> None:
        """Keep an iteration that has ended, or was cut off."""

    def record_transaction(self, transaction: Transaction) -> None:
        """Keep a transaction that has ended, or was cut off."""

    def record_unfinished(
        self, attribution: Attribution, request_type: str, name: str, started_s: float, ended_s: float
    ) -> None:
        """Keep a request that was cut off; those that end have Locust's event."""

    def record_value(self, kind: str, name: str, value: float) -> None:
        """Keep a value of a metric of one of METRIC_TYPES, of the current greenlet."""


class TaskStarts(Protocol):
    """A schedule's say in when the tasks of users start."""

    def execute(self, task_set: TaskSet, task: Any, execute: Callable[[TaskSet], None]) -> None:
        """Execute a task at its intended start; *execute* does it at once."""

    def wait(self, task_set: TaskSet, wait: Callable[[TaskSet], None]) -> None:
        """Wait between two tasks; *wait* waits for the user's own wait time."""


class Execution:
    """How far the load of one environment is in this process; the counts of iterations only ever grow."""

    latest: ClassVar[Execution]
    """The one that was recorded last: what greenlets do that no user spawned belongs to it."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.task_starts: TaskStarts | None = None
        """What the schedule of a run says, None where it leaves tasks to Locust."""
        self.started = self.late = self.dropped = 0
        self.requests: set[UnderWay] = set()
        self.transactions: set[UnderWay] = set()
        self.most_requests = 0
        """The most requests under way at once; the reader sets it back."""
        self.ended_request_s = 0.0
        """How long ended requests were under way, all together."""
        self.invariants: list[Invariant] = []
        """Those of the run's set-ups, in the process that verifies them."""

    def cut_off_all(self) -> None:
        """Count what is under way as cut off now: the run has ended, whatever it still does."""
        for each in (*self.requests, *self.transactions):
            each.cut_off()


Execution.latest = Execution()


def execution_of(environment: Environment) -> Execution:
    """Return the execution of an environment, kept as an attribute of it."""
    execution: Execution = vars(environment).setdefault("plimsoll_execution", Execution())
    return execution


class Context:
    """What one greenlet does."""

    __slots__ = ("attribution", "execution", "iteration", "transaction")

    def __init__(self, execution: Execution, attribution: Attribution = Attribution()) -> None:  # noqa: B008 - immutable
        self.execution, self.attribution = execution, attribution
        self.iteration: Iteration | None = None
        self.transaction: Transaction | None = None

    @property
    def start_delay_ms(self) -> float:
        """How late the next request is because its iteration started late; NaN without a schedule."""
        if self.execution.task_starts is None:
            return math.nan
        return 0.0 if self.iteration is None else self.iteration.start_delay_ms

    def consume_start_delay_ms(self) -> float:
        """Return `start_delay_ms`, and 0.0 from then on: only the first request of an iteration is late."""
        delay_ms = self.start_delay_ms
        if self.iteration is not None:
            self.iteration.start_delay_ms = 0.0
        return delay_ms

    def begin_iteration(self, name: str, delay_s: float) -> Iteration:
        """Begin an iteration, *delay_s* seconds after its intended start."""
        self.execution.started += 1
        self.execution.late += delay_s > LATE_S
        self.iteration = Iteration(name, self.attribution, delay_s)
        return self.iteration

    def end_iteration(self, *, cut_off: bool = False) -> None:
        """End the iteration, by itself or cut off."""
        iteration, self.iteration = self.iteration, None
        assert iteration is not None
        iteration.ended_s, iteration.is_cut_off = time.monotonic(), cut_off
        if self.execution.recorder is not None:
            self.execution.recorder.record_iteration(iteration)


def current_context() -> Context:
    """Return the context of the current greenlet; one that no user spawned has no user class."""
    greenlet = getcurrent()
    try:
        context: Context = greenlet.plimsoll_context
    except AttributeError:
        # Not inherited, and replaced once another environment is recorded.
        found: Context | None = getattr(greenlet, "plimsoll_userless_context", None)
        if found is None or found.execution is not Execution.latest:
            found = greenlet.plimsoll_userless_context = Context(Execution.latest)
        return found
    return context


def give_context(user: User, greenlet: Greenlet) -> None:
    """Give a user's greenlet its context, also where another user spawned it."""
    execution = execution_of(user.environment)
    greenlet.plimsoll_context = Context(execution, Attribution(type(user).__name__))


@cache
def follow_users() -> None:
    """Give contexts to all users and their greenlets, and tags to tasks, from now on; idempotent."""

    def inherit(spawned: Greenlet) -> None:
        context: Context | None = getattr(getcurrent(), "plimsoll_context", None)
        if context is not None:
            own = spawned.plimsoll_context = Context(context.execution, context.attribution)
            own.iteration, own.transaction = context.iteration, context.transaction

    def execute(task_set: TaskSet, task: Any, locusts: Callable[[TaskSet], None]) -> None:
        tags = getattr(task, "locust_tag_set", None)
        with tagged(tags) if tags else nullcontext():  # most tasks have none
            context = current_context()
            # A task that another one runs, by a TaskSet of its own, is part of that one's iteration.
            if context.execution.task_starts is None or context.iteration is not None:
                locusts(task_set)
            else:
                context.execution.task_starts.execute(task_set, task, locusts)

    def wait(task_set: TaskSet, locusts: Callable[[TaskSet], None]) -> None:
        context = current_context()
        # A wait within a task is the journey's own.
        if context.execution.task_starts is None or context.iteration is not None:
            locusts(task_set)
        else:
            context.execution.task_starts.wait(task_set, locusts)

    after_user_start(give_context)
    Greenlet.add_spawn_callback(inherit)
    around_tasks(execute)
    around_waits(wait)


@contextmanager
def tagged(tags: Iterable[str]) -> Iterator[None]:
    """Add tags to what the current greenlet does in a with-block."""
    context = current_context()
    before = context.attribution
    if tags:
        context.attribution = before._replace(tags=_joined(frozenset({before.tags, *map(str, tags)})))
    try:
        yield
    finally:
        context.attribution = before


@lru_cache(maxsize=1024)
def _joined(tags: frozenset[str]) -> str:
    return TAG_SEPARATOR.join(sorted(tag_words(tags)))[:MAX_TAGS_LENGTH]


def tag_words(tags: Iterable[str]) -> set[str]:
    """Return tags as they are recorded: without secrets, and one with commas as several."""
    return {word.strip() for tag in tags for word in redact_name(tag).split(TAG_SEPARATOR)} - {""}


class Iteration:
    """One iteration with an intended start, *delay_s* before its actual one."""

    def __init__(self, name: str, attribution: Attribution, delay_s: float) -> None:
        self.name, self.attribution, self.delay_s = name, attribution, delay_s
        self.start_delay_ms = delay_s * 1000
        self.started_s = self.ended_s = time.monotonic()
        self.failed = self.is_cut_off = False


class Transaction:
    """One transaction, for as long as the `with` block lasts; afterwards what came of it.

    *started_s* is a time of time.monotonic, *duration_ms* that of the whole block, *cumulated_ms* the sum of
    its requests. *failure* is the text or exception that made it fail. *delay_ms* is by how much it started
    late where a schedule started it.
    """

    name: str
    attribution: Attribution
    started_s: float
    delay_ms: float
    _context: Context
    _parent: Transaction | None

    def __init__(self, name: str) -> None:
        self._own_name = str(name)
        self.cumulated_ms = self.duration_ms = 0.0
        self.failure: object = None
        self.is_cut_off = False

    def __enter__(self) -> None:
        context = self._context = current_context()
        parent = context.transaction
        # A greenlet may outlive the transaction that it was spawned in.
        self._parent = parent = parent if parent in context.execution.transactions else None
        prefix = "" if parent is None else f"{parent.name}{TRANSACTION_SEPARATOR}"
        self.name = f"{prefix}{self._own_name}"
        self.attribution, self.delay_ms = context.attribution, context.start_delay_ms
        context.transaction = self
        self.started_s = time.monotonic()
        context.execution.transactions.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.transaction = self._parent
        if self not in self._context.execution.transactions:  # the end of the run was first
            return
        if isinstance(error, GreenletExit):
            self.is_cut_off = True
        elif self.failure is None:
            self.failure = error
        if self._parent is not None:
            self._parent.cumulated_ms += self.cumulated_ms
            self._parent.failure = self._parent.failure or self.failure
        self._end()

    def note_request(self, name: str, response_time_ms: float | None, exception: object) -> None:
        """Count a request in it that has ended."""
        self.cumulated_ms += response_time_ms or 0.0
        if exception and self.failure is None:
            self.failure = f"{name} failed"

    def cut_off(self) -> None:
        """End it as unfinished."""
        self.is_cut_off = True
        self._end()

    def _end(self) -> None:
        execution = self._context.execution
        execution.transactions.remove(self)
        self.duration_ms = (time.monotonic() - self.started_s) * 1000
        if execution.recorder is not None:
            execution.recorder.record_transaction(self)
