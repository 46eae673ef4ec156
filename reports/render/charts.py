"""Lay out one chart over time: from columns of numbers to scales, ticks, SVG paths, labels and a table.

A plot is a square of `GRID` by `GRID` units with the origin at the top left, stretched to its real size by
the browser; positions outside of paths are fractions from 0 (left, bottom) to 1 (right, top).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from reports.render.timelines import Floats, Thinned, Timeline, thinned
from reports.wording import clock, duration, format_number, quantity

GRID = 1000
HEIGHT_PX = 190
LABEL_GAP_PX = 14
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
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


@dataclass(frozen=True)
class LogScale:
    """Map `low`…`high` (both above 0) to 0…1 so that equal ratios are equal distances."""

    low: float
    high: float

    def fraction(self, value: float) -> float:
        """Return log(value / low) / log(high / low), held within 0…1; values up to `low` give 0."""
        return min(1.0, math.log(max(value, self.low) / self.low) / math.log(self.high / self.low))


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


def line_path(x: Floats, y: Floats, x_scale: Scale, y_scale: Scale) -> str:
    """Return the SVG path of a line; NaN interrupts it, and a point between two NaN becomes a dot."""
    parts = []
    for run in _known_runs(y):
        points = _points(x[run], y[run], x_scale, y_scale)
        parts.append(f"M{points[0]}h0" if len(points) == 1 else "M" + "L".join(points))
    return "".join(parts)


def band_path(x: Floats, low: Floats, high: Floats, x_scale: Scale, y_scale: Scale) -> str:
    """Return the SVG path of the area between two lines; NaN interrupts it."""
    parts = []
    for run in _known_runs(low):
        there = _points(x[run], high[run], x_scale, y_scale)
        back = _points(x[run], low[run], x_scale, y_scale)[::-1]
        parts.append("M" + "L".join([*there, *back]) + "Z")
    return "".join(parts)


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


@dataclass(frozen=True)
class Series:
    """Hold one column to draw; `style` is its CSS class, which gives colour and dashes."""

    name: str
    style: str
    y: Floats


@dataclass(frozen=True)
class Axis:
    """Hold a value axis: scale, ticks, and how its values are written."""

    scale: Scale
    ticks: Sequence[float]
    unit: str

    def written(self, tick: float) -> str:
        """Write a tick briefly: 5 s rather than 5,000 ms."""
        is_long = self.unit == "ms" and tick >= 1000
        return f"{tick / 1000:g} s" if is_long else quantity(tick, self.unit)


@dataclass(frozen=True)
class Limit:
    """Hold one limit to draw, with the thresholds that state it."""

    value: float
    sources: Sequence[str]


@dataclass(frozen=True)
class Line:
    """Hold the paths of one series."""

    name: str
    style: str
    path: str
    band: str


@dataclass(frozen=True)
class Label:
    """Hold a word to the right of the plot, `y_px` below its top."""

    text: str
    style: str
    y_px: float


@dataclass(frozen=True)
class Band:
    """Hold one stage behind the plot; positions in per cent of its width."""

    name: str
    left: float
    width: float


@dataclass(frozen=True)
class Chart:
    """Hold everything a template needs to draw one chart; without lines `note` says why there is nothing.

    Ticks are pairs of a position in per cent, from the left or from the top, and a word.
    """

    key: str
    question: str
    note: str
    description: str = ""
    end_s: float = 1.0
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()
    bands: Sequence[Band] = ()
    lines: Sequence[Line] = ()
    limits: Sequence[float] = ()
    limit_notes: Sequence[str] = ()
    labels: Sequence[Label] = ()
    header: Sequence[str] = ()
    rows: Sequence[tuple[float, Sequence[str]]] = ()


@dataclass(frozen=True)
class Sketch:
    """Hold what a chart shows before it is laid out."""

    key: str
    question: str
    note: str
    nothing: str
    timeline: Timeline
    series: Sequence[Series]
    axis: Axis
    limits: Sequence[Limit] = ()

    def drawn(self, end_s: float, bands: Sequence[Band]) -> Chart:
        """Lay the chart out for an x axis from 0 to `end_s`, or say that there is nothing to draw."""
        series = [s for s in self.series if not np.isnan(s.y).all()]
        if not series:
            return Chart(self.key, self.question, self.nothing)
        x_scale, y_scale = LinearScale(0.0, end_s), self.axis.scale
        cut = [thinned(self.timeline.elapsed_s, s.y) for s in series]
        note, lines, ranges = self.note, [], []
        if cut[0].banded:
            each_s = (cut[0].x[-1] - cut[0].x[0]) / max(1, len(cut[0].x) - 1)
            note += f" {len(self.timeline.elapsed_s):,} rows are drawn as {len(cut[0].x)} means of"
            note += f" {duration(each_s)} with bands from least to most."
        for each, thin in zip(series, cut, strict=True):
            band = band_path(thin.x, thin.low, thin.high, x_scale, y_scale) if thin.banded else ""
            path = line_path(thin.x, thin.mean, x_scale, y_scale)
            y = each.y[~np.isnan(each.y)]
            low, high, last = (quantity(float(v), self.axis.unit) for v in (y.min(), y.max(), y[-1]))
            ranges.append(f"{each.name} between {low} and {high}, at the end {last}")
            lines.append(Line(each.name, each.style, path, band))
        return Chart(
            key=self.key,
            question=self.question,
            note=note,
            description="; ".join(ranges),
            end_s=end_s,
            x_ticks=[(100 * x_scale.fraction(t), clock(t)) for t in time_ticks(end_s)],
            y_ticks=[(100 * (1 - y_scale.fraction(t)), self.axis.written(t)) for t in self.axis.ticks],
            bands=bands,
            lines=lines,
            limits=[100 * (1 - y_scale.fraction(limit.value)) for limit in self.limits],
            limit_notes=[
                f"{quantity(limit.value, self.axis.unit)} ({', '.join(limit.sources)})"
                for limit in self.limits
            ],
            labels=_labels(series, cut, self.limits, self.axis),
            header=[s.name for s in series],
            rows=_rows(cut),
        )


def _labels(
    series: Sequence[Series], cut: Sequence[Thinned], limits: Sequence[Limit], axis: Axis
) -> list[Label]:
    """Name each line at its right end and each limit at its height, moved apart where they would touch."""
    ends = [float(c.mean[~np.isnan(c.mean)][-1]) for c in cut]
    words = [(s.name, s.style, end) for s, end in zip(series, ends, strict=True)]
    words += [(f"limit {quantity(limit.value, axis.unit)}", "limit", limit.value) for limit in limits]
    heights = [HEIGHT_PX * (1 - axis.scale.fraction(value)) for _, _, value in words]
    placed = spread(heights, LABEL_GAP_PX, 0, HEIGHT_PX)
    return [Label(text, style, round(y, 1)) for (text, style, _), y in zip(words, placed, strict=True)]


def _rows(cut: Sequence[Thinned]) -> list[tuple[float, Sequence[str]]]:
    """Return the table of a chart: elapsed seconds, and each series as its mean and extremes."""
    columns = [
        [
            format_number(mean)
            if low == high or np.isnan(mean)
            else f"{format_number(mean)} ({format_number(low)}–{format_number(high)})"
            for mean, low, high in zip(c.mean.tolist(), c.low.tolist(), c.high.tolist(), strict=True)
        ]
        for c in cut
    ]
    return list(zip(np.round(cut[0].x, 1).tolist(), zip(*columns, strict=True), strict=True))
