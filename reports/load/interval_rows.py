"""What the recorder wrote down second by second, as columns.

A request belongs to the second in which it started and to the one in which it ended. Latencies are taken by
the start, so that a stall shows where it was; rates by the end, because that is when something got through.
A load with a schedule has two latencies: the service time from the actual start, and the response time from
the intended one. Its iterations, each one run of a user's task, are written down like requests, and are none;
so are the transactions and metrics that a journey measures itself.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plimsoll.run_files.intervals import LABELS
from reports.load.histogram import NO_HISTOGRAMS, Counts, Histograms

SECONDS = ("started_s", "ended_s")
COUNTS = ("n", "failures", "unfinished")
LATENCIES = ("sum_ms", "min_ms", "max_ms")
RESPONSES = ("response_sum_ms", "response_max_ms")
ROW_COLUMNS = (*SECONDS, *LABELS, *COUNTS, *LATENCIES, *RESPONSES)
KIND_COLUMNS = ("ended_s", "request_type", "name", "kind", "n")

Group = NDArray[np.int64]
"""A number a row: where its counts go, -1 for nowhere."""


@dataclass(frozen=True)
class Latencies:
    """Hold one latency of the successes, row by row: histograms, counts over each limit, sums and maxima."""

    histograms: Histograms
    over: NDArray[np.float64]
    sum_ms: NDArray[np.float64]
    max_ms: NDArray[np.float64]


@dataclass(frozen=True)
class Intervals:
    """Hold one row per second started, second ended, worker, request type, name, user class, stage and tags.

    `rows` has ROW_COLUMNS: Unix seconds; labels as categories; finished requests with failures included,
    failures, and requests cut off in flight; sum, least and most of the successes' latencies (NaN without
    one). `over` and `unfinished_over` count, row by row, those at least as slow as each of `limits_ms`.
    `responses` and `response_over` are of the response times, without entries where there was no schedule.
    `kinds` has KIND_COLUMNS: how many failures of a kind ended in a second.
    """

    rows: pd.DataFrame
    successes: Histograms
    failed: Histograms
    unfinished: Histograms
    limits_ms: tuple[float, ...]
    over: NDArray[np.float64]
    unfinished_over: NDArray[np.float64]
    responses: Histograms
    response_over: NDArray[np.float64]
    kinds: pd.DataFrame

    def __bool__(self) -> bool:
        """Tell whether anything was recorded."""
        return len(self.rows) > 0

    def only(self, rows: NDArray[np.bool_]) -> "Intervals":
        """Return the recording of some of the rows, without their kinds of failure."""
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
            kinds=NO_KINDS,
        )

    @property
    def service(self) -> Latencies:
        """Return the service times: from the actual start."""
        return Latencies(self.successes, self.over, self.column("sum_ms"), self.column("max_ms"))

    @property
    def response(self) -> Latencies | None:
        """Return the response times: from the intended start; None where there was no schedule."""
        if not len(self.responses.buckets):
            return None
        sums, slowest = (self.column(column) for column in RESPONSES)
        return Latencies(self.responses, self.response_over, sums, slowest)

    @cached_property
    def width(self) -> int:
        """Return how many buckets hold every latency of the run."""
        kinds = (self.successes, self.failed, self.unfinished, self.responses)
        return max(histograms.width for histograms in kinds)

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
        """Return the merged histogram of each group, as a table of groups by buckets."""
        return histograms.merged(group, groups, self.width)

    def seconds(self, which: str) -> NDArray[np.int64]:
        """Return the column `started_s` or `ended_s`."""
        values: NDArray[np.int64] = self.rows[which].to_numpy(dtype=np.int64)
        return values

    def grouped_by(self, columns: list[str]) -> tuple[Group, pd.DataFrame]:
        """Number the rows by the distinct values of columns, and return those values in that order."""
        group: Group = self.rows.groupby(columns, observed=True).ngroup().to_numpy().astype(np.int64)
        first = np.unique(group, return_index=True)[1]
        return group, self.rows[columns].iloc[first].astype(str).reset_index(drop=True)


def summed(values: NDArray[np.float64], group: Group, groups: int) -> NDArray[np.float64]:
    """Return the sum of the values of each group, 0 where it has none."""
    used = group >= 0
    total: NDArray[np.float64] = np.bincount(
        group[used], weights=np.nan_to_num(values[used]), minlength=groups
    ).astype(np.float64)
    return total


NO_KINDS = pd.DataFrame({column: pd.Series(dtype="object") for column in KIND_COLUMNS})
NO_INTERVALS = Intervals(
    rows=pd.DataFrame(
        {column: pd.Series(dtype="category" if column in LABELS else "float64") for column in ROW_COLUMNS}
    ),
    successes=NO_HISTOGRAMS,
    failed=NO_HISTOGRAMS,
    unfinished=NO_HISTOGRAMS,
    limits_ms=(),
    over=np.empty((0, 0)),
    unfinished_over=np.empty((0, 0)),
    responses=NO_HISTOGRAMS,
    response_over=np.empty((0, 0)),
    kinds=NO_KINDS,
)
