"""A measurement: a figure beside the one it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """A figure, what it should be, and within which bounds it is as it should; all in *unit*."""

    what: str
    value: float
    expected: float
    unit: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def ratio(self) -> float | None:
        """The figure by what it should be; None where that is 0."""
        return self.value / self.expected if self.expected else None

    @property
    def is_within(self) -> bool:
        """Whether it is within its bounds."""
        return (self.low is None or self.low <= self.value) and (self.high is None or self.value <= self.high)


def near(
    what: str, value: float, expected: float, unit: str = "", *, tolerance: float = 0.0, slack: float = 0.0
) -> Row:
    """Return the row of a figure that may be off by a share of what it should be, and by *slack*."""
    off = tolerance * abs(expected) + slack
    return Row(what, value, expected, unit, expected - off, expected + off)


def at_least(what: str, value: float, least: float, unit: str = "") -> Row:
    """Return the row of a figure that may be any from *least* on."""
    return Row(what, value, least, unit, low=least)


def at_most(what: str, value: float, most: float, unit: str = "") -> Row:
    """Return the row of a figure that may be any up to *most*."""
    return Row(what, value, most, unit, high=most)


def told(what: str, value: float, beside: float, unit: str = "") -> Row:
    """Return the row of a figure that is only told, beside another."""
    return Row(what, value, beside, unit)


Measure = Callable[[Path], list[Row]]
"""Measures, with a folder for its files."""
