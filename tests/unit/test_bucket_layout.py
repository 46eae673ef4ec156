"""The buckets of the recorder are those of the layout "loglin128", whoever reads them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.run_files.intervals import LAST_BUCKET, bucket_indices


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
