"""Lay out one chart over time: from columns of numbers to paths, ticks, labels and a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.render.charts import (
    Floats,
    LinearScale,
    Scale,
    Thinned,
    band_path,
    line_path,
    spread,
    thinned,
    time_ticks,
)
from reports.render.timelines import Timeline
from reports.wording import clock, duration, format_number, quantity

HEIGHT_PX = 190
LABEL_GAP_PX = 14


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
class Ticks:
    """Hold (position in per cent, word) pairs: x from the left, y from the top."""

    x: Sequence[tuple[float, str]]
    y: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Chart:
    """Hold everything a template needs to draw one chart; without lines `note` says why there is nothing."""

    key: str
    question: str
    note: str
    description: str = ""
    end_s: float = 1.0
    ticks: Ticks = Ticks((), ())
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
        return Chart(
            key=self.key,
            question=self.question,
            note=self.note + _thinning_note(cut[0], len(self.timeline.elapsed_s)),
            description="; ".join(_summary(s, self.axis.unit) for s in series),
            end_s=end_s,
            ticks=Ticks(
                x=[(100 * x_scale.fraction(t), clock(t)) for t in time_ticks(end_s)],
                y=[(_from_top(y_scale, t), _tick(t, self.axis.unit)) for t in self.axis.ticks],
            ),
            bands=bands,
            lines=[_line(s, t, x_scale, y_scale) for s, t in zip(series, cut, strict=True)],
            limits=[_from_top(y_scale, limit.value) for limit in self.limits],
            limit_notes=[
                f"{quantity(limit.value, self.axis.unit)} ({', '.join(limit.sources)})"
                for limit in self.limits
            ],
            labels=_labels(series, cut, self.limits, self.axis),
            header=[s.name for s in series],
            rows=_rows(cut),
        )


def _from_top(scale: Scale, value: float) -> float:
    return 100 * (1 - scale.fraction(value))


def _line(series: Series, cut: Thinned, x_scale: Scale, y_scale: Scale) -> Line:
    band = band_path(cut.x, cut.low, cut.high, x_scale, y_scale) if cut.banded else ""
    return Line(series.name, series.style, line_path(cut.x, cut.mean, x_scale, y_scale), band)


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


def _tick(value: float, unit: str) -> str:
    """Write a round figure briefly: 5 s rather than 5,000 ms."""
    return f"{value / 1000:g} s" if unit == "ms" and value >= 1000 else quantity(value, unit)


def _rows(cut: Sequence[Thinned]) -> list[tuple[float, Sequence[str]]]:
    columns = [
        [_cell(*values) for values in zip(c.mean.tolist(), c.low.tolist(), c.high.tolist(), strict=True)]
        for c in cut
    ]
    return list(zip(np.round(cut[0].x, 1).tolist(), zip(*columns, strict=True), strict=True))


def _cell(mean: float, low: float, high: float) -> str:
    return (
        format_number(mean)
        if low == high or np.isnan(mean)
        else f"{format_number(mean)} ({format_number(low)}–{format_number(high)})"
    )


def _summary(series: Series, unit: str) -> str:
    y = series.y[~np.isnan(series.y)]
    low, high, last = (quantity(v, unit) for v in (float(y.min()), float(y.max()), float(y[-1])))
    return f"{series.name} between {low} and {high}, at the end {last}"


def _thinning_note(cut: Thinned, rows: int) -> str:
    if not cut.banded:
        return ""
    each_s = (cut.x[-1] - cut.x[0]) / max(1, len(cut.x) - 1)
    return (
        f" {rows:,} rows are drawn as {len(cut.x)} means of {duration(each_s)} with bands from least to most."
    )
