"""Geometry of charts: scales, ticks, thinning and SVG paths, as pure functions of numbers.

A plot is a square of `GRID` by `GRID` units with the origin at the top left, stretched to its real size by
the browser; positions outside of paths are fractions from 0 (left, bottom) to 1 (right, top).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRID = 1000
MAX_POINTS = 600
MAX_LOG_TICKS = 10
NOTHING = 1e-6
"""Values up to here are drawn as 0: no figure of a run is that small."""
ROUNDING = 1e-9
"""Relative error allowed where a value is compared with a power of ten."""
TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


class Scale(Protocol):
    """Map values to fractions of a plot's side."""

    def fraction(self, value: float) -> float:
        """Return 0 for the low end and 1 for the high end, never outside of both."""


@dataclass(frozen=True)
class LinearScale:
    """Map `low`…`high` evenly to 0…1."""

    low: float
    high: float

    def fraction(self, value: float) -> float:
        """Return (value - low) / (high - low), held within 0…1."""
        return _held((value - self.low) / (self.high - self.low))


@dataclass(frozen=True)
class LogScale:
    """Map `low`…`high` (both above 0) to 0…1 so that equal ratios are equal distances."""

    low: float
    high: float

    def fraction(self, value: float) -> float:
        """Return log(value / low) / log(high / low), held within 0…1; values up to `low` give 0."""
        return _held(math.log(max(value, self.low) / self.low) / math.log(self.high / self.low))


def _held(fraction: float) -> float:
    return min(1.0, max(0.0, fraction))


def linear_axis(high: float, wanted: int = 4) -> tuple[LinearScale, list[float]]:
    """Return a scale from 0 to the first tick at or above `high`, and ticks 1, 2 or 5 times 10^k apart."""
    rough = (high if high > NOTHING else 1.0) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - ROUNDING))
    steps = math.ceil(max(high, step) / step * (1 - ROUNDING))
    ticks = [round(i * step, 10) for i in range(steps + 1)]
    return LinearScale(0.0, ticks[-1]), ticks


def log_axis(low: float, high: float) -> tuple[LogScale, list[float]]:
    """Return a logarithmic scale that encloses `low`…`high` (both above 0), and its ticks.

    The ticks are 1, 2 and 5 times 10^k, or whole decades alone where those would crowd.
    """
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    candidates = [m * 10.0**d for d in decades for m in (1, 2, 5)]
    first = max(t for t in candidates if t <= low * (1 + ROUNDING))
    last = min(t for t in candidates if t >= max(high, 2 * first) * (1 - ROUNDING))
    ticks = [t for t in candidates if first <= t <= last]
    whole = [10.0**d for d in decades if first <= 10.0**d <= last]
    return LogScale(first, last), ticks if len(ticks) <= MAX_LOG_TICKS else whole


def time_ticks(end_s: float, wanted: int = 8) -> list[float]:
    """Return ticks in seconds from 0 to at most `end_s`, in steps that people count in."""
    step = next((s for s in TIME_STEPS_S if end_s / s <= wanted), math.ceil(end_s / wanted / 86400) * 86400)
    return [float(t) for t in range(0, math.floor(end_s) + 1, step)]


@dataclass(frozen=True)
class Thinned:
    """Hold a series cut to few points: the mean of each bin, and its smallest and largest value."""

    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    banded: bool


def thinned(x: Floats, y: Floats, limit: int = MAX_POINTS) -> Thinned:
    """Cut a series to at most `limit` points by bins of equally many rows, keeping each bin's extremes.

    NaN means unknown and is left out of its bin; a bin of NaN alone stays NaN. A bin's x is its last row's.
    """
    size = math.ceil(len(x) / limit) if len(x) else 1
    if size == 1:
        return Thinned(x, y, y, y, banded=False)
    starts = np.arange(0, len(x), size)
    known = ~np.isnan(y)
    n = np.add.reduceat(known.astype(np.float64), starts)
    total = np.add.reduceat(np.where(known, y, 0.0), starts)
    mean = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    low, high = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    ends = np.minimum(starts + size, len(x)) - 1
    return Thinned(x[ends], mean, low, high, banded=True)


def line_path(x: Floats, y: Floats, x_scale: Scale, y_scale: Scale) -> str:
    """Return the SVG path of a line; NaN interrupts it, and a point between two NaN becomes a dot."""
    return "".join(_polyline(x[run], y[run], x_scale, y_scale) for run in _known_runs(y))


def band_path(x: Floats, low: Floats, high: Floats, x_scale: Scale, y_scale: Scale) -> str:
    """Return the SVG path of the area between two lines; NaN interrupts it."""
    parts = []
    for run in _known_runs(low):
        there = _points(x[run], high[run], x_scale, y_scale)
        back = _points(x[run], low[run], x_scale, y_scale)[::-1]
        parts.append("M" + "L".join([*there, *back]) + "Z")
    return "".join(parts)


def _polyline(x: Floats, y: Floats, x_scale: Scale, y_scale: Scale) -> str:
    points = _points(x, y, x_scale, y_scale)
    return f"M{points[0]}h0" if len(points) == 1 else "M" + "L".join(points)


def _points(x: Floats, y: Floats, x_scale: Scale, y_scale: Scale) -> list[str]:
    return [
        f"{round(GRID * x_scale.fraction(a))} {round(GRID * (1 - y_scale.fraction(b)))}"
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]


def _known_runs(y: Floats) -> list[slice]:
    """Return the slices of consecutive known values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~np.isnan(y), [False]]).astype(int)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels until neighbours are `gap` apart, within `low`…`high` as far as they fit, in their order.

    Two sweeps: upwards pushing each off the one before, then downwards from `high`.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = [float(p) for p in positions]
    floor = low
    for i in order:
        placed[i] = max(placed[i], floor)
        floor = placed[i] + gap
    ceiling = high
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    return placed
