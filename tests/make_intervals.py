"""Write `intervals.arrow` from requests of known truth, by its contract and not by the recorder's code."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from reports.load.interval_file import intervals_of, parted
from reports.load.run import Run
from tests.make_run import empty_run

START_S = 1_800_000_000
STARTED = "2027-01-15T08:00:00Z"
LABELS = ("worker", "request_type", "name", "user_class", "stage", "tags")
KEYS = ["started_s", "ended_s", *LABELS]
OF_A_REQUEST = ("latency_ms", "delay_ms", "failed", "unfinished", "kind")
METRICS = ["rate", "check", "counter", "gauge", "trend"]
LABEL = pa.dictionary(pa.int32(), pa.string())
BUCKETS, COUNTS = pa.list_(pa.uint16()), pa.list_(pa.uint32())
SCHEMA = pa.schema(
    [
        *((name, pa.int64()) for name in ("started_s", "ended_s")),
        *((name, LABEL) for name in LABELS),
        *((name, pa.uint32()) for name in ("n", "failures")),
        ("bytes", pa.int64()),
        *((name, pa.float64()) for name in ("sum_ms", "min_ms", "max_ms")),
        ("buckets", BUCKETS),
        ("counts", COUNTS),
        ("response_buckets", BUCKETS),
        ("response_counts", COUNTS),
        ("response_sum_ms", pa.float64()),
        ("response_max_ms", pa.float64()),
        ("response_over_limit", COUNTS),
        ("failed_buckets", BUCKETS),
        ("failed_counts", COUNTS),
        ("over_limit", COUNTS),
        ("failure_kinds", pa.list_(pa.string())),
        ("failure_counts", COUNTS),
        ("unfinished", pa.uint32()),
        ("unfinished_buckets", BUCKETS),
        ("unfinished_counts", COUNTS),
        ("unfinished_over_limit", COUNTS),
    ]
)


def requests(
    started_s: "NDArray[np.float64] | Sequence[float]",
    latency_ms: "NDArray[np.float64] | Sequence[float]",
    **columns: Any,
) -> pd.DataFrame:
    """Return requests by their start in Unix seconds and their latency; the rest as told.

    `failed` and `unfinished` are booleans; of an unfinished request the latency is its age. `delay_ms` is by
    how much the start was later than intended, NaN without a schedule; `kind` the text of a failure. With the
    type of a metric it is one of its values, which take no time.
    """
    known: dict[str, Any] = {"failed": False, "unfinished": False, "name": "a", "request_type": "GET"}
    known |= {"delay_ms": math.nan, "kind": "boom"}
    known |= {"worker": "local", "user_class": "User", "stage": "", "tags": ""} | columns
    return pd.DataFrame({"at_s": started_s, "latency_ms": latency_ms} | known)


def even(n: int, latency_ms: float = 100.0, seconds: int = 60, **columns: Any) -> pd.DataFrame:
    """Return n requests evenly over the seconds, all of one latency."""
    return requests(START_S + np.arange(n) * seconds / n, np.full(n, latency_ms), **columns)


def run_of(made: pd.DataFrame, *limits_ms: float, **meta: Any) -> Run:
    """Return the run whose recorder saw these requests and counted over these limits."""
    empty = empty_run(**{"started": STARTED, **meta})
    of_requests, iterations, own = parted(intervals_of(interval_table(made, limits_ms)))
    return replace(empty, intervals=of_requests, iterations=iterations, own=own)


def interval_table(made: pd.DataFrame, limits_ms: Sequence[float] = ()) -> pa.Table:
    """Return the rows the recorder would have written of these requests."""
    took_ms = made["latency_ms"].where(~made["request_type"].isin(METRICS), 0.0)
    made = made.assign(
        started_s=np.floor(made["at_s"]).astype(int),
        ended_s=np.floor(made["at_s"] + took_ms / 1000).astype(int),
    )
    columns = {name: made[name].to_numpy() for name in OF_A_REQUEST}
    groups: dict[Any, Any] = dict(made.groupby(KEYS).indices)
    rows = [
        _row(key, {name: values[groups[key]] for name, values in columns.items()}, limits_ms)
        for key in sorted(groups)
    ]
    return pa.Table.from_pylist(rows, schema(limits_ms))


def schema(limits_ms: Sequence[float] = (), **changes: str) -> pa.Schema:
    """Return the contract's schema with its metadata, changed as told."""
    metadata = {"schema_version": "1", "layout": "loglin128", "unit": "us"}
    return SCHEMA.with_metadata(metadata | {"limits_ms": json.dumps(list(limits_ms))} | changes)


def write_intervals(path: Path, table: pa.Table, rows_a_batch: int = 50) -> None:
    """Write a table as an Arrow IPC stream in many batches, with dictionaries that grow."""
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        for batch in table.to_batches(max_chunksize=rows_a_batch):
            own = pa.RecordBatch.from_pylist(batch.to_pylist(), table.schema)
            stream.write_batch(own)


def buckets(latency_ms: "NDArray[np.float64]") -> "NDArray[np.int64]":
    """Return the bucket of each latency, by the formula of the contract."""
    mantissa, exponent = np.frexp(np.maximum(latency_ms * 1000, 1.0))
    found = (exponent.astype(np.int64) - 1) * 128 + np.floor((mantissa - 0.5) * 256).astype(np.int64)
    return np.minimum(found, 65_535)


def _row(
    key: tuple[Any, ...], group: "dict[str, NDArray[Any]]", limits_ms: Sequence[float]
) -> dict[str, Any]:
    latency_ms, has_failed, is_cut_off = group["latency_ms"], group["failed"], group["unfinished"]
    is_good = ~is_cut_off & ~has_failed
    good, bad = latency_ms[is_good], latency_ms[~is_cut_off & has_failed]
    cut_off = latency_ms[is_cut_off]
    response = (latency_ms + group["delay_ms"])[is_good]
    response = response[~np.isnan(response)]
    kinds, failures = np.unique(group["kind"][~is_cut_off & has_failed].astype(str), return_counts=True)
    return {
        **dict(zip(KEYS, key, strict=True)),
        "n": len(good) + len(bad),
        "failures": len(bad),
        "bytes": 2 * (len(good) + len(bad)),
        "sum_ms": float(good.sum()) if len(good) else math.nan,
        "min_ms": float(good.min()) if len(good) else math.nan,
        "max_ms": float(good.max()) if len(good) else math.nan,
        **_histogram("", good),
        **_histogram("response_", response),
        "response_sum_ms": float(response.sum()) if len(response) else math.nan,
        "response_max_ms": float(response.max()) if len(response) else math.nan,
        "response_over_limit": [int((response >= limit).sum()) for limit in limits_ms]
        if len(response)
        else [],
        **_histogram("failed_", bad),
        "over_limit": [int((good >= limit).sum()) for limit in limits_ms],
        "failure_kinds": kinds.tolist(),
        "failure_counts": failures.tolist(),
        "unfinished": len(cut_off),
        **_histogram("unfinished_", cut_off),
        "unfinished_over_limit": [int((cut_off >= limit).sum()) for limit in limits_ms],
    }


def _histogram(prefix: str, latency_ms: "NDArray[np.float64]") -> dict[str, list[int]]:
    found, counts = np.unique(buckets(latency_ms), return_counts=True)
    return {f"{prefix}buckets": found.tolist(), f"{prefix}counts": counts.tolist()}
