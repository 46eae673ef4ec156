"""Read `intervals.arrow`, the recorder's file: an Arrow IPC stream of one record batch a second or two.

Around it is a zstd stream; an older file is a plain one of compressed batches. A tail cut off by `kill -9` is
ordinary: what was written before it is whole. The stream names its layout; another one, like a file that is
no stream at all, is left unread with a note, and the run is judged from Locust's CSVs.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from reports.load.histograms import Histograms
from reports.load.intervals import (
    COUNTS,
    ERROR_COLUMNS,
    LATENCIES,
    NO_INTERVALS,
    RESPONSES,
    SECONDS,
    Intervals,
)

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BATCHES_A_TABLE = 100
SMALL = 2**16
"""Counts below need two bytes each."""
NUMBERS = (*SECONDS, *COUNTS, *LATENCIES, *RESPONSES)
FAILURES = ("failure_kinds", "failure_counts")
LATER = (*RESPONSES, "response_over_limit", "tags")
"""Columns that older files lack: those of before the open model, and of before tags."""


def read_intervals(path: Path) -> tuple[Intervals, list[str]]:
    """Return what the recorder wrote, and what was odd about its file; a missing file is no oddity."""
    if not path.is_file():
        return NO_INTERVALS, [f"{path.name}: it is not a regular file"] if path.exists() else []
    unread, notes = f"{path.name}: cannot be read, so Locust's CSV files are judged", list[str]()
    parts: defaultdict[str, list[Any]] = defaultdict(list)
    try:
        # What is freed goes back to the operating system at once; Arrow's own pool would keep it.
        pa.set_memory_pool(pa.system_memory_pool())
        with _opened(path) as source:
            schema = pa.ipc.open_stream(source).schema
        missing = [name for name in INTERVAL_COLUMNS if name not in (*schema.names, *LATER)]
        if missing:
            return NO_INTERVALS, [f"{unread}: it lacks the columns {', '.join(missing)}"]
        with _opened(path) as source:
            try:
                for table in _tables(source, schema):
                    for name, part in _columns(table).items():
                        parts[name].append(part)
            except _CutOffError:
                notes.append(f"{path.name}: its end is cut off: the last second or two are lost")
        found = _intervals(parts, _limits_ms(schema)) if parts else NO_INTERVALS
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return NO_INTERVALS, [f"{unread}: {error}"]
    return found, notes


class _CutOffError(Exception):
    """Say that a stream ends in the middle of a batch."""


def _tables(source: pa.NativeFile, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the batches of a stream, BATCHES_A_TABLE at a time and none empty; raises _CutOffError."""
    wanted = [schema.get_field_index(name) for name in INTERVAL_COLUMNS if name in schema.names]
    # Threads cost more than they save on batches this small: 6 s against 3 s for 8 hours of 50 names.
    options = pa.ipc.IpcReadOptions(included_fields=wanted, use_threads=False)
    reader, fault, is_over = pa.ipc.open_stream(source, options=options), None, False
    while not is_over:
        batches: list[pa.RecordBatch] = []
        try:
            while len(batches) < BATCHES_A_TABLE:
                batches.append(reader.read_next_batch())
        except StopIteration:
            is_over = True
        except (OSError, pa.ArrowException) as error:
            is_over, fault = True, error
        table = pa.Table.from_batches(batches, reader.schema).unify_dictionaries().combine_chunks()
        table.validate(full=True)
        if len(table):
            yield table
    if fault is not None:
        raise _CutOffError from fault


def intervals_of(table: pa.Table) -> Intervals:
    """Return the columns of a table in the recorder's schema.

    Raises ValueError for another version, layout, or lists that do not fit together.
    """
    return _intervals({name: [part] for name, part in _columns(table).items()}, _limits_ms(table.schema))


def _limits_ms(schema: pa.Schema) -> tuple[float, ...]:
    """Return the limits that requests were counted over; raises ValueError for another version or layout."""
    metadata = schema.metadata or {}
    version, layout = (metadata.get(key, b"").decode() for key in (b"schema_version", b"layout"))
    if (version, layout) != (INTERVALS_SCHEMA_VERSION, LAYOUT):
        raise ValueError(
            f"schema {version!r} with layout {layout!r},"
            f" known is {INTERVALS_SCHEMA_VERSION!r} with {LAYOUT!r}"
        )
    return tuple(float(limit) for limit in json.loads(metadata.get(b"limits_ms", b"[]")))


def _columns(table: pa.Table) -> dict[str, Any]:
    """Return the columns of a table, as small as they can be; labels and errors as arrays of Arrow.

    Raises ValueError as `intervals_of` does.
    """
    limits = len(_limits_ms(table.schema))
    left = {name: _one_chunk(table[name]) for name in table.column_names}
    return {
        **{name: left[name].to_numpy(zero_copy_only=False) for name in NUMBERS if name in left},
        **{name: left[name] for name in (*LABELS, *FAILURES) if name in left},
        **{name: _over(left.get(name), name, len(table), limits) for name in OVER_LIMITS},
        **{buckets: _histograms(left[buckets], left[counts]) for buckets, counts in HISTOGRAMS.values()},
    }


def _intervals(parts: dict[str, list[Any]], limits_ms: tuple[float, ...]) -> Intervals:
    """Return what the parts of each column are together; takes them out, so that memory is free again."""
    # The largest first, when the least else is in memory. What was freed in small pieces is given back.
    histograms = {}
    for kind, (buckets, _) in HISTOGRAMS.items():
        histograms[kind] = Histograms.of_parts(parts.pop(buckets))
        pa.default_memory_pool().release_unused()
    columns: dict[str, Any] = {name: np.concatenate(parts.pop(name)) for name in NUMBERS if name in parts}
    n = len(columns["n"])
    for name in LABELS:
        code, labels = np.zeros(n, dtype=np.int8), [""]
        if name in parts:
            labeled = _one_chunk(pa.chunked_array(parts.pop(name)).unify_dictionaries())
            code, labels = labeled.indices.to_numpy(), labeled.dictionary.to_pylist()
        columns[name] = pd.Categorical.from_codes(code, pd.Index(np.array(labels, dtype=object)))
    rows = pd.DataFrame(columns, copy=False)
    kinds, counts = (pa.concat_arrays(parts.pop(name)) for name in FAILURES)
    failed = np.repeat(np.arange(n), np.diff(_starts(kinds, counts)))
    errors = {name: rows[name].array[failed] for name in ERROR_COLUMNS[:3]}
    errors |= {"error": kinds.flatten().to_pylist(), "n": _values(counts)}
    over = {name: np.concatenate(parts.pop(name)) for name in OVER_LIMITS}
    pa.default_memory_pool().release_unused()
    return Intervals(
        rows=rows,
        limits_ms=limits_ms,
        over=over["over_limit"],
        unfinished_over=over["unfinished_over_limit"],
        response_over=over["response_over_limit"],
        errors=pd.DataFrame(errors),
        **histograms,
    )


def _histograms(buckets: pa.Array, counts: pa.Array) -> Histograms:
    """Return histograms that hold no reference to the lists that they are of."""
    n = _values(counts).astype(np.uint32)
    is_small = int(n.max(initial=0)) < SMALL
    return Histograms(
        _starts(buckets, counts),
        _values(buckets).astype(np.uint16),
        n.astype(np.uint16) if is_small else n,
    )


def parted(recorded: Intervals) -> tuple[Intervals, Intervals, dict[str, Intervals]]:
    """Return the requests of a recording, its iterations, and by type its transactions and metrics."""
    types = recorded.rows["request_type"]
    custom = sorted(CUSTOM_TYPES & set(types.unique()))
    if not custom:
        return recorded, NO_INTERVALS, {}
    errors, failed_types = recorded.errors, recorded.errors["request_type"]
    requests = replace(
        recorded.only(~types.isin(custom).to_numpy()), errors=errors[~failed_types.isin(custom)]
    )
    parts = {
        each: replace(recorded.only((types == each).to_numpy()), errors=errors[failed_types == each])
        for each in custom
    }
    return requests, parts.pop(ITERATION, NO_INTERVALS), parts


def _opened(path: Path) -> pa.NativeFile:
    """Return the Arrow stream of a file, uncompressed where it is compressed as a whole."""
    with path.open("rb") as file:
        is_compressed = file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC
    return pa.input_stream(str(path), compression="zstd" if is_compressed else None)


def _over(column: pa.Array | None, name: str, n: int, limits: int) -> NDArray[np.uint32]:
    """Return the counts over each limit, row by row; 0 in rows without corrected latencies."""
    over = np.zeros((n, limits), dtype=np.uint32)
    if column is None:
        return over
    sizes = np.diff(_starts(column))
    if not np.isin(sizes, (0, limits) if name in LATER else limits).all():
        raise ValueError(f"a row does not count over each of the {limits} limits")
    if limits:
        over[sizes > 0] = _values(column).reshape(-1, limits)
    return over


def _starts(*columns: pa.Array) -> NDArray[np.int64]:
    """Return where the list of each row starts among the values, which must be the same in all columns."""
    offsets = [column.offsets.to_numpy().astype(np.int64) for column in columns]
    starts: NDArray[np.int64] = offsets[0] - offsets[0][0]
    if not all(np.array_equal(starts, other - other[0]) for other in offsets[1:]):
        raise ValueError("a row has more values than counts, or fewer")
    return starts


def _values(column: pa.Array) -> NDArray[np.generic]:
    values: NDArray[np.generic] = column.flatten().to_numpy()
    return values


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
