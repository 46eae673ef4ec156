"""What users measure themselves, on its way from the journeys to the recorder of the run.

Journeys do not know the recording: a user class asks for this by an attribute `measures`.
"""

from __future__ import annotations

from locust import User

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from plimsoll.recording.origin import tagged
from plimsoll.recording.transactions import Transaction
from plimsoll.run_files.intervals import METRIC_TYPES


class MeasureListener(Protocol):
    """Keeps the values of metrics."""

    def __call__(self, kind: str, name: str, value: float) -> None:
        """Take one value."""


_listeners: list[MeasureListener] = []


class Measures:
    """What a user calls to measure."""

    def transaction(self, name: str) -> AbstractContextManager[None]:
        """Measure a with-block as a whole."""
        return Transaction(name)

    def tagged(self, tags: Iterable[str]) -> AbstractContextManager[None]:
        """Tag what a with-block makes."""
        return tagged(tags)

    def keep(self, kind: str, name: str, value: float) -> None:
        """Keep one value of a metric of one of METRIC_TYPES."""
        for listener in _listeners:
            listener(kind, name, value)


def add_listener(listener: MeasureListener) -> None:
    """Tell *listener* of every value from now on."""
    _listeners.append(listener)


def remove_listener(listener: MeasureListener) -> None:
    """Tell *listener* no more."""
    _listeners.remove(listener)


def watch_measures(user_classes: Iterable[type[User]]) -> None:
    """Give `Measures` to the users that ask for it by an attribute `measures`."""
    for user_class in user_classes:
        if hasattr(user_class, "measures"):
            user_class.measures = Measures()


def check_value(kind: str, value: float) -> None:
    """Refuse what cannot be a value of a metric.

    Raises:
        ValueError: the kind is not known, or the value no finite number of 0 or more.
    """
    if kind not in METRIC_TYPES:
        raise ValueError(f"unknown kind of metric {kind!r}, valid are {', '.join(METRIC_TYPES)}")
    if not 0 <= value < math.inf:
        raise ValueError(f"a {kind} cannot have the value {value!r}, valid is a finite number of 0 or more")
