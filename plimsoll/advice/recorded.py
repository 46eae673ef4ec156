"""What a run directory holds for the rules: statements, samples of the server, pools, iterations."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow

from plimsoll.advice.samples import PoolSample, ServerSample, StatementCalls
from plimsoll.advice.server import Counters
from plimsoll.advice.sql import without_secrets
from plimsoll.run_files.files import INTERVALS_FILE, POSTGRES_FILE, RUN_FILE, STATEMENTS_FILE
from plimsoll.run_files.intervals import GAUGE, ITERATION, TREND, VALUE_SCALE

POOL = "POOL"
"""The type of requests that are waits for a connection of a pool, as an SqlUser records them."""
POOL_WAITING, POOL_SIZE = "pool.waiting", "pool.size"
"""The gauges of other pools: requests that wait for a connection, and connections that there may be."""


class NoRunError(Exception):
    """There is no run where one was named."""


class Recorded(NamedTuple):
    """A run as the rules want it; notes say what was not recorded."""

    run: str
    calls: list[StatementCalls]
    server: list[ServerSample]
    pool: list[PoolSample]
    iterations: dict[str, int]
    counters: Counters
    notes: list[str]


def read_recorded(folder: Path) -> Recorded:
    """Read a run directory.

    Raises NoRunError where it is none.
    """
    if not (folder / RUN_FILE).is_file():
        raise NoRunError(f"{str(folder)!r} is no run directory: it has no {RUN_FILE}; give one of results/")
    notes = []
    statements, samples = _rows(folder / STATEMENTS_FILE), _rows(folder / POSTGRES_FILE)
    if not statements:
        notes.append(
            f"no statements were recorded ({STATEMENTS_FILE}): the run needs --database-url, and the server"
            " pg_stat_statements"
        )
    if not samples:
        notes.append(
            f"the server was not sampled ({POSTGRES_FILE}): the run needs --database-url; idle transactions,"
            " lock waits and counters were not looked at"
        )
    pool, iterations = _intervals(folder / INTERVALS_FILE)
    if not pool:
        notes.append(
            f"no pool was seen (requests of type {POOL}, or gauges {POOL_WAITING} and {POOL_SIZE}):"
            " whether it is too small is unknown"
        )
    calls = [_calls(row) for row in statements]
    return Recorded(
        folder.resolve().name, calls, _server(samples), pool, iterations, _counters(samples), notes
    )


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    csv.field_size_limit(1 << 24)  # a statement may be long
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return list(csv.DictReader(file))


def _calls(row: dict[str, str]) -> StatementCalls:
    return StatementCalls(
        stage=row.get("stage", ""),
        queryid=row["queryid"],
        text=without_secrets(row["query"]),
        calls=int(_number(row, "calls") or 0),
        rows=int(_number(row, "rows") or 0),
        total_ms=_number(row, "total_ms") or 0.0,
        temp_blocks=int(_number(row, "temp_blocks_written") or 0),
    )


def _server(rows: list[dict[str, str]]) -> list[ServerSample]:
    begun_s = _number(rows[0], "unix_s") or 0.0 if rows else 0.0
    samples = []
    for row in rows:
        limit = _number(row, "max_connections")
        samples.append(
            ServerSample(
                elapsed_s=(_number(row, "unix_s") or begun_s) - begun_s,
                connections=int(_number(row, "connections") or 0),
                max_connections=None if limit is None else int(limit),
                idle_in_transaction_s=_number(row, "idle_in_transaction_max_s") or 0.0,
                root_blocker=row.get("root_blocker") or None,
                victims=int(_number(row, "blocked") or 0),
            )
        )
    return samples


def _counters(rows: list[dict[str, str]]) -> Counters:
    """Return the differences of the counters over the run; one that fell was reset, and is not known."""

    def grown(name: str) -> int | None:
        values = [value for row in rows if (value := _number(row, name)) is not None]
        return int(values[-1] - values[0]) if len(values) > 1 and values[-1] >= values[0] else None

    peaks = [value for row in rows if (value := _number(row, "connections")) is not None]
    return Counters(
        blocks_hit=grown("blks_hit"),
        blocks_read=grown("blks_read"),
        temp_bytes=grown("temp_bytes"),
        checkpoints_timed=grown("checkpoints_timed"),
        checkpoints_requested=grown("checkpoints_requested"),
        peak_connections=int(max(peaks)) if peaks else None,
    )


def _number(row: dict[str, str], name: str) -> float | None:
    try:
        return float(row.get(name) or "")
    except ValueError:
        return None


def _intervals(path: Path) -> tuple[list[PoolSample], dict[str, int]]:
    """Return the samples of pools, one a second, and the iterations of each stage."""
    waiting: defaultdict[int, float] = defaultdict(float)
    waits_ms: defaultdict[int, float] = defaultdict(float)
    sizes: dict[int, float] = {}
    iterations: Counter[str] = Counter()
    for row in _interval_rows(path):
        kind, name, second = row["request_type"], row["name"], row["ended_s"]
        if kind == ITERATION:
            iterations[row["stage"] or ""] += row["n"]
        elif kind == POOL:
            # Seconds waited in a second are how many waited at once; who gave up waited, too.
            waits_ms[second] += row["sum_ms"] if row["n"] > row["failures"] else 0.0
            waiting[second] += row["failures"]
        elif kind in (GAUGE, TREND) and name == POOL_WAITING:
            waiting[second] = max(waiting[second], row["max_ms"] / VALUE_SCALE)
        elif kind in (GAUGE, TREND) and name == POOL_SIZE:
            sizes[second] = max(sizes.get(second, 0.0), row["max_ms"] / VALUE_SCALE)
    for second, wait_ms in waits_ms.items():
        waiting[second] += round(wait_ms / 1000)
    pool = [PoolSample(second, sizes.get(second), waiting[second]) for second in sorted(waiting)]
    return pool, dict(iterations)


def _interval_rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    names = ["request_type", "name", "stage", "ended_s", "n", "failures", "sum_ms", "max_ms"]
    try:
        with pyarrow.input_stream(str(path), compression="zstd") as source:
            for batch in pyarrow.ipc.open_stream(source):
                yield from batch.select(names).to_pylist()
    except (pyarrow.ArrowInvalid, OSError, KeyError):
        return  # a tail that was cut off costs no more than itself
