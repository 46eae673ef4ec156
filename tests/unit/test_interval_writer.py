"""intervals.arrow holds what was appended, column by column, also when its end is missing."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plimsoll.recording.aggregate import aggregate
from plimsoll.recording.intervals import IntervalBatch, IntervalFile, Key
from reports.load.interval_file import read_intervals

KEYS = [Key("Shopper", "GET", "home", "content,slow"), Key("Shopper", "POST", "order")]
KINDS = ["other", "wrong total"]


def batch(second: int, *requests: tuple[int, int, float], delay_ms: float = math.nan) -> IntervalBatch:
    """Return a batch of requests (key, outcome, latency_ms), all started in one second."""
    told = [[key, outcome, second + 0.9, second + 0.1, ms, 20, delay_ms] for key, outcome, ms in requests]
    return aggregate(np.array(told), KEYS, KINDS, [100.0, 200.0])


def no_stage(_: int) -> str:
    """Return that no schedule says what stage it is."""
    return ""


def read_batches(path: Path) -> tuple[pa.Schema, list[dict[str, Any]], bool]:
    """Return the schema, the rows of all whole batches, and whether the file ends as it should."""
    rows: list[dict[str, Any]] = []
    with pa.input_stream(str(path), compression="zstd") as file:
        reader = pa.ipc.open_stream(file)
        while True:
            try:
                rows += reader.read_next_batch().to_pylist()
            except StopIteration:
                return reader.schema, rows, True
            except (OSError, pa.ArrowInvalid):
                return reader.schema, rows, False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is to be."""
    return tmp_path / "intervals.arrow"


def test_rows(path: Path) -> None:
    """Each row says where, when and how often, with the exact latencies and the counts over the limits."""
    file = IntervalFile(path, [100.0, 200.0])
    file.append(batch(50, (0, 0, 64.0), (0, 0, 256.0), (0, 2, 1.0), (1, -1, 128.0)), "w1", lambda _: "hold")
    file.close()
    _, rows, ended = read_batches(path)

    assert ended
    assert [math.isnan(rows[0].pop(name)) for name in ("response_sum_ms", "response_max_ms")] == [True, True]
    assert rows[0] == {
        "started_s": 50,
        "ended_s": 50,
        "worker": "w1",
        "request_type": "GET",
        "name": "home",
        "user_class": "Shopper",
        "tags": "content,slow",
        "stage": "hold",
        "n": 3,
        "failures": 1,
        "bytes": 60,
        "sum_ms": 320.0,
        "min_ms": 64.0,
        "max_ms": 256.0,
        "buckets": [15 * 128 + 122, 17 * 128 + 122],  # 64 ms = 2^15 · 1.953 us, and 1.953 = 1 + 122/128
        "counts": [1, 1],
        "response_buckets": [],
        "response_counts": [],
        "response_over_limit": [],
        "failed_buckets": [9 * 128 + 122],
        "failed_counts": [1],
        "over_limit": [1, 1],
        "failure_kinds": ["wrong total"],
        "failure_counts": [1],
        "unfinished": 0,
        "unfinished_buckets": [],
        "unfinished_counts": [],
        "unfinished_over_limit": [0, 0],
    }
    assert rows[1]["n"] == 0
    assert rows[1]["unfinished"] == 1
    assert rows[1]["unfinished_over_limit"] == [1, 0]


def test_response_times(path: Path) -> None:
    """Where a schedule says when requests should have started, their response times are beside the others."""
    file = IntervalFile(path, [100.0, 200.0])
    file.append(batch(50, (0, 0, 64.0), (0, 0, 128.0), (0, 2, 9.0), delay_ms=64.0), "w1", no_stage)
    file.close()
    _, (row,), _ = read_batches(path)

    assert (row["sum_ms"], row["max_ms"], row["over_limit"]) == (192.0, 128.0, [1, 0])
    assert (row["response_sum_ms"], row["response_max_ms"]) == (320.0, 192.0)
    assert row["response_over_limit"] == [2, 0]
    assert row["response_buckets"] == [
        16 * 128 + 122,
        17 * 128 + 59,
    ]  # 192 ms = 2^17 · (1 + 59.5/128) us
    assert row["response_counts"] == [1, 1]


def test_metadata(path: Path) -> None:
    """The file names its version, its buckets and its limits, to the last bit of them."""
    limits_ms = [100.0, float(np.nextafter(100, np.inf))]
    IntervalFile(path, limits_ms).close()
    schema, rows, ended = read_batches(path)

    assert schema.metadata[b"schema_version"] == b"1"
    assert (schema.metadata[b"layout"], schema.metadata[b"unit"]) == (b"loglin128", b"us")
    assert json.loads(schema.metadata[b"limits_ms"]) == limits_ms
    assert (rows, ended) == ([], True)


def test_new_texts_later(path: Path) -> None:
    """Names, workers and stages that first appear in later batches are read like those of the first."""
    file = IntervalFile(path, [100.0, 200.0])
    for second in range(3):
        file.append(batch(second, (second % 2, 0, 5.0)), f"w{second}", "stage {}".format)
        file.write()
    file.close()
    _, rows, _ = read_batches(path)

    assert [(row["name"], row["worker"], row["stage"]) for row in rows] == [
        ("home", "w0", "stage 0"),
        ("order", "w1", "stage 1"),
        ("home", "w2", "stage 2"),
    ]


def test_one_batch_a_write(path: Path) -> None:
    """Blocks of many workers become one batch, with the rows of each."""
    file = IntervalFile(path, [100.0, 200.0])
    for worker in range(3):
        file.append(batch(7, (worker % 2, 2, 5.0)), f"w{worker}", no_stage)
    file.write()
    file.close()
    with pa.input_stream(str(path), compression="zstd") as source:
        batches = list(pa.ipc.open_stream(source))

    assert [batch.num_rows for batch in batches] == [3]
    assert batches[0]["failure_kinds"].to_pylist() == [["wrong total"]] * 3


def test_the_judge_reads_it(path: Path) -> None:
    """What is written here is what `python -m reports` understands."""
    file = IntervalFile(path, [100.0, 200.0])
    file.append(batch(7, (0, 0, 150.0)), "local", no_stage)
    file.close()
    found, oddities = read_intervals(path)

    assert oddities == []
    assert found.total("n") == 1
    assert found.over.tolist() == [[1, 0]]


def test_truncated(path: Path) -> None:
    """Wherever the file is cut off, the batches before the cut are there."""
    file = IntervalFile(path, [100.0, 200.0])
    ends = []
    for second in range(3):
        file.append(batch(second, (0, 0, 5.0)), "local", no_stage)
        file.write()
        ends.append(path.stat().st_size)
    file.close()
    whole = path.read_bytes()
    for size in (*range(ends[0], ends[2], 101), ends[1] - 1, ends[1], ends[2] - 1):
        path.write_bytes(whole[:size])
        _, rows, _ = read_batches(path)
        assert [row["started_s"] for row in rows] == [0, 1][: sum(size >= end for end in ends)]


def test_clock_shift(path: Path) -> None:
    """Seconds of a worker whose clock is 3 s behind are put right, and the stage with them."""
    file = IntervalFile(path, [100.0, 200.0])
    file.append(batch(50, (0, 0, 5.0)), "late", str, shift_s=3)
    file.close()
    _, rows, _ = read_batches(path)

    assert [(row["started_s"], row["ended_s"], row["stage"]) for row in rows] == [(53, 53, "53")]


LOAD_PROCESS = """
import sys
from pathlib import Path
import plimsoll.data
from plimsoll.recording.intervals import IntervalFile
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock
from plimsoll import record_run

recorder = RequestRecorder([100.0], RunClock())
recorder.record("GET", "a", 5.0, 10)
recorder.record("GET", "a", 5.0, 10, exception=ValueError("wrong"))
file = IntervalFile(Path(sys.argv[1]), [100.0])
file.append(recorder.aggregate(), "local", lambda second: "hold")
file.close()
print(sorted({"pandas", "psycopg", "scipy"} & set(sys.modules)))
"""


def test_a_load_process_does_without_pandas(path: Path) -> None:
    """What makes and records the load loads no pandas, scipy or psycopg, which would be half of its start."""
    output = subprocess.check_output([sys.executable, "-c", LOAD_PROCESS, str(path)], text=True)

    assert output == "[]\n"
    assert [row["n"] for row in read_batches(path)[1]] == [2]
