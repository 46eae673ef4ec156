"""What the recorder wrote down second by second, as columns.

A request belongs to the second in which it started and to the one in which it ended. Latencies are taken by
the start, so that a stall shows where it was; rates by the end, because that is when something got through.
A load with a schedule has two latencies: one from the actual start, and the corrected one from the intended
start. Iterations, transactions and the metrics of a journey are recorded in rows like those of
requests, under types of their own.

Latencies are counted in histograms of one layout: counts add up, percentiles never average.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plimsoll.run_files.intervals import LABELS
from reports.load.histograms import NO_HISTOGRAMS, Counts, Group, Histograms, Numbers

SECONDS = ("started_s", "ended_s")
COUNTS = ("n", "failures", "unfinished", "bytes")
LATENCIES = ("sum_ms", "min_ms", "max_ms")
RESPONSES = ("response_sum_ms", "response_max_ms")
ROW_COLUMNS = (*SECONDS, *LABELS, *COUNTS, *LATENCIES, *RESPONSES)
ERROR_COLUMNS = ("ended_s", "request_type", "name", "error", "n")

MAX_KEPT = 2**22
"""Cells of merged histograms that are kept, of 8 bytes each."""


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
