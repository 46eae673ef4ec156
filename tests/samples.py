"""Make the tables Locust would have written from requests whose truth is known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.load.run import AGGREGATED, REQUEST_COLUMNS, Run, RunMeta
from tests.make_run import empty_run, history_rows

START_UNIX_S = 1_800_000_000
LEVELS = (50, 66, 75, 80, 90, 95, 98, 99, 99.9, 99.99)


@dataclass(frozen=True)
class Samples:
    """Hold requests of one name: seconds since the start, latency, and whether each failed."""

    at_s: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    failed: NDArray[np.bool_]


def even(n: int, latency_ms: float = 100.0, *, failures: int = 0, duration_s: float = 60.0) -> Samples:
    """Return n requests evenly over the duration, all of one latency, with failures evenly among them."""
    failed = np.zeros(n, dtype=bool)
    failed[np.linspace(0, n - 1, failures).astype(int)] = True
    return Samples(np.linspace(0, duration_s, n), np.full(n, latency_ms), failed)


def run_of(
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
        unix_s=(START_UNIX_S + seconds).astype(float),
        users=10.0,
        failures=failures.astype(float),
        mean_ms=latency_ms / np.maximum(seen, 1),
        **unknown,
    )
