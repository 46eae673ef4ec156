"""What the recorder wrote down second by second, as columns.

A request belongs to the second in which it started and to the one in which it ended. Latencies are taken by
the start, so that a stall shows where it was; rates by the end, because that is when something got through.
A load with a schedule has two latencies: one from the actual start, and the corrected one from the intended
start. Iterations, transactions and the metrics of a journey are recorded in rows like those of
requests, under types of their own.

Latencies are counted in histograms of one layout: counts add up, percentiles never average.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plimsoll.run_files.intervals import BUCKETS_PER_OCTAVE, LABELS, bucket_bounds_ms, bucket_indices

PRECISION = f"within {1 / (2 * BUCKETS_PER_OCTAVE):.2%}"

SECONDS = ("started_s", "ended_s")
COUNTS = ("n", "failures", "unfinished", "bytes")
LATENCIES = ("sum_ms", "min_ms", "max_ms")
RESPONSES = ("response_sum_ms", "response_max_ms")
ROW_COLUMNS = (*SECONDS, *LABELS, *COUNTS, *LATENCIES, *RESPONSES)
ERROR_COLUMNS = ("ended_s", "request_type", "name", "error", "n")

PIECE = 2**18
"""Entries of histograms that are computed with at a time: few enough for the cache of a processor."""
MAX_KEPT = 2**22
"""Cells of merged histograms that are kept, of 8 bytes each."""

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


@dataclass(frozen=True)
class Latencies:
    """Hold one latency of the successes, row by row: histograms, counts over each limit, sums and maxima."""

    histograms: Histograms
    over: Numbers
    sum_ms: NDArray[np.float64]
    max_ms: NDArray[np.float64]


@dataclass(frozen=True)
class Intervals:
    """Hold one row per second started, second ended, worker, request type, name, user class, stage and tags.

    `rows` has ROW_COLUMNS: Unix seconds; labels as categories; finished requests with failures included,
    failures, and requests cut off in flight; sum, least and most of the successes' latencies (NaN without
    one). `over` and `unfinished_over` count, row by row, those at least as slow as each of `limits_ms`.
    `responses` and `response_over` are of corrected latencies, without entries where there was no schedule.
    `errors` has ERROR_COLUMNS: how many failures with an error ended in a second.
    """

    rows: pd.DataFrame
    successes: Histograms
    failed: Histograms
    unfinished: Histograms
    limits_ms: tuple[float, ...]
    over: Numbers
    unfinished_over: Numbers
    responses: Histograms
    response_over: Numbers
    errors: pd.DataFrame

    def __bool__(self) -> bool:
        """Tell whether anything was recorded."""
        return len(self.rows) > 0

    def only(self, rows: NDArray[np.bool_]) -> "Intervals":
        """Return the recording of some of the rows, without their errors."""
        return Intervals(
            rows=self.rows[rows].reset_index(drop=True),
            successes=self.successes.only(rows),
            failed=self.failed.only(rows),
            unfinished=self.unfinished.only(rows),
            limits_ms=self.limits_ms,
            over=self.over[rows],
            unfinished_over=self.unfinished_over[rows],
            responses=self.responses.only(rows),
            response_over=self.response_over[rows],
            errors=NO_ERRORS,
        )

    @property
    def latencies(self) -> Latencies:
        """Return the latencies from the actual start."""
        return Latencies(self.successes, self.over, self.column("sum_ms"), self.column("max_ms"))

    @property
    def corrected(self) -> Latencies | None:
        """Return the latencies from the intended start; None where there was no schedule."""
        if not len(self.responses.buckets):
            return None
        sums, slowest = (self.column(column) for column in RESPONSES)
        return Latencies(self.responses, self.response_over, sums, slowest)

    @cached_property
    def width(self) -> int:
        """Return how many buckets hold every latency of the run."""
        every = (self.successes, self.failed, self.unfinished, self.responses)
        return max(histograms.width for histograms in every)

    @cached_property
    def first_s(self) -> int:
        """Return the first Unix second of the recording."""
        return int(self.rows["started_s"].min())

    @cached_property
    def end_s(self) -> int:
        """Return the Unix second after the last of the recording."""
        return int(self.rows["ended_s"].max()) + 1

    @property
    def names(self) -> list[str]:
        """Return the names that were recorded, each once."""
        return [str(name) for name in self.rows["name"].unique()]

    def total(self, column: str, group: Group | None = None) -> float:
        """Return the sum of a column over all rows, or those in any group."""
        values = self.column(column)
        return float(values.sum() if group is None else values[group >= 0].sum())

    def column(self, column: str) -> NDArray[np.float64]:
        """Return a column of counts or latencies."""
        values: NDArray[np.float64] = self.rows[column].to_numpy(dtype=np.float64)
        return values

    def merged(self, histograms: Histograms, group: Group, groups: int) -> Counts:
        """Return the merged histogram of each group, as a table of groups by buckets.

        The newest are kept, as several limits ask for the same.
        """
        small = group.astype(np.min_scalar_type(-groups))
        key = id(histograms), groups, hashlib.sha256(small.tobytes()).digest()
        if key not in self._kept:
            while self._kept and (len(self._kept) + 1) * groups * self.width > MAX_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = histograms.merged(group, groups, self.width)
            self._kept[key].flags.writeable = False
        return self._kept[key]

    @cached_property
    def _kept(self) -> dict[tuple[int, int, bytes], Counts]:
        return {}

    def seconds(self, which: str) -> NDArray[np.int64]:
        """Return the column `started_s` or `ended_s`."""
        values: NDArray[np.int64] = self.rows[which].to_numpy(dtype=np.int64)
        return values

    def grouped_by(self, columns: list[str]) -> tuple[Group, pd.DataFrame]:
        """Number the rows by the distinct values of columns, and return those values in that order."""
        group: Group = self.rows.groupby(columns, observed=True).ngroup().to_numpy().astype(np.int64)
        first = np.unique(group, return_index=True)[1]
        return group, self.rows[columns].iloc[first].astype(str).reset_index(drop=True)


def summed(values: Numbers, group: Group, groups: int) -> NDArray[np.float64]:
    """Return the sum of the values of each group, 0 where it has none."""
    used = group >= 0
    total: NDArray[np.float64] = np.bincount(
        group[used], weights=np.nan_to_num(values[used]), minlength=groups
    ).astype(np.float64)
    return total


NO_ERRORS = pd.DataFrame({column: pd.Series(dtype="object") for column in ERROR_COLUMNS})
NO_INTERVALS = Intervals(
    rows=pd.DataFrame(
        {column: pd.Series(dtype="category" if column in LABELS else "float64") for column in ROW_COLUMNS}
    ),
    successes=NO_HISTOGRAMS,
    failed=NO_HISTOGRAMS,
    unfinished=NO_HISTOGRAMS,
    limits_ms=(),
    over=np.empty((0, 0), dtype=np.uint32),
    unfinished_over=np.empty((0, 0), dtype=np.uint32),
    responses=NO_HISTOGRAMS,
    response_over=np.empty((0, 0), dtype=np.uint32),
    errors=NO_ERRORS,
)
