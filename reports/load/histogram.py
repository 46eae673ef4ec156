"""Percentiles and means over merged histograms: counts of one layout add up, percentiles never average."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.intervals import BUCKETS_PER_OCTAVE, bucket_bounds_ms, bucket_indices

PRECISION = f"within {1 / (2 * BUCKETS_PER_OCTAVE):.2%}"

Counts = NDArray[np.float64]


def lower_ms(bucket: "NDArray[np.int64] | int") -> NDArray[np.float64]:
    """Return the lower bounds of buckets in ms."""
    bounds_ms: NDArray[np.float64] = bucket_bounds_ms(np, bucket)
    return bounds_ms


def middle_ms(bucket: "NDArray[np.int64] | int") -> NDArray[np.float64]:
    """Return the middles of buckets in ms: what a latency in them is shown as."""
    at = np.asarray(bucket, dtype=np.int64)
    middle: NDArray[np.float64] = (lower_ms(at) + lower_ms(at + 1)) / 2
    return middle


def bucket_of(latency_ms: float) -> int:
    """Return the bucket a latency falls into."""
    return int(bucket_indices(np, latency_ms))


def percentile_ms(counts: Counts, level: float) -> float:
    """Return the percentile (in per cent) by nearest rank, ceil(level / 100 * n); NaN without a count."""
    n = float(counts.sum())
    if not n:
        return math.nan
    # The float nearest to 0.07 * 100 lies above 7, which would be rank 8.
    rank = max(math.ceil(level / 100 * n * (1 - 1e-12)), 1)
    return float(middle_ms(int(np.searchsorted(np.cumsum(counts), rank))))


def mean_ms(counts: Counts) -> float:
    """Return the mean of what the buckets are shown as; NaN without a count."""
    n = float(counts.sum())
    return float(counts @ middle_ms(np.arange(len(counts)))) / n if n else math.nan


@dataclass(frozen=True)
class Histograms:
    """Hold one sparse histogram a row, end to end: row i has the entries from starts[i] to starts[i + 1]."""

    starts: NDArray[np.int64]
    buckets: NDArray[np.uint16]
    counts: NDArray[np.uint32]

    @property
    def width(self) -> int:
        """Return how many buckets it takes to hold every entry."""
        return int(self.buckets.max()) + 1 if len(self.buckets) else 1

    def counted(self, first: int = 0) -> Counts:
        """Return how many each row holds from a bucket on."""
        row = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        used = self.buckets >= first
        counts = self.counts[used].astype(np.float64)
        counted: Counts = np.bincount(row[used], counts, len(self.starts) - 1).astype(np.float64)
        return counted

    def only(self, rows: NDArray[np.bool_]) -> "Histograms":
        """Return the histograms of some of the rows."""
        sizes = np.diff(self.starts)
        entries = np.repeat(rows, sizes)
        starts = np.concatenate(([0], np.cumsum(sizes[rows])))
        return Histograms(starts, self.buckets[entries], self.counts[entries])

    def merged(self, group: NDArray[np.int64], groups: int, width: int) -> Counts:
        """Return the sums of the rows of each group, groups by buckets; rows of group -1 stay out.

        `width` must be at least that of the histograms.
        """
        sizes = np.where(group >= 0, np.diff(self.starts), 0)
        entries = np.repeat(self.starts[:-1] - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
        flat = np.repeat(group, sizes) * width + self.buckets[entries]
        counts = self.counts[entries].astype(np.float64)
        summed: Counts = np.bincount(flat, weights=counts, minlength=groups * width).astype(np.float64)
        return summed.reshape(groups, width)


NO_HISTOGRAMS = Histograms(
    np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.uint16), np.empty(0, dtype=np.uint32)
)
