"""Judging again what eight hours with fifty request names recorded: its time, and its memory."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from measured.measurement import Row, at_most
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.run_files.files import HEALTH_FILE, INTERVALS_FILE, SCHEDULE_FILE, ScheduleRow
from tests.make_csv import START_S
from tests.make_directory import (
    FACTS,
    HEALTH,
    seal,
    write_batches,
    write_locust_files,
    write_rows,
    write_run_directory,
)
from tests.make_recorded import interval_table, requests

HOURS = 8
NAMES = [f"resource_{number}" for number in range(50)]
RATE_PER_S = 20
"""Of each name."""
PATTERN_S = 300
"""The seconds that are made at random; the run repeats them."""
WORKERS = ["worker-1", "worker-2"]
USERS = 400
IN_FLIGHT = 128.0
"""On average, as the latencies in the pattern have it."""
LIMITS = [
    *("p50 < 400 ms", "p95 < 2 s", "p99 < 5 s", "p99.9 < 30 s", "max < 60 s", "mean < 1 s"),
    *("error_rate < 1%", "rps > 400", "count > 1000"),
    *(f"p95 of {name} < 2 s" for name in NAMES[:8]),
    *(f"error_rate of {name} < 2%" for name in NAMES[:3]),
]
LIMITS_MS = (400.0, 2000.0, 5000.0, 30_000.0)
MAX_S, MAX_MIB = 10.0, 1000.0


def measure(folder: Path) -> list[Row]:
    """Judge the run three times, each in a process of its own."""
    run = write_long_run(folder / "run")
    found = [_judge(run) for _ in range(3)]
    took_s, cpu_s, peak_mib = np.median(found, axis=0)
    of = f"to judge a run of {HOURS} h with {len(NAMES)} names"
    return [
        at_most(f"time {of}", float(took_s), MAX_S, "s"),
        at_most(f"CPU time {of}", float(cpu_s), MAX_S, "s"),
        at_most(f"peak memory {of}", float(peak_mib), MAX_MIB, "MiB"),
    ]


def write_long_run(folder: Path, hours: float = HOURS) -> Path:
    """Write the directory of the run, with all that Locust writes of it under --csv-full-history."""
    pattern, seconds = _pattern(), int(hours * 3600)
    made = seconds * RATE_PER_S * len(NAMES)
    failed = pa.compute.sum(pattern["failures"]).as_py() * seconds // PATTERN_S
    write_run_directory(folder, LIMITS)
    seconds_s = [(START_S + second, second) for second in range(seconds)]
    write_rows(
        folder / SCHEDULE_FILE,
        (ScheduleRow(at + 0.1, s + 0.1, "", USERS, USERS, None, 10.0)._asdict() for at, s in seconds_s),
    )
    processes = [HEALTH._replace(process=name, users=USERS // 2, in_flight=IN_FLIGHT / 2) for name in WORKERS]
    processes.append(HEALTH._replace(process="master", users=0, in_flight=0.0))
    write_rows(
        folder / HEALTH_FILE,
        (each._replace(unix_s=at + 1.1)._asdict() for at, _ in seconds_s for each in processes),
    )
    write_locust_files(folder, seconds_s, 100.0, NAMES, RATE_PER_S)
    write_batches(folder / INTERVALS_FILE, pattern.schema, _batches(pattern, seconds))
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_S + seconds))
    facts = {"ended": ended, "planned_duration_s": float(seconds), "request_names": NAMES}
    facts |= {"workers": WORKERS, "locust_totals": {"requests": made, "failures": failed}}
    seal(folder, FACTS | facts)
    return folder


def _pattern() -> pa.Table:
    """Return the rows of PATTERN_S seconds."""
    rng, n = np.random.default_rng(7), PATTERN_S * RATE_PER_S * len(NAMES)
    name = rng.integers(len(NAMES), size=n)
    # Requests begin early in a second and mostly end in it, so that a second and name have about a row.
    made = requests(
        START_S + np.sort(rng.integers(PATTERN_S, size=n)) + rng.uniform(0, 0.5, n),
        rng.lognormal(np.log(20.0 + 4 * name), 0.4),
        failed=rng.random(n) < 0.002,
        name=np.array(NAMES)[name],
        worker=np.array(WORKERS)[name % 2],
    )
    return interval_table(made, LIMITS_MS).combine_chunks()


def _batches(pattern: pa.Table, seconds: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of each second."""
    starts = np.searchsorted(pattern["started_s"].to_numpy(), START_S + np.arange(PATTERN_S + 1))
    for second in range(seconds):
        repeat, at = divmod(second, PATTERN_S)
        batch = pattern.slice(starts[at], starts[at + 1] - starts[at]).to_batches()[0]
        for column in range(2):
            shifted = pa.compute.add(batch.column(column), repeat * PATTERN_S)
            batch = batch.set_column(column, batch.schema.field(column), shifted)
        yield batch


def _judge(run: Path) -> tuple[float, float, float]:
    """Judge the run, which passes; return how long it took, in wall and CPU seconds, and its peak MiB."""
    began_s = time.monotonic()
    with (run.parent / "judged.txt").open("w", encoding="utf-8") as output:
        command = [sys.executable, "-m", "reports", "judge", str(run)]
        actions = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)]
        pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    took_s = time.monotonic() - began_s
    if os.waitstatus_to_exitcode(status) != ExitStatus.PASS:
        raise RuntimeError((run.parent / "judged.txt").read_text(encoding="utf-8"))
    return took_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
