"""Read `intervals.arrow`, the recorder's file: an Arrow IPC stream of one record batch a second or two.

Around it is a zstd stream; an older file is a plain one of compressed batches. A tail cut off by `kill -9` is
ordinary: what was written before it is whole. The stream names its layout; another one, like a file that is
no stream at all, is left unread with a note, and the run is judged from Locust's CSVs.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from plimsoll.run_files.intervals import (
    CUSTOM_TYPES,
    HISTOGRAMS,
    INTERVAL_COLUMNS,
    INTERVALS_SCHEMA_VERSION,
    ITERATION,
    LABELS,
    LAYOUT,
)
from reports.load.histogram import Histograms
from reports.load.interval_rows import (
    COUNTS,
    KIND_COLUMNS,
    LATENCIES,
    NO_INTERVALS,
    RESPONSES,
    SECONDS,
    Intervals,
)

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LATER = (*RESPONSES, "response_over_limit", "tags")
"""Columns that older files lack: those of before the open model, and of before tags."""


def read_intervals(path: Path) -> tuple[Intervals, list[str]]:
    """Return what the recorder wrote, and what was odd about its file; a missing file is no oddity."""
    if not path.is_file():
        return NO_INTERVALS, [f"{path.name}: it is not a regular file"] if path.exists() else []
    try:
        table, notes = _table(path)
        found = intervals_of(table) if len(table) else NO_INTERVALS
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return NO_INTERVALS, [f"{path.name}: cannot be read, so Locust's CSV files are judged: {error}"]
    return found, [f"{path.name}: {note}" for note in notes]


def intervals_of(table: pa.Table) -> Intervals:
    """Return the columns of a table in the recorder's schema.

    Raises ValueError for another version, layout, or lists that do not fit together.
    """
    limits_ms = _limits_ms(table.schema.metadata or {})
    numbers = (*SECONDS, *COUNTS, *LATENCIES, *(name for name in RESPONSES if name in table.column_names))
    labels = {
        name: _labels(table[name]) if name in table.column_names else _no_labels(len(table))
        for name in LABELS
    }
    rows = pd.DataFrame({name: table[name].to_numpy() for name in numbers} | labels)
    return Intervals(
        rows=rows,
        limits_ms=limits_ms,
        over=_matrix(table["over_limit"], len(limits_ms)),
        unfinished_over=_matrix(table["unfinished_over_limit"], len(limits_ms)),
        response_over=_response_over(table, len(limits_ms)),
        kinds=_kinds(rows, *(table[name] for name in ("failure_kinds", "failure_counts"))),
        **{
            kind: _histograms(table[buckets], table[counts]) for kind, (buckets, counts) in HISTOGRAMS.items()
        },
    )


def parted(recorded: Intervals) -> tuple[Intervals, Intervals, dict[str, Intervals]]:
    """Return the requests of a recording, its iterations, and by type what the journeys measured besides."""
    types = recorded.rows["request_type"].astype(str).to_numpy()
    own = sorted(CUSTOM_TYPES & set(types))
    if not own:
        return recorded, NO_INTERVALS, {}
    kinds_of = recorded.kinds["request_type"]
    requests = replace(recorded.only(~np.isin(types, own)), kinds=recorded.kinds[~kinds_of.isin(own)])
    parts = {
        each: replace(recorded.only(types == each), kinds=recorded.kinds[kinds_of == each]) for each in own
    }
    return requests, parts.pop(ITERATION, NO_INTERVALS), parts


def _table(path: Path) -> tuple[pa.Table, list[str]]:
    with _opened(path) as source:
        schema = pa.ipc.open_stream(source).schema
    missing = [name for name in INTERVAL_COLUMNS if name not in (*schema.names, *LATER)]
    if missing:
        raise ValueError(f"it lacks the columns {', '.join(missing)}")
    wanted = [schema.get_field_index(name) for name in INTERVAL_COLUMNS if name in schema.names]
    # Threads cost more than they save on batches this small: 6 s against 3 s for 8 hours of 50 names.
    options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
    notes: list[str] = []
    with _opened(path) as source:
        reader = pa.ipc.open_stream(source, options=options)
        table = pa.Table.from_batches(_batches(reader, notes), reader.schema)
    whole = table.unify_dictionaries().combine_chunks()
    whole.validate(full=True)
    return whole, notes


def _opened(path: Path) -> pa.NativeFile:
    """Return the Arrow stream of a file, uncompressed where it is compressed as a whole."""
    with path.open("rb") as file:
        is_compressed = file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC
    return pa.input_stream(str(path), compression="zstd" if is_compressed else None)


def _batches(reader: pa.RecordBatchReader, notes: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield whole batches up to the end or the first that is not, which is noted."""
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException):
            notes.append("its end is cut off: the last second or two are lost")
            return


def _limits_ms(metadata: dict[bytes, bytes]) -> tuple[float, ...]:
    version, layout = (metadata.get(key, b"").decode() for key in (b"schema_version", b"layout"))
    known = (INTERVALS_SCHEMA_VERSION, LAYOUT)
    if (version, layout) != known:
        raise ValueError(
            f"schema {version!r} with layout {layout!r}, known is {known[0]!r} with {known[1]!r}"
        )
    return tuple(float(limit) for limit in json.loads(metadata.get(b"limits_ms", b"[]")))


def _labels(column: pa.ChunkedArray) -> "pd.Categorical[str]":
    whole = _one_chunk(column)
    labels: pd.Index[str] = pd.Index(np.array(whole.dictionary.to_pylist(), dtype=object))
    return pd.Categorical.from_codes(whole.indices.to_numpy(), labels)


def _no_labels(count: int) -> "pd.Categorical[str]":
    return pd.Categorical.from_codes(np.zeros(count, dtype=np.int8), pd.Index([""], dtype=object))


def _histograms(buckets: pa.ChunkedArray, counts: pa.ChunkedArray) -> Histograms:
    starts, (bucket, count) = _starts(buckets), (_values(column) for column in (buckets, counts))
    if not np.array_equal(starts, _starts(counts)):
        raise ValueError("a histogram has more buckets than counts, or fewer")
    return Histograms(starts, bucket.astype(np.uint16, copy=False), count.astype(np.uint32, copy=False))


def _matrix(column: pa.ChunkedArray, limits: int) -> NDArray[np.float64]:
    if (np.diff(_starts(column)) != limits).any():
        raise ValueError(f"a row does not count over each of the {limits} limits")
    return _values(column).astype(np.float64).reshape(len(column), limits)


def _response_over(table: pa.Table, limits: int) -> NDArray[np.float64]:
    """Return the counts over the limits, 0 in the rows that have no response times."""
    over = np.zeros((len(table), limits))
    if "response_over_limit" not in table.column_names:
        return over
    column = table["response_over_limit"]
    sizes = np.diff(_starts(column))
    if not np.isin(sizes, (0, limits)).all():
        raise ValueError(f"a row does not count over each of the {limits} limits")
    over[sizes > 0] = _values(column).astype(np.float64).reshape(-1, limits) if limits else 0.0
    return over


def _kinds(rows: pd.DataFrame, kinds: pa.ChunkedArray, counts: pa.ChunkedArray) -> pd.DataFrame:
    starts = _starts(kinds)
    if not np.array_equal(starts, _starts(counts)):
        raise ValueError("a row has more kinds of failures than counts, or fewer")
    row = np.repeat(np.arange(len(rows)), np.diff(starts))
    columns = {name: rows[name].array[row] for name in KIND_COLUMNS[:3]}
    return pd.DataFrame({**columns, "kind": _one_chunk(kinds).flatten().to_pylist(), "n": _values(counts)})


def _starts(column: pa.ChunkedArray) -> NDArray[np.int64]:
    offsets = _one_chunk(column).offsets.to_numpy().astype(np.int64)
    starts: NDArray[np.int64] = offsets - offsets[0]
    return starts


def _values(column: pa.ChunkedArray) -> NDArray[np.generic]:
    values: NDArray[np.generic] = _one_chunk(column).flatten().to_numpy()
    return values


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
