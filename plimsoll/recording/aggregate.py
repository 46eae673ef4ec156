"""From samples of single requests to rows of counts and histograms: pure numpy, no loop over requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plimsoll.recording.intervals import IntervalBatch, Key, SparseHistogram
from plimsoll.run_files.intervals import bucket_indices

# The columns of a sample, all of them floats. delay_ms is by how much the request started too late, NaN where
# no schedule says when it should have started; with latency_ms it makes the response time.
SAMPLE_COLUMNS = ("key", "outcome", "recorded_s", "started_s", "latency_ms", "bytes", "delay_ms")
# What came of a request; any number above is the position of the kind of its failure, plus one.
VALUE = -2  # of a metric, in the place of the latency: it takes no time
UNFINISHED = -1
SUCCESS = 0
# A start further than this from the moment of recording is of another clock, and is not believed.
PLAUSIBLE_AGE_S = 86_400.0
_VALUE_SPAN = 65_536

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def aggregate(
    samples: Floats, keys: Sequence[Key], kinds: Sequence[str], limits_ms: Sequence[float]
) -> IntervalBatch:
    """Group samples (rows of SAMPLE_COLUMNS) by the seconds of their start and end and by their key.

    A latency that is not a number of 0 or more is in n but in no latency figure.
    """
    key, outcome = samples[:, 0].astype(np.int64), samples[:, 1].astype(np.int64)
    latency_ms, delay_ms = np.where(samples[:, 4] >= 0, samples[:, 4], np.nan), samples[:, 6]
    duration_ms = np.where(outcome == VALUE, 0.0, latency_ms)
    (row_key, started_s, ended_s), row = _group(key, *_seconds(samples[:, 2], samples[:, 3], duration_ms))
    row_count, is_failed, has_delay = len(row_key), outcome > SUCCESS, np.isfinite(delay_ms)
    latencies = _Latencies(row, latency_ms, row_count)
    successes = latencies.of((outcome == SUCCESS) | (outcome == VALUE))
    failed, unfinished = latencies.of(is_failed), latencies.of(outcome == UNFINISHED)
    # The successes that a schedule had intended, from when it had.
    corrected = _Latencies(row, latency_ms + delay_ms, row_count)
    responses = corrected.of((outcome == SUCCESS) & has_delay)
    told = {"successes": successes, "responses": responses, "failed": failed, "unfinished": unfinished}
    used_keys, key_positions = np.unique(row_key, return_inverse=True)
    used_kinds, kind_positions = np.unique(outcome[is_failed] - 1, return_inverse=True)
    return IntervalBatch(
        keys=[keys[position] for position in used_keys],
        kinds=[kinds[position] for position in used_kinds],
        scalars={
            "started_s": started_s,
            "ended_s": ended_s,
            "key": key_positions.astype(np.int32),
            "n": _count(row[outcome != UNFINISHED], row_count),
            "failures": _count(row[is_failed], row_count),
            "bytes": np.bincount(row, samples[:, 5], row_count).astype(np.int64),
            "sum_ms": successes.sums(),
            "min_ms": successes.extremes(np.minimum, np.inf),
            "max_ms": successes.extremes(np.maximum, -np.inf),
            "response_sum_ms": responses.sums(),
            "response_max_ms": responses.extremes(np.maximum, -np.inf),
            "unfinished": _count(row[outcome == UNFINISHED], row_count),
        },
        histograms={name: each.histogram() for name, each in told.items()}
        | {"failure_kinds": _histogram(row[is_failed], kind_positions, row_count)},
        over_limits={
            "over_limit": successes.over(limits_ms),
            "response_over_limit": responses.over(limits_ms if has_delay.any() else ()),
            "unfinished_over_limit": unfinished.over(limits_ms),
        },
    )


class _Latencies(NamedTuple):
    """Latencies with the row that each belongs to."""

    row: Integers
    latency_ms: Floats
    row_count: int

    def of(self, chosen: Mask) -> _Latencies:
        """Return the chosen ones that are finite."""
        usable = chosen & np.isfinite(self.latency_ms)
        return _Latencies(self.row[usable], self.latency_ms[usable], self.row_count)

    def sums(self) -> Floats:
        """Return the sum of each row, NaN where it has none."""
        has_any = np.bincount(self.row, minlength=self.row_count) > 0
        return np.where(has_any, np.bincount(self.row, self.latency_ms, self.row_count), np.nan)

    def extremes(self, extreme: np.ufunc, beyond_all: float) -> Floats:
        """Return the least or greatest of each row, NaN where it has none."""
        found = np.full(self.row_count, beyond_all)
        extreme.at(found, self.row, self.latency_ms)
        return np.where(np.isinf(found), np.nan, found)

    def histogram(self) -> SparseHistogram:
        """Return the histogram of each row."""
        return _histogram(self.row, bucket_indices(np, self.latency_ms), self.row_count)

    def over(self, limits_ms: Sequence[float]) -> NDArray[np.uint32]:
        """Return how many of each row are at least as slow as each limit."""
        over = np.zeros((self.row_count, len(limits_ms)), np.uint32)
        for position, limit_ms in enumerate(limits_ms):
            over[:, position] = _count(self.row[self.latency_ms >= limit_ms], self.row_count)
        return over


def _seconds(recorded_s: Floats, client_start_s: Floats, latency_ms: Floats) -> tuple[Integers, Integers]:
    """Return the seconds in which each request started and ended, by the client's own start if plausible."""
    duration_s = np.where(np.isfinite(latency_ms), latency_ms, 0.0).clip(0.0, PLAUSIBLE_AGE_S * 1000) / 1000
    is_plausible = np.abs(recorded_s - client_start_s) < PLAUSIBLE_AGE_S  # False for NaN
    start_s = np.where(is_plausible, client_start_s, recorded_s - duration_s)
    return np.floor(start_s).astype(np.int64), np.floor(start_s + duration_s).astype(np.int64)


def _group(key: Integers, started_s: Integers, ended_s: Integers) -> tuple[tuple[Integers, ...], Integers]:
    """Return the distinct (key, started_s, ended_s) and, for each sample, the position of its own."""
    first_s = min(started_s.min(), ended_s.min())
    span_s = max(started_s.max(), ended_s.max()) - first_s + 1
    codes, row = np.unique(
        (key * span_s + started_s - first_s) * span_s + ended_s - first_s, return_inverse=True
    )
    key_and_start, end = np.divmod(codes, span_s)
    distinct_key, start = np.divmod(key_and_start, span_s)
    return (distinct_key, start + first_s, end + first_s), row


def _count(row: Integers, row_count: int) -> NDArray[np.uint32]:
    return np.bincount(row, minlength=row_count).astype(np.uint32)


def _histogram(row: Integers, value: Integers, row_count: int) -> SparseHistogram:
    codes, counts = np.unique(row * _VALUE_SPAN + value, return_counts=True)
    offsets = np.searchsorted(codes, np.arange(row_count + 1) * _VALUE_SPAN)
    values = codes % _VALUE_SPAN
    return SparseHistogram(offsets.astype(np.int32), values.astype(np.uint16), counts.astype(np.uint32))
