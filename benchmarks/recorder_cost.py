"""Measure what recording a request costs: `python -m benchmarks.recorder_cost` prints tables in Markdown.

In turn, the median of several rounds: Locust's request event with its own statistics only, and with the
recorder as well. Then how long the loop stands still each second of 5,000 requests, at 10, 100 and 500 names;
and the size and time to read of 8 hours of 50 names in several formats, scaled up from SECONDS_WRITTEN.
"""

from __future__ import annotations

import gevent
from locust import User
from locust.env import Environment

import io
import os
import statistics
import sys
import tempfile
import time
import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped] # it carries no types
import numpy as np
import pandas as pd
import pyarrow as pa

from plimsoll.context import execution_of, give_context
from plimsoll.loads.intended_starts import UserRegistry
from plimsoll.recording.aggregate import aggregate
from plimsoll.recording.in_flight import Request
from plimsoll.recording.intervals import SCALARS, IntervalBatch, IntervalFile, Key
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock
from plimsoll.run_files.files import INTERVALS_FILE, LOCAL
from reports.load.interval_file import read_intervals

ROUNDS = 15
REQUESTS = 20_000
REQUESTS_PER_S = 5_000
NAMES = (10, 100, 500)
LIMITS_MS = [100.0, 200.0, 500.0]
EIGHT_HOURS_S = 8 * 3600
SECONDS_WRITTEN = 2_880
ROW_REQUESTS = 20
TAGS = ("", "content", "content,slow", "checkout")


class Visitor(User):
    """A user for the requests to be of."""


def main() -> None:
    """Measure and print."""
    print_cost()
    print_folds()
    print_formats()


def print_cost() -> None:
    """Print the cost of a request without and with the recorder, in turn."""
    environment = Environment(parsed_options=Namespace())
    environment.create_local_runner()
    recorder = RequestRecorder(LIMITS_MS, RunClock())
    visitor = Visitor(environment)
    cost: dict[str, list[float]] = {
        "Locust alone": [],
        "with the recorder": [],
        "of it the aggregation": [],
        "with the recorder, where a schedule starts the iterations": [],
        "knowing that it is under way, apart": [],
    }
    for _ in range(ROUNDS):
        cost["Locust alone"].append(as_user(visitor, partial(fire_requests, visitor)))
        recorder.listen(environment)
        recording_us, aggregation_us = recorded_requests(visitor, recorder)
        execution_of(environment).task_starts = UserRegistry()
        scheduled_us = sum(recorded_requests(visitor, recorder))
        execution_of(environment).task_starts = None
        recorder.stop(environment)
        cost["with the recorder"].append(recording_us + aggregation_us)
        cost["of it the aggregation"].append(aggregation_us)
        cost["with the recorder, where a schedule starts the iterations"].append(scheduled_us)
        cost["knowing that it is under way, apart"].append(as_user(visitor, watch_requests))
    medians = {name: statistics.median(values) for name, values in cost.items()}
    added_us = medians["with the recorder"] - medians["Locust alone"]
    rows = [(name, f"{median:.2f}", spread(cost[name])) for name, median in medians.items()]
    print_table(
        ("µs a request", "median", "min–max"),
        [*rows, ("**added by the recorder**", f"**{added_us:.2f}**", "")],
    )


def recorded_requests(visitor: Visitor, recorder: RequestRecorder) -> tuple[float, float]:
    """Return the microseconds that each request took, and the aggregation for each of them."""
    recording_us = as_user(visitor, partial(fire_requests, visitor))
    return recording_us, timed_ms(recorder.aggregate) * 1000 / REQUESTS


def as_user(user: User, flow: Callable[[], float]) -> float:
    """Return what a flow returns in the greenlet of a user."""
    greenlet = gevent.spawn(flow)
    give_context(user, greenlet)
    return float(greenlet.get())


def fire_requests(visitor: User) -> float:
    """Fire the request event as Locust's clients do, and return the microseconds each took."""
    event: Any = visitor.environment.events.request
    names = [f"journey.step{number}" for number in range(50)]
    started = time.perf_counter()
    for number in range(REQUESTS):
        event.fire(
            request_type="GET",
            name=names[number % 50],
            response_time=12.3 + number % 7,
            response_length=500,
            response=None,
            context={},
            exception=None,
            start_time=time.time(),
            url="/",
        )
    return (time.perf_counter() - started) * 1e6 / REQUESTS


def watch_requests() -> float:
    """Have requests under way that do nothing, and return the microseconds each took."""
    started = time.perf_counter()
    for _ in range(REQUESTS):
        with Request("GET", "journey.step1"):
            pass
    return (time.perf_counter() - started) * 1e6 / REQUESTS


def print_folds() -> None:
    """Print how long the event loop stands still each second, by the number of request names."""
    rows = []
    for names in NAMES:
        recorder = RequestRecorder(LIMITS_MS, RunClock())
        keys = [Key("Visitor", "GET", f"journey.step{number}") for number in range(names)]
        file = IntervalFile(Path(os.devnull), LIMITS_MS)
        times: dict[str, list[float]] = {"aggregate": [], "append": [], "write": []}
        for second in range(ROUNDS * 4):
            for name, figure in second_of(second, keys, recorder, file).items():
                times[name].append(figure)
        file.close()
        rows.append(
            (str(names), *(f"{statistics.median(each):.2f} ({max(each):.2f})" for each in times.values()))
        )
    print_table(("names", "aggregate ms, median (max)", "append ms", "write ms"), rows)


def second_of(
    second: int, keys: list[Key], recorder: RequestRecorder, file: IntervalFile
) -> dict[str, float]:
    """Record a second of requests and return the milliseconds that each step with them took."""
    for key, _, _, start_s, latency_ms, size, _ in requests_of(second, keys, REQUESTS_PER_S).tolist():
        recorder.record("GET", keys[int(key)].name, latency_ms, size, start_time=start_s)
    started = time.perf_counter()
    batch = recorder.aggregate()
    assert batch is not None
    return {
        "aggregate": (time.perf_counter() - started) * 1000,
        "append": timed_ms(lambda: file.append(batch, LOCAL, lambda _: "hold")),
        "write": timed_ms(file.write),
    }


def requests_of(second: int, keys: list[Key], count: int) -> Any:
    """Return samples of a second: lognormal latencies, each name with a median of its own, 0.3 % failed."""
    random = np.random.default_rng(second)
    key = random.integers(0, len(keys), count)
    latency_ms = 5 * (1 + key % 40) * random.lognormal(0, 0.7, count)
    start_s = 1_700_000_000 + second + random.random(count)
    failed = random.random(count) < 0.003
    return np.column_stack(
        [
            key,
            failed,
            start_s + latency_ms / 1000,
            start_s,
            latency_ms,
            random.integers(200, 2000, count),
            np.full(count, np.nan),
        ]
    )


def batches() -> Iterator[IntervalBatch]:
    """Yield the seconds that are written in each format."""
    keys = [Key("Visitor", "GET", f"journey.step{number}", TAGS[number % len(TAGS)]) for number in range(50)]
    for second in range(SECONDS_WRITTEN):
        yield aggregate(requests_of(second, keys, 50 * ROW_REQUESTS), keys, ["status 500"], LIMITS_MS)


def print_formats() -> None:
    """Print the size of 8 hours and the time to read them into pandas."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ours, other = Path(folder, INTERVALS_FILE), Path(folder, "other.arrow")
        for every_s in (2, 4):
            write_arrow(ours, every_s)
            name = f"a batch each {every_s} s"
            rows.append(format_row(f"zstd around Arrow IPC, {name}", ours, lambda: read_intervals(ours)))
            for compression in ("zstd", "lz4", None):
                rewrite_arrow(ours, other, compression)
                text = f"Arrow IPC, batches {compression or 'plain'}, {name}"
                rows.append(format_row(text, other, lambda: read_intervals(other)))
        write_msgpack(other)
        rows.append(format_row("msgpack and zlib, a frame a second", other, lambda: read_msgpack(other)))
    print_table(("format", "8 h × 50 names, MB", "read, s"), rows)


def write_arrow(path: Path, every_s: int) -> None:
    """Write the seconds as the recorder does."""
    file = IntervalFile(path, LIMITS_MS)
    for second, batch in enumerate(batches(), 1):
        file.append(batch, LOCAL, lambda _: "hold")
        if second % every_s == 0:
            file.write()
    file.close()


def rewrite_arrow(ours: Path, other: Path, compression: str | None) -> None:
    """Write the batches of our file as an Arrow stream that is compressed batch by batch, or not at all."""
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False, emit_dictionary_deltas=True)
    with pa.input_stream(str(ours), compression="zstd") as source:
        batches = pa.ipc.open_stream(source)
        with pa.ipc.new_stream(str(other), batches.schema, options=options) as sink:
            for batch in batches:
                sink.write_batch(batch)


def write_msgpack(path: Path) -> None:
    """Write the seconds as compressed frames of their messages."""
    with path.open("wb") as file:
        for batch in batches():
            frame = zlib.compress(msgpack.dumps(batch.to_message()))
            file.write(len(frame).to_bytes(4, "little") + frame)


def read_msgpack(path: Path) -> pd.DataFrame:
    """Read the frames, without their histograms."""
    source, frames = io.BytesIO(path.read_bytes()), []
    while size := source.read(4):
        message = msgpack.loads(zlib.decompress(source.read(int.from_bytes(size, "little"))))
        scalars = message["scalars"]
        frame = pd.DataFrame(
            {name: np.frombuffer(scalars[name], SCALARS[name]) for name in ("key", "n", "failures", "sum_ms")}
        )
        frame["name"] = np.array([key[2] for key in message["keys"]])[frame["key"]]
        frames.append(frame)
    return pd.concat(frames)


def format_row(name: str, path: Path, read: Callable[[], object]) -> tuple[str, str, str]:
    """Return a line of the table, scaled to 8 hours."""
    scale = EIGHT_HOURS_S / SECONDS_WRITTEN
    return name, f"{path.stat().st_size * scale / 1e6:.0f}", f"{timed_ms(read) * scale / 1000:.1f}"


def timed_ms(call: Callable[[], object]) -> float:
    """Return the milliseconds a call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def spread(values: list[float]) -> str:
    """Return the least and the greatest value."""
    return f"{min(values):.2f}–{max(values):.2f}"


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table in Markdown."""
    for cells in (head, ("---",) * len(head), *rows):
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.write("\n")


if __name__ == "__main__":
    ArgumentParser(prog="python -m benchmarks.recorder_cost", description=__doc__).parse_args()
    main()
