"""Histograms of latencies in the layout of the recorder, end to end, and what is told by merged ones."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.intervals import BUCKETS_PER_OCTAVE, bucket_bounds_ms, bucket_indices

PRECISION = f"within {1 / (2 * BUCKETS_PER_OCTAVE):.2%}"

PIECE = 2**18
"""Entries of histograms that are computed with at a time: few enough for the cache of a processor."""

Counts = NDArray[np.float64]
Numbers = NDArray[np.float64] | NDArray[np.uint32]
Group = NDArray[np.int64]
"""The number of a row's group, -1 for none."""


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


def medians_ms(counts: Counts) -> NDArray[np.float64]:
    """Return the medians of histograms, one a row, as `percentile_ms` has them, but for empty ones."""
    n = counts.sum(axis=1)
    known = np.cumsum(counts[n > 0], axis=1) < np.ceil(n[n > 0] / 2)[:, None]
    return middle_ms(np.count_nonzero(known, axis=1))


def mean_ms(counts: Counts) -> float:
    """Return the mean of what the buckets are shown as; NaN without a count."""
    n = float(counts.sum())
    return float(counts @ middle_ms(np.arange(len(counts)))) / n if n else math.nan


@dataclass(frozen=True)
class Histograms:
    """Hold one sparse histogram a row, end to end: row i has the entries from starts[i] to starts[i + 1]."""

    starts: NDArray[np.int64]
    buckets: NDArray[np.uint16]
    counts: NDArray[np.unsignedinteger[Any]]

    @classmethod
    def of_parts(cls, parts: Sequence["Histograms"]) -> "Histograms":
        """Return the histograms of some rows and those of the rows after them as one."""
        before = np.cumsum([0, *(len(part.buckets) for part in parts)])
        starts = [part.starts[:-1] + entries for part, entries in zip(parts, before[:-1], strict=True)]
        return cls(
            np.concatenate([*starts, before[-1:]]),
            np.concatenate([part.buckets for part in parts]),
            np.concatenate([part.counts for part in parts]),
        )

    @property
    def width(self) -> int:
        """Return how many buckets it takes to hold every entry."""
        return int(self.buckets.max()) + 1 if len(self.buckets) else 1

    @property
    def row(self) -> NDArray[np.int64]:
        """Return the row of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def pieces(self) -> Iterator[tuple[slice, slice]]:
        """Yield rows and their entries, part by part: what is computed of all at once takes gigabytes."""
        for rows in _parts(self.starts[1:]):
            yield rows, slice(int(self.starts[rows.start]), int(self.starts[rows.stop]))

    def counted(self, first: int = 0) -> Counts:
        """Return how many each row holds from a bucket on."""
        counted: Counts = np.zeros(len(self.starts) - 1)
        for rows, entries in self.pieces():
            sizes, used = np.diff(self.starts[rows.start : rows.stop + 1]), self.buckets[entries] >= first
            row = np.repeat(np.arange(len(sizes)), sizes)[used]
            counted[rows] = np.bincount(row, self.counts[entries][used], len(sizes))
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
        rows = np.flatnonzero(group >= 0)
        sizes = np.diff(self.starts)[rows]
        ends = np.cumsum(sizes)
        merged: Counts = np.zeros(groups * width)
        for some in _parts(ends):
            n, first_row, last_row = sizes[some], rows[some.start], rows[some.stop - 1]
            entry: slice | NDArray[np.int64] = slice(self.starts[first_row], self.starts[last_row + 1])
            if last_row - first_row + 1 != len(n):
                # An entry is as far behind the first of its row here as in all of the histograms.
                behind = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
                entry = np.repeat(self.starts[rows[some]], n) + behind
            bucket = np.repeat(group[rows[some]] * width, n) + self.buckets[entry]
            first = int(bucket.min(initial=groups * width))
            found = np.bincount(bucket - first, self.counts[entry])
            merged[first : first + len(found)] += found
        return merged.reshape(groups, width)


def _parts(ends: NDArray[np.int64]) -> Iterator[slice]:
    """Yield slices of rows, of which `ends` are the ends in entries, with about PIECE entries each."""
    if len(ends):
        at = np.searchsorted(ends, np.arange(PIECE, int(ends[-1]), PIECE))
        for first, end in pairwise(np.unique(np.concatenate(([0], at, [len(ends)]))).tolist()):
            yield slice(first, end)


NO_HISTOGRAMS = Histograms(
    np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.uint16), np.empty(0, dtype=np.uint32)
)


def summed(values: Numbers, group: Group, groups: int) -> NDArray[np.float64]:
    """Return the sum of the values of each group, 0 where it has none."""
    used = group >= 0
    total: NDArray[np.float64] = np.bincount(
        group[used], weights=np.nan_to_num(values[used]), minlength=groups
    ).astype(np.float64)
    return total
