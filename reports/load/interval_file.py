"""Read `intervals.arrow`, the recorder's file: an Arrow IPC stream of one record batch a second or two.

Around it is a zstd stream; an older file is a plain one of compressed batches. A tail cut off by `kill -9` is
ordinary: what was written before it is whole. The stream names its layout; another one, like a file that is
no stream at all, is left unread with a note, and the run is judged from Locust's CSVs.
"""

import json
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
    OVER_LIMITS,
)
from reports.load.intervals import (
    COUNTS,
    ERROR_COLUMNS,
    LATENCIES,
    NO_INTERVALS,
    RESPONSES,
    SECONDS,
    Histograms,
    Intervals,
)

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BATCHES_A_TABLE = 500
LATER = (*RESPONSES, "response_over_limit", "tags")
"""Columns that older files lack: those of before the open model, and of before tags."""


def read_intervals(path: Path) -> tuple[Intervals, list[str]]:
    """Return what the recorder wrote, and what was odd about its file; a missing file is no oddity."""
    if not path.is_file():
        return NO_INTERVALS, [f"{path.name}: it is not a regular file"] if path.exists() else []
    tables, batches, notes, unread = (
        [],
        [],
        [],
        f"{path.name}: cannot be read, so Locust's CSV files are judged",
    )
    try:
        # What is freed goes back to the operating system at once; Arrow's own pool would keep it.
        pa.set_memory_pool(pa.system_memory_pool())
        with _opened(path) as source:
            schema = pa.ipc.open_stream(source).schema
        missing = [name for name in INTERVAL_COLUMNS if name not in (*schema.names, *LATER)]
        if missing:
            return NO_INTERVALS, [f"{unread}: it lacks the columns {', '.join(missing)}"]
        wanted = [schema.get_field_index(name) for name in INTERVAL_COLUMNS if name in schema.names]
        # Threads cost more than they save on batches this small: 6 s against 3 s for 8 hours of 50 names.
        options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
        with _opened(path) as source:
            reader = pa.ipc.open_stream(source, options=options)
            try:
                while True:
                    batches.append(reader.read_next_batch())
                    if len(batches) == BATCHES_A_TABLE:
                        tables.append(_joined(batches, reader.schema))
                        batches = []
            except StopIteration:
                pass
            except (OSError, pa.ArrowException):
                notes.append(f"{path.name}: its end is cut off: the last second or two are lost")
        tables.append(_joined(batches, reader.schema))
        tables = batches = [pa.concat_tables(tables).unify_dictionaries()]
        tables[0].validate(full=True)
        # Without another reference to it, the table becomes smaller as its columns are taken.
        found = intervals_of(tables.pop()) if len(tables[0]) else NO_INTERVALS
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return NO_INTERVALS, [f"{unread}: {error}"]
    return found, notes


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Return batches as one, so that each column has memory of its own."""
    return pa.Table.from_batches(batches, schema).unify_dictionaries().combine_chunks()


def intervals_of(table: pa.Table) -> Intervals:
    """Return the columns of a table in the recorder's schema.

    Raises ValueError for another version, layout, or lists that do not fit together.
    """
    metadata = table.schema.metadata or {}
    version, layout = (metadata.get(key, b"").decode() for key in (b"schema_version", b"layout"))
    if (version, layout) != (INTERVALS_SCHEMA_VERSION, LAYOUT):
        raise ValueError(
            f"schema {version!r} with layout {layout!r},"
            f" known is {INTERVALS_SCHEMA_VERSION!r} with {LAYOUT!r}"
        )
    limits_ms = tuple(float(limit) for limit in json.loads(metadata.get(b"limits_ms", b"[]")))
    n, left = len(table), {name: table[name] for name in table.column_names}
    del table
    columns = {
        name: left.pop(name).to_numpy()
        for name in (*SECONDS, *COUNTS, *LATENCIES, *RESPONSES)
        if name not in RESPONSES or name in left
    }
    for name in LABELS:
        code, labels = np.zeros(n, dtype=np.int8), [""]
        if name in left:
            labeled = _one_chunk(left.pop(name))
            code, labels = labeled.indices.to_numpy(), labeled.dictionary.to_pylist()
        columns[name] = pd.Categorical.from_codes(code, pd.Index(np.array(labels, dtype=object)))
    rows, kinds, counts = (
        pd.DataFrame(columns, copy=False),
        left.pop("failure_kinds"),
        left.pop("failure_counts"),
    )
    failed = np.repeat(np.arange(len(rows)), np.diff(_starts(kinds, counts)))
    errors = {name: rows[name].array[failed] for name in ERROR_COLUMNS[:3]}
    errors |= {"error": _one_chunk(kinds).flatten().to_pylist(), "n": _values(counts)}
    over = {name: _over(left.pop(name, None), name, n, len(limits_ms)) for name in OVER_LIMITS}
    return Intervals(
        rows=rows,
        limits_ms=limits_ms,
        over=over["over_limit"],
        unfinished_over=over["unfinished_over_limit"],
        response_over=over["response_over_limit"],
        errors=pd.DataFrame(errors),
        **{
            kind: _histograms(left.pop(buckets), left.pop(counts))
            for kind, (buckets, counts) in HISTOGRAMS.items()
        },
    )


def _histograms(buckets: pa.ChunkedArray, counts: pa.ChunkedArray) -> Histograms:
    return Histograms(
        _starts(buckets, counts),
        _values(buckets).astype(np.uint16, copy=False),
        _values(counts).astype(np.uint32, copy=False),
    )


def parted(recorded: Intervals) -> tuple[Intervals, Intervals, dict[str, Intervals]]:
    """Return the requests of a recording, its iterations, and by type its transactions and metrics."""
    types = recorded.rows["request_type"].astype(str).to_numpy()
    custom = sorted(CUSTOM_TYPES & set(types))
    if not custom:
        return recorded, NO_INTERVALS, {}
    errors, failed_types = recorded.errors, recorded.errors["request_type"]
    requests = replace(recorded.only(~np.isin(types, custom)), errors=errors[~failed_types.isin(custom)])
    parts = {
        each: replace(recorded.only(types == each), errors=errors[failed_types == each]) for each in custom
    }
    return requests, parts.pop(ITERATION, NO_INTERVALS), parts


def _opened(path: Path) -> pa.NativeFile:
    """Return the Arrow stream of a file, uncompressed where it is compressed as a whole."""
    with path.open("rb") as file:
        is_compressed = file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC
    return pa.input_stream(str(path), compression="zstd" if is_compressed else None)


def _over(column: pa.ChunkedArray | None, name: str, n: int, limits: int) -> NDArray[np.float64]:
    """Return the counts over each limit, row by row; 0 in rows without corrected latencies."""
    over = np.zeros((n, limits))
    if column is None:
        return over
    sizes = np.diff(_starts(column))
    if not np.isin(sizes, (0, limits) if name in LATER else limits).all():
        raise ValueError(f"a row does not count over each of the {limits} limits")
    if limits:
        over[sizes > 0] = _values(column).reshape(-1, limits)
    return over


def _starts(*columns: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return where the list of each row starts among the values, which must be the same in all columns."""
    offsets = [_one_chunk(column).offsets.to_numpy().astype(np.int64) for column in columns]
    starts: NDArray[np.int64] = offsets[0] - offsets[0][0]
    if not all(np.array_equal(starts, other - other[0]) for other in offsets[1:]):
        raise ValueError("a row has more values than counts, or fewer")
    return starts


def _values(column: pa.ChunkedArray) -> NDArray[np.generic]:
    values: NDArray[np.generic] = _one_chunk(column).flatten().to_numpy()
    return values


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
