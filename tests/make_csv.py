"""Runs as Locust's own CSV files tell them, made of requests of known truth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.load.run import (
    AGGREGATED,
    EXCEPTION_COLUMNS,
    FAILURE_COLUMNS,
    HISTORY_COLUMNS,
    REQUEST_COLUMNS,
    STAGE_COLUMNS,
    Run,
    RunMeta,
    empty_frame,
)

START_S = 1_800_000_000
DEMO_START_S = 1_795_220_490  # of the run that the renderers show
LEVELS = (50, 66, 75, 80, 90, 95, 98, 99, 99.9, 99.99)


def history_rows(kind: str, name: str, n: Iterable[float], **columns: Any) -> pd.DataFrame:
    """Return history rows of one request, one a second from the start; `n` is cumulative."""
    counts = np.array(list(n), dtype=float)
    rows = len(counts)
    values: dict[str, Any] = {
        "unix_s": DEMO_START_S + np.arange(rows),
        "users": 0.0,
        "request_type": pd.Series(kind, index=range(rows), dtype=object),
        "name": pd.Series(name, index=range(rows), dtype=object),
        "n": counts,
        "failures": 0.0,
        "mean_ms": 20.0,
        "rps": 0.0,
        "p50_ms": 10.0,
        "p95_ms": 40.0,
        "p99_ms": 90.0,
    }
    told = values | columns
    return pd.DataFrame({column: told[column] for column in HISTORY_COLUMNS}, index=range(rows))


def empty_run(**meta: Any) -> Run:
    """Return a run of which nothing but its name is known."""
    return Run(
        RunMeta(id="empty", **meta),
        empty_frame(REQUEST_COLUMNS),
        empty_frame(REQUEST_COLUMNS),
        empty_frame(HISTORY_COLUMNS),
        empty_frame(FAILURE_COLUMNS),
        empty_frame(EXCEPTION_COLUMNS),
        empty_frame(STAGE_COLUMNS),
    )


@dataclass(frozen=True)
class Samples:
    """Hold requests of one name: seconds since the start, latency, and whether each failed."""

    at_s: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    failed: NDArray[np.bool_]


def samples(n: int, latency_ms: float = 100.0, *, failures: int = 0, duration_s: float = 60.0) -> Samples:
    """Return n requests evenly over the duration, all of one latency, with failures evenly among them."""
    failed = np.zeros(n, dtype=bool)
    failed[np.linspace(0, n - 1, failures).astype(int)] = True
    return Samples(np.linspace(0, duration_s, n), np.full(n, latency_ms), failed)


def csv_run(
    samples: Mapping[str, Samples],
    *,
    duration_s: int = 60,
    meta: RunMeta | None = None,
    stages: pd.DataFrame | None = None,
) -> Run:
    """Return the run whose statistics and history are those of the samples."""
    everything = _together(list(samples.values()))
    rows = [_row("GET", name, sample, duration_s) for name, sample in samples.items()]
    total = _row("", AGGREGATED, everything, duration_s)
    histories = [_history("", AGGREGATED, everything, duration_s)]
    histories += [_history("GET", name, sample, duration_s) for name, sample in samples.items()]
    columns = [*REQUEST_COLUMNS, *(f"p{level}_ms" for level in LEVELS)]
    return replace(
        empty_run(),
        meta=meta or RunMeta("test"),
        requests=pd.DataFrame(rows, columns=columns),
        total=pd.DataFrame([total], columns=columns),
        history=pd.concat(histories).sort_values("unix_s", kind="stable", ignore_index=True),
        stages=empty_run().stages if stages is None else stages,
    )


def _together(samples: list[Samples]) -> Samples:
    return Samples(
        *(
            np.concatenate([getattr(sample, field) for sample in samples] or [np.array([])])
            for field in ("at_s", "latency_ms", "failed")
        )
    )


def _row(request_type: str, name: str, sample: Samples, duration_s: int) -> dict[str, object]:
    n = len(sample.at_s)
    known = n > 0
    row: dict[str, object] = {
        "request_type": request_type,
        "name": name,
        "n": float(n),
        "failures": float(sample.failed.sum()),
        "mean_ms": sample.latency_ms.mean() if known else 0.0,
        "min_ms": sample.latency_ms.min() if known else 0.0,
        "max_ms": sample.latency_ms.max() if known else 0.0,
        "mean_bytes": 2.0,
        "rps": n / duration_s,
    }
    rounded = np.sort(_bucketed(sample.latency_ms))
    for level in LEVELS:
        row[f"p{level}_ms"] = rounded[min(int(n * level / 100), n - 1)] if known else np.nan
    return row


def _bucketed(latency_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round as Locust does: to 1 ms below 100 ms, 10 ms below 1 s, 100 ms below 10 s, then to 1 s."""
    step = np.select([latency_ms < 100, latency_ms < 1000, latency_ms < 10_000], [1.0, 10.0, 100.0], 1000.0)
    rounded: NDArray[np.float64] = np.round(latency_ms / step) * step
    return rounded


def _history(request_type: str, name: str, sample: Samples, duration_s: int) -> pd.DataFrame:
    seconds = np.arange(duration_s + 1)
    order = np.argsort(sample.at_s, kind="stable")
    seen = np.searchsorted(sample.at_s[order], seconds, side="right")
    failures = np.concatenate(([0], np.cumsum(sample.failed[order])))[seen]
    latency_ms = np.concatenate(([0.0], np.cumsum(sample.latency_ms[order])))[seen]
    unknown = dict.fromkeys(("rps", "p50_ms", "p95_ms", "p99_ms"), np.nan)
    return history_rows(
        request_type,
        name,
        seen,
        unix_s=(START_S + seconds).astype(float),
        users=10.0,
        failures=failures.astype(float),
        mean_ms=latency_ms / np.maximum(seen, 1),
        **unknown,
    )
