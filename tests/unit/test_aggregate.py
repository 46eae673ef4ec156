"""Requests become rows of counts: each in one row, in the buckets of the layout, and so to the master."""

from locust.rpc import Message

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plimsoll.recording.aggregate import aggregate
from plimsoll.recording.intervals import IntervalBatch, Key, batch_from_message
from plimsoll.run_files.intervals import LAST_BUCKET, bucket_indices

KEYS = [Key("Shopper", "GET", "home"), Key("Shopper", "POST", "order"), Key("", "WS", "update")]
KINDS = ["other", "wrong total", "ConnectionError"]
LIMITS_MS = [100.0, math.nextafter(100.0, math.inf), 500.0]
NOW_S = 1_700_000_000.0

latencies = st.floats(0, 5000) | st.sampled_from([100.0, 500.0, math.nan, -1.0, math.inf])
starts = st.floats(NOW_S - 6, NOW_S) | st.sampled_from([math.nan, 12.5])
samples = st.lists(
    st.tuples(
        st.integers(0, len(KEYS) - 1),
        st.integers(-1, len(KINDS)),
        st.floats(NOW_S, NOW_S + 1),
        starts,
        latencies,
        st.integers(0, 10**9),
        st.floats(0, 4000) | st.just(math.nan),
    ),
    min_size=1,
    max_size=60,
)


def rows_of(batch: IntervalBatch) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the rows of a batch as plain Python, by seconds and key."""
    rows = {}
    for i in range(batch.row_count):
        row: dict[str, Any] = {name: column[i].item() for name, column in batch.scalars.items()}
        for name, histogram in batch.histograms.items():
            own = slice(histogram.offsets[i], histogram.offsets[i + 1])
            counted = zip(histogram.values[own].tolist(), histogram.counts[own].tolist(), strict=True)
            row[f"{name}_histogram"] = dict(counted)
        row["failure_kinds_histogram"] = {
            batch.kinds[kind]: n for kind, n in row["failure_kinds_histogram"].items()
        }
        for name, over in batch.over_limits.items():
            row[name] = over[i].tolist()
        key = batch.keys[row.pop("key")]
        rows[row.pop("started_s"), row.pop("ended_s"), key] = row
    return rows


def counted_one_by_one(told: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return what `rows_of` must, by the slowest and plainest way."""
    groups: dict[tuple[Any, ...], list[tuple[int, float, int, float]]] = defaultdict(list)
    for key, outcome, recorded_s, start_s, latency_ms, size, delay_ms in told:
        duration_s = max(0.0, latency_ms) / 1000 if math.isfinite(latency_ms) else 0.0
        begun_s = start_s if start_s > NOW_S - 3600 else recorded_s - duration_s
        groups[math.floor(begun_s), math.floor(begun_s + duration_s), KEYS[key]].append(
            (outcome, latency_ms, size, delay_ms)
        )
    response_limits_ms = [] if all(math.isnan(sample[-1]) for sample in told) else LIMITS_MS
    return {group: counted_row(requests, response_limits_ms) for group, requests in groups.items()}


def counted_row(
    requests: list[tuple[int, float, int, float]], response_limits_ms: list[float]
) -> dict[str, Any]:
    """Return one row."""

    def latencies_of(outcomes: set[int]) -> list[float]:
        return [ms for outcome, ms, _, _ in requests if outcome in outcomes and math.isfinite(ms) and ms >= 0]

    failed = set(range(1, len(KINDS) + 1))
    good, cut_off = latencies_of({0}), latencies_of({-1})
    responses = [
        ms + delay_ms
        for outcome, ms, _, delay_ms in requests
        if outcome == 0 and math.isfinite(ms) and ms >= 0 and math.isfinite(delay_ms)
    ]
    return {
        "n": sum(outcome >= 0 for outcome, *_ in requests),
        "failures": sum(outcome > 0 for outcome, *_ in requests),
        "unfinished": sum(outcome < 0 for outcome, *_ in requests),
        "bytes": sum(size for _, _, size, _ in requests),
        "sum_ms": math.fsum(good) if good else math.nan,
        "min_ms": min(good, default=math.nan),
        "max_ms": max(good, default=math.nan),
        "response_sum_ms": math.fsum(responses) if responses else math.nan,
        "response_max_ms": max(responses, default=math.nan),
        "successes_histogram": histogram(good),
        "responses_histogram": histogram(responses),
        "failed_histogram": histogram(latencies_of(failed)),
        "unfinished_histogram": histogram(cut_off),
        "failure_kinds_histogram": dict(
            Counter(KINDS[outcome - 1] for outcome, *_ in requests if outcome > 0)
        ),
        "over_limit": [sum(ms >= limit for ms in good) for limit in LIMITS_MS],
        "response_over_limit": [sum(ms >= limit for ms in responses) for limit in response_limits_ms],
        "unfinished_over_limit": [sum(ms >= limit for ms in cut_off) for limit in LIMITS_MS],
    }


def histogram(latencies_ms: list[float]) -> dict[int, int]:
    """Return the histogram of latencies."""
    return dict(Counter(bucket_indices(np, np.array(latencies_ms)).tolist()))


def equal(found: Any, wanted: Any) -> bool:
    """Return whether two figures are the same; the order of a sum may show in its last digits."""
    if isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-9) or (math.isnan(found) and math.isnan(wanted))
    return bool(found == wanted)


@given(samples)
@example([(0, 0, NOW_S, NOW_S, -1.0, 0, 1.0)])  # no latency, so no response time either
def test_aggregate_counts_as_one_would_by_hand(told: list[tuple[Any, ...]]) -> None:
    """Whatever the requests, the rows hold what counting them one by one gives."""
    found = rows_of(aggregate(np.array(told, float), KEYS, KINDS, LIMITS_MS))
    wanted = counted_one_by_one(told)

    assert found.keys() == wanted.keys()
    for group, row in wanted.items():
        for name, figure in row.items():
            assert equal(found[group][name], figure), (group, name, found[group][name], figure)


def test_limits_are_exact() -> None:
    """100 ms is not under a limit of 100 ms; only the next number after it is over "at most 100 ms"."""
    told = [[0, 0, NOW_S, NOW_S, ms, 0, math.nan] for ms in (99.999999, 100.0, 100.0000001)]
    batch = aggregate(np.array(told), KEYS, KINDS, LIMITS_MS)

    assert batch.over_limits["over_limit"].sum(axis=0).tolist() == [2, 1, 0]


@pytest.fixture
def batch() -> IntervalBatch:
    """Return a batch of two keys with a failure and a request that was cut off."""
    told = [
        [0, 0, 100.5, 100.0, 500.0, 20, 40.0],
        [0, -1, 102.0, 99.0, 3000.0, 0, math.nan],
        [2, 2, 100.5, 100.4, 100.0, 30, 0.0],
    ]
    return aggregate(np.array(told), KEYS, KINDS, [100.0, 200.0])


def test_message(batch: IntervalBatch) -> None:
    """What Locust's messages carry, packed and unpacked, is the same batch."""
    locust_message: Any = Message
    sent = locust_message("stats", batch.to_message(), "w1").serialize()
    arrived = batch_from_message(locust_message.unserialize(sent).data)

    assert (arrived.keys, arrived.kinds) == (batch.keys, batch.kinds)
    for name, column in batch.scalars.items():
        np.testing.assert_array_equal(arrived.scalars[name], column)
    for name, histogram in batch.histograms.items():
        for found, wanted in zip(arrived.histograms[name], histogram, strict=True):
            np.testing.assert_array_equal(found, wanted)
    for name, over in batch.over_limits.items():
        np.testing.assert_array_equal(arrived.over_limits[name], over)


def test_own_tables(batch: IntervalBatch) -> None:
    """A batch names just what is in it, and needs no other batch to be understood."""
    assert batch.keys == [KEYS[0], KEYS[2]]
    assert batch.kinds == ["wrong total"]


@pytest.mark.parametrize(
    ("limits_ms", "delay_ms", "columns"),
    [
        pytest.param([], 0.0, (0, 0), id="no limits"),
        pytest.param([100.0], math.nan, (1, 0), id="no schedule, so that there are no response times"),
        pytest.param([100.0], 0.0, (1, 1), id="a schedule"),
    ],
)
def test_counts_over_limits(limits_ms: list[float], delay_ms: float, columns: tuple[int, int]) -> None:
    """What can be over a limit is counted over each of them, also after the way."""
    batch = aggregate(np.array([[0, 0, 100.5, 100.0, 500.0, 20, delay_ms]]), KEYS, KINDS, limits_ms)
    over = batch_from_message(batch.to_message()).over_limits

    assert (over["over_limit"].shape[1], over["response_over_limit"].shape[1]) == columns


def test_message_of_another_form(batch: IntervalBatch) -> None:
    """A message that lacks something is refused, not half understood."""
    message = batch.to_message()
    del message["scalars"]["failures"]

    with pytest.raises(KeyError, match="failures"):
        batch_from_message(message)


@pytest.mark.parametrize(
    ("latency_ms", "bucket"),
    [
        (0.0, 0),  # under 1 us counts as 1 us
        (0.001, 0),  # 1 us = 2^0
        (0.002, 128),  # 2 us = 2^1
        (0.003, 128 + 64),  # half-way from 2 to 4 us
        (1.024, 10 * 128),  # 1024 us = 2^10
        (1.031, 10 * 128),  # the first bucket there ends at 1024 · 129/128 = 1032 us
        (1.032, 10 * 128 + 1),
        (1e300, LAST_BUCKET),  # no latency is off the end
    ],
)
def test_bucket(latency_ms: float, bucket: int) -> None:
    """A latency falls into the bucket that the formula of the layout gives by hand."""
    assert bucket_indices(np, np.array([latency_ms])).tolist() == [bucket]


@given(st.lists(st.floats(0.001, 1e9), min_size=1, max_size=50))
def test_error_bound(latencies_ms: list[float]) -> None:
    """From 1 us to eleven days, the middle of a latency's bucket is at most 1/256 away from it."""
    latencies = np.array(latencies_ms)
    octaves, steps = np.divmod(bucket_indices(np, latencies), 128)
    middles_ms = 2.0**octaves * (1 + (steps + 0.5) / 128) / 1000

    assert (np.abs(middles_ms - latencies) <= latencies / 256 * (1 + 1e-9)).all()


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=50))
def test_order(latencies_ms: list[float]) -> None:
    """A longer latency is never in a lower bucket."""
    assert (np.diff(bucket_indices(np, np.sort(latencies_ms))) >= 0).all()
