"""Runs as recorded, made of requests of known truth, by the contract but not by the recorder's code."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from plimsoll.run_files.intervals import LABELS, METRIC_TYPES, bucket_indices, interval_schema
from reports.load.interval_file import intervals_of, parted
from reports.load.run import HEALTH_COLUMNS, STAGE_COLUMNS, Arrivals, Run, Stage
from tests.make_csv import START_S, empty_run

STARTED = "2027-01-15T08:00:00Z"
OF_A_REQUEST = ("latency_ms", "delay_ms", "failed", "unfinished", "kind")


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


def recorded(made: pd.DataFrame, *limits_ms: float, **meta: Any) -> Run:
    """Return the run whose recorder saw these requests and counted over these limits."""
    empty = empty_run(**{"started": STARTED, **meta})
    of_requests, iterations, custom = parted(intervals_of(interval_table(made, limits_ms)))
    return replace(empty, intervals=of_requests, iterations=iterations, custom=custom)


def interval_table(made: pd.DataFrame, limits_ms: Sequence[float] = ()) -> pa.Table:
    """Return the rows the recorder would have written of these requests."""
    took_ms = made["latency_ms"].where(~made["request_type"].isin(METRIC_TYPES), 0.0)
    keys = {
        "started_s": np.floor(made["at_s"].to_numpy()).astype(int),
        "ended_s": np.floor((made["at_s"] + took_ms / 1000).to_numpy()).astype(int),
        **{name: made[name].to_numpy(dtype=object) for name in LABELS},
    }
    row, first = _rows(list(keys.values()))
    told = {name: made[name].to_numpy() for name in OF_A_REQUEST}
    columns = {name: pa.array(values[first].tolist()) for name, values in keys.items()}
    columns |= {name: columns[name].dictionary_encode() for name in LABELS}
    columns |= _figures(told, row, len(first), limits_ms)
    schema = interval_schema(pa, limits_ms)
    return pa.Table.from_arrays([columns[field.name].cast(field.type) for field in schema], schema=schema)


def write_intervals(path: Path, table: pa.Table, rows_a_batch: int = 50) -> None:
    """Write a table as an Arrow IPC stream in many batches, with dictionaries that grow."""
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        for batch in table.to_batches(max_chunksize=rows_a_batch):
            own = pa.RecordBatch.from_pylist(batch.to_pylist(), table.schema)
            stream.write_batch(own)


def _rows(keys: "list[NDArray[Any]]") -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Return into which row each request goes, in the order of its keys, and the first request of each."""
    code = np.zeros(len(keys[0]), dtype=np.int64)
    for values in keys:
        distinct, position = np.unique(values, return_inverse=True)
        code = code * len(distinct) + position
    _, first, row = np.unique(code, return_index=True, return_inverse=True)
    return row, first


@dataclass(frozen=True)
class _Some:
    """Hold some of the requests: into which of `rows` rows each goes, and its latency."""

    row: "NDArray[np.int64]"
    latency_ms: "NDArray[np.float64]"
    rows: int

    @property
    def n(self) -> "NDArray[np.int64]":
        """Return how many there are in each row."""
        return np.bincount(self.row, minlength=self.rows)

    def histogram(self, prefix: str) -> dict[str, pa.Array]:
        """Return the two columns of their histogram."""
        found, counts = np.unique(self.row * 2**16 + bucket_indices(np, self.latency_ms), return_counts=True)
        starts = np.searchsorted(found // 2**16, np.arange(self.rows + 1))
        return {f"{prefix}buckets": _lists(starts, found % 2**16), f"{prefix}counts": _lists(starts, counts)}

    def sum_ms(self) -> "NDArray[np.float64]":
        """Return the sum of each row, NaN where there is none."""
        return np.where(self.n, np.bincount(self.row, self.latency_ms, self.rows), math.nan)

    def extreme_ms(self, of: np.ufunc) -> "NDArray[np.float64]":
        """Return the least or most of each row, NaN where there is none."""
        found = np.full(self.rows, math.nan)
        # Of a number and NaN fmin and fmax return the number.
        of.at(found, self.row, self.latency_ms)
        return found

    def over(self, limits_ms: Sequence[float], is_told: "NDArray[np.bool_]") -> pa.Array:
        """Return how many are at or over each limit, an empty list where it is not told."""
        over = [
            np.bincount(self.row, self.latency_ms >= limit, self.rows)[is_told].astype(int)
            for limit in limits_ms
        ]
        starts = np.concatenate(([0], np.cumsum(is_told))) * len(limits_ms)
        return _lists(starts, np.ravel(over, order="F").astype(int))


def _figures(
    told: "dict[str, NDArray[Any]]", row: "NDArray[np.int64]", rows: int, limits_ms: Sequence[float]
) -> dict[str, pa.Array]:
    is_cut_off, latency_ms = told["unfinished"].astype(bool), told["latency_ms"]
    has_failed = ~is_cut_off & told["failed"].astype(bool)
    is_good, response_ms = ~is_cut_off & ~has_failed, latency_ms + told["delay_ms"]
    is_timed, always = is_good & ~np.isnan(response_ms), np.ones(rows, dtype=bool)
    good, bad, cut_off = (_Some(row[c], latency_ms[c], rows) for c in (is_good, has_failed, is_cut_off))
    response = _Some(row[is_timed], response_ms[is_timed], rows)
    return {
        "n": pa.array(good.n + bad.n),
        "failures": pa.array(bad.n),
        "bytes": pa.array(2 * (good.n + bad.n)),
        "sum_ms": pa.array(good.sum_ms()),
        "min_ms": pa.array(good.extreme_ms(np.fmin)),
        "max_ms": pa.array(good.extreme_ms(np.fmax)),
        **good.histogram(""),
        **response.histogram("response_"),
        "response_sum_ms": pa.array(response.sum_ms()),
        "response_max_ms": pa.array(response.extreme_ms(np.fmax)),
        "response_over_limit": response.over(limits_ms, response.n > 0),
        **bad.histogram("failed_"),
        "over_limit": good.over(limits_ms, always),
        **_kinds(bad, told["kind"][has_failed]),
        "unfinished": pa.array(cut_off.n),
        **cut_off.histogram("unfinished_"),
        "unfinished_over_limit": cut_off.over(limits_ms, always),
    }


def _kinds(bad: _Some, kinds: "NDArray[Any]") -> dict[str, pa.Array]:
    names, kind = np.unique(kinds.astype(str), return_inverse=True)
    found, counts = np.unique(bad.row * 2**16 + kind, return_counts=True)
    starts = np.searchsorted(found // 2**16, np.arange(bad.rows + 1))
    return {"failure_kinds": _lists(starts, names[found % 2**16]), "failure_counts": _lists(starts, counts)}


def _lists(starts: "NDArray[np.int64]", values: "NDArray[Any]") -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(values.tolist()))


HOLD = (Stage("hold", 0, 60, 10, 10),)
OPEN: dict[str, Any] = {"load_model": "open", "stages": HOLD, "arrivals": Arrivals(600, "even")}


def open_health(started: float = 10.0, late: float = 0.0, dropped: float = 0.0) -> pd.DataFrame:
    """Return health.csv of a minute in which so many iterations were started, late and dropped a second."""
    columns = {
        "unix_s": START_S + 1.0 + np.arange(60),
        "process": "local",
        "in_flight": 1.0,
        "lag_max_ms": 0.0,
    }
    rates = {"started": started, "late": late, "dropped": dropped}
    counted = {key: np.diff(np.floor(rate * np.arange(61) + 1e-9)) for key, rate in rates.items()}
    return pd.DataFrame(columns | counted).reindex(columns=list(HEALTH_COLUMNS))


def open_schedule(rate: float = 10.0) -> pd.DataFrame:
    """Return schedule.csv of a minute with so many planned arrivals a second, and users added as needed."""
    seconds = np.arange(61, dtype=float)
    columns = {"unix_s": START_S + seconds, "elapsed_s": seconds, "stage": "hold", "planned_rate": rate}
    return pd.DataFrame(columns | {"users": 20.0}).reindex(columns=list(STAGE_COLUMNS))


def open_run(*parts: pd.DataFrame, limits: tuple[float, ...] = (500.0,), **counted: float) -> Run:
    """Return a minute of 10 arrivals a second that made these requests."""
    run = recorded(pd.concat(parts), *limits, **OPEN)
    return replace(run, health=open_health(**counted), stages=open_schedule())
