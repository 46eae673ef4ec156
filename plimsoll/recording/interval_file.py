"""intervals.arrow: the blocks of all generator processes, appended as they come, never merged.

One zstd stream around an Arrow IPC stream, flushed after each batch. 8 hours of 50 names make 140 MB, which
pandas has in 2 to 4 s. Batches that are compressed one by one make 187 MB, take twice as long to write, and
would repeat in full what response times share with service times. `benchmarks/recorder_cost.py` measures it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plimsoll.recording.interval_block import IntervalBlock, Key
from plimsoll.run_files.intervals import HISTOGRAMS, LABELS, interval_schema


class IntervalFile:
    """Collects blocks and writes them out as one record batch at a time."""

    def __init__(self, path: Path, limits_ms: Sequence[float]) -> None:
        self._schema = interval_schema(pa, limits_ms)
        self._texts: dict[str, dict[str, int]] = {column: {} for column in LABELS}
        self._pending: list[dict[str, Any]] = []
        self._file = pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd")
        options = pa.ipc.IpcWriteOptions(use_threads=False, emit_dictionary_deltas=True)
        self._writer = pa.ipc.new_stream(self._file, self._schema, options=options)
        self._file.flush()

    def append(
        self, block: IntervalBlock, worker: str, stage_of: Callable[[int], str], shift_s: int = 0
    ) -> None:
        """Take a block of *worker*, whose clock is *shift_s* behind ours; `write` puts it into the file."""
        scalars = dict(block.scalars)
        key = scalars.pop("key")
        started_s = scalars["started_s"] = scalars["started_s"] + shift_s
        scalars["ended_s"] = scalars["ended_s"] + shift_s
        texts = {
            "worker": np.full(block.row_count, self._number("worker", worker), np.int32),
            "stage": self._stages(started_s, stage_of),
            **{
                column: self._numbers(column, [getattr(each, column) for each in block.keys])[key]
                for column in Key._fields
            },
        }
        self._pending.append({**scalars, **texts, **_list_columns(block)})

    def write(self) -> None:
        """Write what was appended since, as one batch that is with the operating system afterwards."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        columns = [self._column(name, [part[name] for part in pending]) for name in self._schema.names]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
        self._file.flush()

    def close(self) -> None:
        """Write what is left and mark the end of the stream."""
        self.write()
        self._writer.close()
        self._file.close()

    def _column(self, name: str, parts: Sequence[Any]) -> pa.Array:
        if name in self._texts:
            numbers = _array(np.concatenate(parts), pa.int32())
            return pa.DictionaryArray.from_arrays(numbers, _text_array(self._texts[name]))
        if isinstance(parts[0], pa.Array):
            return pa.concat_arrays(parts)
        return _array(np.concatenate(parts), self._schema.field(name).type)

    def _stages(self, started_s: Any, stage_of: Callable[[int], str]) -> Any:
        seconds, second = np.unique(started_s, return_inverse=True)
        return self._numbers("stage", [stage_of(each) for each in seconds.tolist()])[second]

    def _numbers(self, column: str, texts: Sequence[str]) -> Any:
        return np.array([self._number(column, text) for text in texts], np.int32)

    def _number(self, column: str, text: str) -> int:
        # Only ever grows, so that a batch needs to carry no more than its new texts.
        known = self._texts[column]
        return known.setdefault(text, len(known))


def _list_columns(block: IntervalBlock) -> dict[str, pa.Array]:
    columns = {}
    for tally_name, (buckets, counts) in HISTOGRAMS.items():
        tally = block.tallies[tally_name]
        columns[buckets] = _lists(tally.offsets, _array(tally.values, pa.uint16()))
        columns[counts] = _lists(tally.offsets, _array(tally.counts, pa.uint32()))
    kinds = block.tallies["failure_kinds"]
    columns["failure_kinds"] = _lists(kinds.offsets, _text_array([block.kinds[n] for n in kinds.values]))
    columns["failure_counts"] = _lists(kinds.offsets, _array(kinds.counts, pa.uint32()))
    for name, over in block.over_limits.items():
        offsets = np.arange(block.row_count + 1) * over.shape[1]
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
