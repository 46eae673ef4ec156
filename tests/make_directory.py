"""Write the run directory of a sound run: four users, ten requests of 100 ms a second, for a minute."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from plimsoll.recording.run_directory import file_digests, write_facts
from plimsoll.run_files.files import (
    HEALTH_FILE,
    INTERVALS_FILE,
    RUN_SCHEMA_VERSION,
    SCHEDULE_FILE,
    THRESHOLDS_FILE,
    HealthRow,
    ScheduleRow,
)
from tests.make_csv import START_S
from tests.make_recorded import STARTED, even, interval_table

SECONDS = 60
LIMITS = ("p95 < 500 ms", "error_rate < 1%", "rps > 8", "count < 700")
SLOW_MS = 900.0
FACTS: dict[str, Any] = {
    "schema_version": RUN_SCHEMA_VERSION,
    "id": "made",
    "profile": "made",
    "journeys": ["User"],
    "request_names": ["a"],
    "load_model": "closed",
    "shape": None,
    "stages": [],
    "steps": [],
    "is_search": False,
    "warm_up_s": 0.0,
    "planned_duration_s": 60.0,
    "set_up_s": 0.0,
    "user_scale": 1.0,
    "time_scale": 1.0,
    "host": "http://127.0.0.1:1",
    "command": ["locust"],
    "versions": {},
    "git_commit": None,
    "environment": {},
    "started": STARTED,
    "ended": "2027-01-15T08:01:00Z",
    "end_reason": "run time reached",
    "aborted": None,
    "aborted_by": None,
    "workers": [],
    "lost_workers": [],
    "invariants": [],
    "stats_reset": False,
    "locust_totals": {"requests": 600, "failures": 0},
    "recording_errors": 0,
    "recording_fault": None,
    "clock_offsets_s": {},
    "clock_steps": [],
}
HEALTH = HealthRow(
    unix_s=0.0,
    process="local",
    pid=7,
    cpu_ratio=0.3,
    rss_bytes=100_000_000,
    lag_p50_ms=0.5,
    lag_p99_ms=1.0,
    lag_max_ms=1.5,
    lag_samples=49,
    lag_late=0,
    lag_very_late=0,
    users=4,
    in_flight=1.0,
    dropped=0,
    host_cpu_ratio=0.3,
    steal_ratio=0.0,
    wait_ratio=0.01,
    in_flight_max=2,
    started=0,
    late=0,
    stalled_ms=0.0,
)


def write_run_directory(
    folder: Path, limits: Sequence[str] = LIMITS, latency_ms: float = 100.0, shift_s: int = 0, **facts: Any
) -> Path:
    """Write a run directory as the recorder does, with changed facts, and return it.

    All of its times but those of run.json are *shift_s* later.
    """
    folder.mkdir(exist_ok=True)
    (folder / THRESHOLDS_FILE).write_text(json.dumps({"thresholds": list(limits)}, indent=0))
    made = even(10 * SECONDS, latency_ms, SECONDS)
    write_recording(folder / INTERVALS_FILE, made.assign(at_s=made["at_s"] + shift_s))
    seconds_s = [(START_S + shift_s + second, second) for second in range(SECONDS)]
    schedule = (
        ScheduleRow(unix_s + 0.1, second + 0.1, "", 4, 4, None, 10.0)._asdict()
        for unix_s, second in seconds_s
    )
    write_rows(folder / SCHEDULE_FILE, schedule)
    write_rows(
        folder / HEALTH_FILE, (HEALTH._replace(unix_s=unix_s + 1.1)._asdict() for unix_s, _ in seconds_s)
    )
    write_locust_files(folder, seconds_s, latency_ms)
    seal(folder, FACTS | facts)
    return folder


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the run.json of a run whose files are now as they were at its end."""
    write_facts(folder, {**facts, "file_digests": file_digests(folder)})


def write_recording(path: Path, made: pd.DataFrame) -> None:
    """Write `intervals.arrow` of these requests as the recorder does."""
    table = interval_table(made, (500.0,))
    write_batches(path, table.schema, table.to_batches(max_chunksize=20))


def write_batches(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write `intervals.arrow` of these batches: one zstd stream, flushed after each."""
    with (
        pa.CompressedOutputStream(str(path), "zstd") as sink,
        pa.ipc.new_stream(
            sink, schema, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        ) as stream,
    ):
        for batch in batches:
            stream.write_batch(batch)
            sink.flush()


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file of rows that all have the columns of the first."""
    left = iter(rows)
    first = next(left)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(left)


def write_locust_files(
    folder: Path,
    seconds_s: Sequence[tuple[int, int]],
    latency_ms: float,
    names: Sequence[str] = ("a",),
    rate: int = 10,
) -> None:
    """Write Locust's CSV files of *rate* requests a second of each name, all of one latency."""
    levels = ("50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%")
    percentiles = dict.fromkeys(levels, int(latency_ms))
    rows = [*(("GET", name, rate) for name in names), ("", "Aggregated", rate * len(names))]

    def total(kind: str, name: str, rate: int) -> dict[str, Any]:
        return {
            "Type": kind,
            "Name": name,
            "Request Count": rate * len(seconds_s),
            "Failure Count": 0,
            "Median Response Time": latency_ms,
            "Average Response Time": latency_ms,
            "Min Response Time": latency_ms,
            "Max Response Time": latency_ms,
            "Average Content Size": 2.0,
            "Requests/s": float(rate),
            "Failures/s": 0.0,
            **percentiles,
        }

    write_rows(folder / "locust_stats.csv", [total(*row) for row in rows])
    write_rows(
        folder / "locust_stats_history.csv",
        (
            {
                "Timestamp": unix_s + 1,
                "User Count": 4,
                "Type": kind,
                "Name": name,
                "Requests/s": float(rate),
                "Failures/s": 0.0,
                **percentiles,
                "Total Request Count": rate * (second + 1),
                "Total Failure Count": 0,
                "Total Median Response Time": latency_ms,
                "Total Average Response Time": latency_ms,
                "Total Min Response Time": latency_ms,
                "Total Max Response Time": latency_ms,
                "Total Average Content Size": 2.0,
            }
            for unix_s, second in seconds_s
            for kind, name, rate in rows
        ),
    )
    (folder / "locust_failures.csv").write_text("Method,Name,Error,Occurrences,First Seen,Last Seen\r\n")
    (folder / "locust_exceptions.csv").write_text("Count,Message,Traceback,Nodes\r\n")
