"""The rows of intervals.arrow: as columns in a process, as a message between two, and in the file.

A batch is what one process saw in an interval; any can be read, or lost, without the others. The file has the
batches of all processes, appended as they come, never merged: one zstd stream around an Arrow IPC stream,
flushed after each record batch. 8 hours of 50 names make 140 MB, which pandas has in 2 to 4 s. Those that are
compressed one by one make 187 MB, take twice as long to write, and would repeat in full what response times
share with service times. `benchmarks/recorder_cost.py` measures it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plimsoll.run_files.intervals import (
    HISTOGRAMS,
    INTERVAL_COLUMNS,
    LABELS,
    OVER_LIMITS,
    SCALAR_TYPES,
    interval_schema,
)

Array = NDArray[Any]
Message = dict[str, Any]

# One value a row, and the number of its key.
SCALARS = {name: np.dtype(kind) for name, kind in INTERVAL_COLUMNS.items() if kind in SCALAR_TYPES}
SCALARS["key"] = np.dtype("int32")
# Each batch carries the texts that are new in it, and no more.
STREAM_OPTIONS = pa.ipc.IpcWriteOptions(use_threads=False, emit_dictionary_deltas=True)
# Any number of (value, count) a row: buckets of latencies and ages, positions in the table of failure kinds.
ROW_HISTOGRAMS = (*HISTOGRAMS, "failure_kinds")


class Key(NamedTuple):
    """The key of a series within one process; several tags are sorted and joined."""

    user_class: str
    request_type: str
    name: str
    tags: str = ""


class SparseHistogram(NamedTuple):
    """How often each value occurred in each row; row i owns offsets[i] up to offsets[i + 1]."""

    offsets: NDArray[np.int32]
    values: NDArray[np.uint16]
    counts: NDArray[np.uint32]


@dataclass(frozen=True)
class IntervalBatch:
    """Rows by (started_s, ended_s, key), with the tables of the keys and failure kinds that they point to."""

    keys: Sequence[Key]
    kinds: Sequence[str]
    scalars: Mapping[str, Array]
    histograms: Mapping[str, SparseHistogram]
    over_limits: Mapping[str, NDArray[np.uint32]]

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self.scalars["key"])

    def to_message(self) -> Message:
        """Return the batch as texts, lists and bytes, which Locust's messages can carry."""
        return {
            "keys": [list(key) for key in self.keys],
            "kinds": list(self.kinds),
            "scalars": {name: column.tobytes() for name, column in self.scalars.items()},
            "histograms": {name: [part.tobytes() for part in each] for name, each in self.histograms.items()},
            "over_limits": {name: counts.tobytes() for name, counts in self.over_limits.items()},
        }


def batch_from_message(message: Message) -> IntervalBatch:
    """Return the batch that `to_message` made this of.

    Raises:
        KeyError, ValueError, TypeError: the message is not of this form.
    """
    scalars = {name: np.frombuffer(message["scalars"][name], kind) for name, kind in SCALARS.items()}
    row_count = len(scalars["key"])
    histograms = {}
    for name in ROW_HISTOGRAMS:
        offsets, values, counts = message["histograms"][name]
        histograms[name] = SparseHistogram(
            np.frombuffer(offsets, np.int32),
            np.frombuffer(values, np.uint16),
            np.frombuffer(counts, np.uint32),
        )
    return IntervalBatch(
        keys=[Key(*key) for key in message["keys"]],
        kinds=list(message["kinds"]),
        scalars=scalars,
        histograms=histograms,
        over_limits={
            name: np.frombuffer(message["over_limits"][name], np.uint32).reshape(row_count, -1)
            for name in OVER_LIMITS
        },
    )


class IntervalFile:
    """Collects batches and writes them out as one record batch at a time."""

    def __init__(self, path: Path, limits_ms: Sequence[float]) -> None:
        self._schema = interval_schema(pa, limits_ms)
        self._texts: dict[str, dict[str, int]] = {column: {} for column in LABELS}
        self._pending: list[dict[str, Any]] = []
        self._file = pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd")
        self._writer = pa.ipc.new_stream(self._file, self._schema, options=STREAM_OPTIONS)
        self._file.flush()

    def append(
        self, batch: IntervalBatch, worker: str, stage_of: Callable[[int], str], shift_s: int = 0
    ) -> None:
        """Take a batch of *worker*, whose clock is *shift_s* behind ours; `write` puts it into the file."""
        scalars = dict(batch.scalars)
        key = scalars.pop("key")
        started_s = scalars["started_s"] = scalars["started_s"] + shift_s
        scalars["ended_s"] = scalars["ended_s"] + shift_s
        seconds, second = np.unique(started_s, return_inverse=True)
        stages = self._numbers("stage", [stage_of(each) for each in seconds.tolist()])
        texts = {
            "worker": np.repeat(self._numbers("worker", [worker]), batch.row_count),
            "stage": stages[second],
            **{
                column: self._numbers(column, [getattr(each, column) for each in batch.keys])[key]
                for column in Key._fields
            },
        }
        self._pending.append({**scalars, **texts, **_list_columns(batch)})

    def write(self) -> pa.RecordBatch | None:
        """Write what was appended since, as one batch that is with the operating system afterwards.

        Return the batch, None where nothing was appended.
        """
        if not self._pending:
            return None
        pending, self._pending = self._pending, []
        columns = []
        for field in self._schema:
            parts = [batch[field.name] for batch in pending]
            if field.name in self._texts:
                numbers = _array(np.concatenate(parts), pa.int32())
                texts = _text_array(self._texts[field.name])
                columns.append(pa.DictionaryArray.from_arrays(numbers, texts))
            elif isinstance(parts[0], pa.Array):
                columns.append(pa.concat_arrays(parts))
            else:
                columns.append(_array(np.concatenate(parts), field.type))
        written = pa.record_batch(columns, schema=self._schema)
        self._writer.write_batch(written)
        self._file.flush()
        return written

    def close(self) -> None:
        """Write what is left and mark the end of the stream."""
        self.write()
        self._writer.close()
        self._file.close()

    def _numbers(self, column: str, texts: Sequence[str]) -> NDArray[np.int32]:
        # Only ever grows, so that a batch needs to carry no more than its new texts.
        known = self._texts[column]
        return np.array([known.setdefault(text, len(known)) for text in texts], np.int32)


def _list_columns(batch: IntervalBatch) -> dict[str, pa.Array]:
    columns = {}
    for histogram_name, (buckets, counts) in HISTOGRAMS.items():
        histogram = batch.histograms[histogram_name]
        columns[buckets] = _lists(histogram.offsets, _array(histogram.values, pa.uint16()))
        columns[counts] = _lists(histogram.offsets, _array(histogram.counts, pa.uint32()))
    kinds = batch.histograms["failure_kinds"]
    columns["failure_kinds"] = _lists(kinds.offsets, _text_array([batch.kinds[n] for n in kinds.values]))
    columns["failure_counts"] = _lists(kinds.offsets, _array(kinds.counts, pa.uint32()))
    for name, over in batch.over_limits.items():
        offsets = np.arange(batch.row_count + 1) * over.shape[1]
        columns[name] = _lists(offsets, _array(over.ravel(), pa.uint32()))
    return columns


def _lists(offsets: Any, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(_array(offsets, pa.int32()), values)


# By pa.array it would be shorter; but that imports pandas, for which each process of the load would take half
# a second of CPU time and 40 MB more.
def _array(values: Any, kind: pa.DataType) -> pa.Array:
    numbers = np.ascontiguousarray(values, kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])


def _text_array(texts: Iterable[str]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))
