"""A batch is itself again after its way from a worker to the master."""

from locust.rpc import Message

import math
from typing import Any

import numpy as np
import pytest

from plimsoll.recording.aggregate import aggregate
from plimsoll.recording.intervals import IntervalBatch, Key, batch_from_message

KEYS = [
    Key("Shopper", "GET", "home"),
    Key("Shopper", "GET", "never sent"),
    Key("Shopper", "POST", "order"),
]
KINDS = ["other", "wrong total"]


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
