"""The log-linear bucket layout "loglin128" of every recorded latency: 128 buckets between powers of two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LAYOUT = "loglin128"
UNIT = "us"
LAST_BUCKET = 65535
_PER_OCTAVE = 128


def bucket_indices(latencies_ms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bucket of each latency: finite milliseconds, 0 or more.

    With v = max(latency_us, 1) = m·2^e and 0.5 <= m < 1 the bucket is (e - 1)·128 + floor((m - 0.5)·256).
    Bucket i begins at 2^(i // 128) · (1 + (i % 128) / 128) us and ends where the next begins, so that its
    middle is at most 1/256 = 0.39 % away from any latency in it.
    """
    mantissas, exponents = np.frexp(np.maximum(latencies_ms * 1000.0, 1.0))
    within_octave = ((mantissas - 0.5) * (2 * _PER_OCTAVE)).astype(np.int64)
    indices: NDArray[np.int64] = (exponents.astype(np.int64) - 1) * _PER_OCTAVE + within_octave
    return np.minimum(indices, LAST_BUCKET)
