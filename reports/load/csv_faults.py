"""Find figures that Locust cannot have written: those of a file that was damaged or edited.

Locust rounds percentiles to 1 ms below 100 ms, 10 ms below 1 s, 100 ms below 10 s, then to 1 s; up to version
1.1 it cut the fractions of all other latencies off, and wrote rates with two decimals.
"""

import math
import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEVEL_COLUMN = re.compile(r"p(\d+(?:\.\d+)?)_ms")
FRACTION_MS = 1.0
RATE_ROUNDING = 0.005
NOT_JUDGED = "mean_bytes"

Mask = NDArray[np.bool_]


def stats_faults(frame: pd.DataFrame, file: str) -> list[str]:
    """Return the first impossible figure of each column of the statistics, by its place."""
    columns = [c for c in frame.attrs["columns"] if frame[c].dtype == np.float64 and c != NOT_JUDGED]
    found = [*_no_numbers(frame, columns), *_negative(frame, columns), *_latencies(frame), *_rates(frame)]
    return [_words(frame, file, *fault) for fault in found]


def history_faults(frame: pd.DataFrame, file: str) -> list[str]:
    """Return the first impossible figure of each column of the history, by its place."""
    counted = ["unix_s", "n", "failures"]
    return [
        _words(frame, file, *fault) for fault in (*_no_numbers(frame, counted), *_negative(frame, counted))
    ]


def bucket_ms(latency_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how wide the bucket is into which Locust rounds a latency."""
    return np.select([latency_ms < limit_ms for limit_ms in (100, 1000, 10_000)], [1.0, 10.0, 100.0], 1000.0)


def before_rounding_ms(latency_ms: float) -> tuple[float, float]:
    """Return the least and the greatest latency that Locust rounds to this one."""
    below_ms, above_ms = bucket_ms(np.array([math.nextafter(latency_ms, 0.0), latency_ms])) / 2
    return max(latency_ms - float(below_ms), 0.0), latency_ms + float(above_ms)


def _no_numbers(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, int, str]]:
    """Yield what is no number though requests were made, for which alone Locust writes N/A."""
    for column in columns:
        yield from _first(column, frame[column].isna() & (frame["n"] != 0), "no number")


def _negative(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, int, str]]:
    for column in columns:
        yield from _first(column, frame[column] < 0, "negative")
    yield from _first("failures", frame["failures"] > frame["n"], "more than the requests")


def _latencies(frame: pd.DataFrame) -> Iterator[tuple[str, int, str]]:
    """Yield percentiles below a lower one, and latencies that are not between minimum and maximum."""
    levels = sorted(filter(LEVEL_COLUMN.fullmatch, frame.columns), key=_level)
    for lower, column in pairwise(levels):
        yield from _first(column, frame[column] < frame[lower], f"below the {_level(lower):g}%")
    for column in ("mean_ms", *levels):
        slack_ms = FRACTION_MS if column == "mean_ms" else bucket_ms(frame[column].to_numpy())
        yield from _first(column, frame[column] > frame["max_ms"] + slack_ms, "above the maximum")
        yield from _first(column, frame[column] < frame["min_ms"] - slack_ms, "below the minimum")


def _rates(frame: pd.DataFrame) -> Iterator[tuple[str, int, str]]:
    """Yield the rate that differs most from its count over the time that all have: up to the last request."""
    known = frame[(frame["n"] > 0) & (frame["rps"] >= 0)]
    n, rps = known["n"].to_numpy(), known["rps"].to_numpy()
    least_s, slowest = n / (rps + RATE_ROUNDING), rps - RATE_ROUNDING
    most_s = np.divide(n, slowest, out=np.full(len(n), np.inf), where=slowest > 0)
    if len(known) and least_s.max() > most_s.min():
        middle_s = float(np.median(least_s))
        worst = int(np.abs(np.log(least_s / middle_s)).argmax())
        fits = f"not {n[worst]:.0f} requests in the {middle_s:.1f} s of the other rows"
        yield "rps", int(known.index[worst]), fits


def _level(column: str) -> float:
    return float(column[1:].removesuffix("_ms"))


def _first(column: str, wrong: "pd.Series[bool]", what: str) -> Iterator[tuple[str, int, str]]:
    for row in np.flatnonzero(wrong)[:1]:
        yield column, int(row), what


def _words(frame: pd.DataFrame, file: str, column: str, row: int, what: str) -> str:
    """Say where a figure stands, and what is wrong with it."""
    request = f"{frame['request_type'][row]} {frame['name'][row]}".strip()
    place = f"{file}, row {row + 1} ({request!r}), column {frame.attrs['columns'][column]!r}"
    return f"{place}: {frame[column][row]:.10g} is {what}"
