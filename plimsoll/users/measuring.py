"""What a journey measures beside its requests: transactions, tags, metrics of its own, soft checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

from plimsoll.context import Transaction, current_context, tagged
from plimsoll.run_files.intervals import CHECK, COUNTER, GAUGE, RATE, TREND

Step = str | float | tuple[float, float] | Mapping[str, float]
"""A request, `transaction:NAME` or metric; a pause in s, or between two; or the mean number of each name."""


class Measuring:
    """Give any Locust user measures of its own: `class Visitor(Measuring, HttpUser)`.

    A name is of few: `cache.hit`, not one for each student. Values are finite numbers of 0 or more, without a
    unit or in one that the name says. Within a TaskSet they are those of `self.user`. A greenlet that a
    user spawns is within the transaction and the tags in which it was spawned. A run that is not recorded
    keeps nothing.
    """

    metric_names: ClassVar[frozenset[str] | None] = None
    """The metrics and checks, also as globs, that thresholds may name; None where they are not known."""

    transaction_names: ClassVar[frozenset[str] | None] = None
    """The transactions likewise, those within others by their whole names: `morning.flow/login`."""

    tag_names: ClassVar[frozenset[str] | None] = None
    """The tags that `tagged` gives likewise; those of tasks are known without it."""

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {}
    """What each task asks for, in order, so that it can be said before a run which limits it will decide."""

    def transaction(self, name: str) -> AbstractContextManager[None]:
        """Measure a with-block as a whole: with think time, and the sum of its requests without.

        It fails when a request in it fails, or an exception leaves it. One within another is a part of it:
        `login` within `morning.flow` is named `morning.flow/login`.
        """
        return Transaction(name)

    def tagged(self, *tags: str) -> AbstractContextManager[None]:
        """Tag the requests, transactions and metrics of a with-block, besides the tags that are there.

        Those of a task are the ones of Locust's `@tag`. A tag is a word of letters, digits and `._:/-`.
        """
        return tagged(tags)

    def count(self, name: str, by: float = 1) -> None:
        """Add to a counter."""
        _keep(COUNTER, name, by)

    def rate(self, name: str, hit: object) -> None:
        """Add a case to a rate: whether it was a hit."""
        _keep(RATE, name, 1 if hit else 0)

    def gauge(self, name: str, value: float) -> None:
        """Set a level that goes up and down, such as the size of a pool."""
        _keep(GAUGE, name, value)

    def observe(self, name: str, value: float) -> None:
        """Add a value to a trend, whose percentiles can be limited."""
        _keep(TREND, name, value)

    def check(self, name: str, ok: object) -> bool:
        """Note whether something holds that is no failure where it does not, and return it."""
        _keep(CHECK, name, 1 if ok else 0)
        return bool(ok)


def _keep(kind: str, name: str, value: float) -> None:
    recorder = current_context().execution.recorder
    if recorder is not None:
        recorder.record_value(kind, name, value)
