"""The distribution of latencies as far as Locust's CSV tells it: its minimum, percentiles and maximum."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.load.csv_faults import LEVEL_COLUMN, bucket_ms


@dataclass(frozen=True)
class Levels:
    """Hold known points of a distribution: `latency_ms` at `share` of the n sorted requests, both ascending.

    `stated` maps the percentiles Locust wrote (in per cent) to their latency.
    """

    n: int
    share: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    stated: dict[float, float]

    def read(self, share: float) -> float:
        """Return the latency at a share of the requests, interpolated between the known points.

        Linear over -ln(1 - share), in which the tail of an exponential distribution is straight; outside of
        the known points the nearest one. Shares are ranks over n + 1, so that the maximum is not at infinity.
        """
        return float(
            np.interp(_depth(min(share, self.n / (self.n + 1))), _depth(self.share), self.latency_ms)
        )

    def between(self, low: float, high: float) -> tuple[float, float]:
        """Return the latencies at two shares."""
        return self.read(low), self.read(high)

    def around(self, low: float, high: float) -> tuple[float, float]:
        """Return the known points next to two shares, below the first and above the second.

        Between them any latency is possible: those of failures often are all alike, and unlike the others.
        """
        first = int(np.searchsorted(self.share, low, side="right")) - 1
        last = int(np.searchsorted(self.share, high, side="left"))
        return float(self.latency_ms[max(first, 0)]), float(self.latency_ms[min(last, len(self.share) - 1)])

    def spread_ms(self) -> float:
        """Return the standard deviation of the distribution through the points, straight between them."""
        shares = np.concatenate(([0.0], self.share, [1.0]))
        latency = np.concatenate((self.latency_ms[:1], self.latency_ms, self.latency_ms[-1:]))
        width, left, right = np.diff(shares), latency[:-1], latency[1:]
        mean = float((width * (left + right) / 2).sum())
        square = float((width * (left**2 + left * right + right**2) / 3).sum())
        return math.sqrt(max(square - mean**2, 0.0))


def levels_of(row: "pd.Series[float]") -> Levels | None:
    """Return the points of one row of Locust's statistics, None if it has no requests or no percentiles.

    Locust takes the request of rank int(n * q) + 1 (at most n) of the sorted ones for percentile q.
    """
    n = int(row["n"])
    stated = {
        float(match[1]): float(row[column])
        for column in row.index
        if (match := LEVEL_COLUMN.fullmatch(str(column))) and not math.isnan(row[column])
    }
    if n < 1 or not stated:
        return None
    points = [(min(int(n * level / 100) + 1, n), latency) for level, latency in sorted(stated.items())]
    points = _with_ends(points, n, float(row["min_ms"]), float(row["max_ms"]))
    ranks, latencies = zip(*points, strict=True)
    # Rounding may put a percentile above the exact maximum, which would make the function fall.
    return Levels(n, np.array(ranks) / (n + 1), np.maximum.accumulate(np.array(latencies)), stated)


def rounding_ms(latency_ms: float) -> float:
    """Return half of the bucket into which Locust rounds a latency."""
    return float(bucket_ms(np.asarray(latency_ms))) / 2


def _with_ends(
    points: list[tuple[int, float]], n: int, min_ms: float, max_ms: float
) -> list[tuple[int, float]]:
    first = [(1, min_ms)] if not math.isnan(min_ms) else []
    last = [(n, max_ms)] if not math.isnan(max_ms) else []
    return first + points + last


def _depth(share: "float | NDArray[np.float64]") -> "NDArray[np.float64]":
    return -np.log1p(-np.asarray(share, dtype=np.float64))
