"""intervals.arrow: its columns, the buckets of its histograms, and the types of rows that are no requests.

The libraries that write and read it are handed in, as this package imports none.
"""

import json
from collections.abc import Iterable
from types import ModuleType
from typing import Any

INTERVALS_SCHEMA_VERSION = "1"

# Rows by seconds of start and end, and by labels. Latencies are of successes, NaN where a row has none; those
# of responses count from the intended start, and are there where a schedule tells one. The columns with
# over_limit have a count for each declared limit.
SCALAR_TYPES = frozenset({"int64", "uint32", "float64"})
LABEL = "dictionary<string>"
_BUCKETS, _COUNTS = "list<uint16>", "list<uint32>"
INTERVAL_COLUMNS = {
    "started_s": "int64",
    "ended_s": "int64",
    "worker": LABEL,
    "request_type": LABEL,
    "name": LABEL,
    "user_class": LABEL,
    "tags": LABEL,
    "stage": LABEL,
    "n": "uint32",
    "failures": "uint32",
    "bytes": "int64",
    "sum_ms": "float64",
    "min_ms": "float64",
    "max_ms": "float64",
    "buckets": _BUCKETS,
    "counts": _COUNTS,
    "response_buckets": _BUCKETS,
    "response_counts": _COUNTS,
    "response_sum_ms": "float64",
    "response_max_ms": "float64",
    "response_over_limit": _COUNTS,
    "failed_buckets": _BUCKETS,
    "failed_counts": _COUNTS,
    "over_limit": _COUNTS,
    "failure_kinds": "list<string>",
    "failure_counts": _COUNTS,
    "unfinished": "uint32",
    "unfinished_buckets": _BUCKETS,
    "unfinished_counts": _COUNTS,
    "unfinished_over_limit": _COUNTS,
}
LABELS = tuple(name for name, kind in INTERVAL_COLUMNS.items() if kind == LABEL)
OVER_LIMITS = tuple(name for name in INTERVAL_COLUMNS if name.endswith("over_limit"))
# Histograms by what they are of; the unfinished are those cut off in flight, by their ages.
HISTOGRAMS = {
    "successes": ("buckets", "counts"),
    "responses": ("response_buckets", "response_counts"),
    "failed": ("failed_buckets", "failed_counts"),
    "unfinished": ("unfinished_buckets", "unfinished_counts"),
}
TAG_SEPARATOR = ","

# The types of what is no request. BUSY is of the requests in transactions, without think time.
ITERATION, TRANSACTION, BUSY = "iteration", "transaction", "transaction_busy"
METRIC_TYPES = RATE, CHECK, COUNTER, GAUGE, TREND = ("rate", "check", "counter", "gauge", "trend")
SHARE_TYPES = frozenset({RATE, CHECK})
"""Of their values, 1 or 0, those that are 1."""
CUSTOM_TYPES = frozenset({ITERATION, TRANSACTION, BUSY, *METRIC_TYPES})
VALUE_SCALE = 1e6
"""Values of gauges and trends are multiplied by it, in the place of ms: the first bucket ends at 0.001."""

BUCKETS_PER_OCTAVE = 128
LAST_BUCKET = 65_535
LAYOUT = f"loglin{BUCKETS_PER_OCTAVE}"
UNIT = "us"
US_PER_MS = 1000.0


def interval_schema(pyarrow: ModuleType, limits_ms: Iterable[float]) -> Any:
    """Return the Arrow schema of a file that counts over these limits."""
    types = {LABEL: pyarrow.dictionary(pyarrow.int32(), pyarrow.string())}
    for kind in set(INTERVAL_COLUMNS.values()) - types.keys():
        of_items = kind.removeprefix("list<").removesuffix(">")
        scalar = pyarrow.type_for_alias(of_items)
        types[kind] = scalar if kind == of_items else pyarrow.list_(scalar)
    metadata = {
        "schema_version": INTERVALS_SCHEMA_VERSION,
        "layout": LAYOUT,
        "unit": UNIT,
        "limits_ms": json.dumps(list(limits_ms)),
    }
    return pyarrow.schema({name: types[kind] for name, kind in INTERVAL_COLUMNS.items()}, metadata)


def bucket_indices(numpy: ModuleType, latencies_ms: Any) -> Any:
    """Return the bucket of each latency: finite milliseconds, 0 or more.

    With v = max(latency_us, 1) = m·2^e and 0.5 <= m < 1 the bucket is (e - 1)·128 + floor((m - 0.5)·256).
    """
    mantissas, exponents = numpy.frexp(numpy.maximum(latencies_ms * US_PER_MS, 1.0))
    within_octave = ((mantissas - 0.5) * (2 * BUCKETS_PER_OCTAVE)).astype(numpy.int64)
    indices = (exponents.astype(numpy.int64) - 1) * BUCKETS_PER_OCTAVE + within_octave
    return numpy.minimum(indices, LAST_BUCKET)


def bucket_bounds_ms(numpy: ModuleType, indices: Any) -> Any:
    """Return where each bucket begins, which is where the one before it ends.

    Bucket i begins at 2^(i // 128) · (1 + (i % 128) / 128) us, so that its middle is at most 1/256 = 0.39 %
    away from any latency in it.
    """
    octaves, steps = numpy.divmod(numpy.asarray(indices, dtype=numpy.int64), BUCKETS_PER_OCTAVE)
    return numpy.ldexp(1 + steps / BUCKETS_PER_OCTAVE, octaves.astype(numpy.int32)) / US_PER_MS
