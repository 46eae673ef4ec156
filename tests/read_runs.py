"""What a run has recorded, read without the code that judges it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

Rows = list[dict[str, Any]]


def interval_rows(directory: Path) -> Rows:
    """Return the rows of a run's intervals, up to where the file was cut off."""
    return [row for batch in _batches(directory / "intervals.arrow") for row in batch.to_pylist()]


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the whole batches of a file, none of one that is still to be written."""
    with suppress(StopIteration, OSError, pa.ArrowInvalid), pa.input_stream(path, compression="zstd") as file:
        reader = pa.ipc.open_stream(file)
        while True:
            yield reader.read_next_batch()


def totals(directory: Path) -> dict[str, list[int]]:
    """Return requests, failures and bytes by name."""
    found: dict[str, list[int]] = {}
    for row in interval_rows(directory):
        total = found.setdefault(row["name"], [0, 0, 0])
        for position, column in enumerate(("n", "failures", "bytes")):
            total[position] += row[column]
    return {name: total for name, total in found.items() if any(total)}


def locust_totals(path: Path) -> dict[str, list[int]]:
    """Return the same from Locust's own final figures, which --json-file has written."""
    return {
        entry["name"]: [entry["num_requests"], entry["num_failures"], entry["total_content_length"]]
        for entry in json.loads(path.read_text(encoding="utf-8"))
    }


def recorded_ms(rows: Rows, kind: str, histogram: str, q: float) -> float:
    """Return a percentile of the recorded histograms of requests or iterations, in ms.

    *histogram* is empty for latencies, `response_` for those from the intended start.
    """
    total = np.zeros(65536)
    for row in rows:
        if row["request_type"] == kind:
            total[row[f"{histogram}buckets"]] += row[f"{histogram}counts"]
    index = int(np.searchsorted(total.cumsum(), q * total.sum()))
    octave, within = divmod(index, 128)
    return float(2**octave * (1 + (within + 0.5) / 128) / 1000)
