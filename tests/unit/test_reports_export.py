"""The HdrHistogram interval log, read back by HdrHistogram's own library."""

import base64
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from reports.cli import main
from reports.commands.hdr_log import encode, place_of, values_us
from reports.load.intervals import bucket_of
from tests.make_intervals import interval_table, requests, write_intervals

START_S = 1_800_000_000


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """A run of two names with 100 requests of 10 ms and 20 failures, a name with a comma among them."""
    at_s = START_S + np.arange(100) / 50
    made = pd.concat(
        [
            requests(at_s, np.full(100, 10.0), name="a, b"),
            requests(at_s, np.full(100, 250.0), name="c"),
            requests(at_s[:20], np.full(20, 1.0), name="c", failed=True),
        ]
    )
    write_intervals(tmp_path / "intervals.arrow", interval_table(made))
    (tmp_path / "run.json").write_text('{"id": "here", "started": "2027-01-15T08:00:00Z"}')
    return tmp_path


def test_log_is_read_back(run_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each second and name is a line of start, length, maximum in ms and its successes."""
    log = run_directory / "run.hlog"

    assert main(["export", str(run_directory), "--hlog", str(log)]) == 0

    assert capsys.readouterr().out == f"{log}\n"
    lines = log.read_text().splitlines()
    assert lines[1] == "#[StartTime: 1800000000.000 (seconds since epoch)]"
    rows = [line.split(",") for line in lines[3:]]
    assert [row[:3] for row in rows] == [
        [tag, f"{START_S + second}.000", "1.000"] for second in range(2) for tag in ("Tag=a__b", "Tag=c")
    ]
    for row, us in zip(rows, [10_000, 250_000] * 2, strict=True):
        histogram = HdrHistogram.decode(row[4])
        assert histogram.get_total_count() == 50
        assert histogram.get_value_at_percentile(95) == pytest.approx(us, rel=0.005)
        assert float(row[3]) * 1000 == pytest.approx(us, rel=0.005)


@given(latencies_ms=st.lists(st.floats(0.01, 3_000_000), min_size=1, max_size=50))
def test_encoding_is_that_of_the_library(latencies_ms: list[float]) -> None:
    """What we encode is, place by place, what HdrHistogram itself counts of the same values."""
    buckets = np.array([bucket_of(latency) for latency in latencies_ms], dtype=np.uint16)
    places, counts = np.unique(place_of(buckets), return_counts=True)
    own = HdrHistogram.decode(encode(places, counts.astype(np.int64)))
    theirs = HdrHistogram(1, 3_600_000_000, 3)
    for place, count in zip(places, counts, strict=True):
        theirs.record_value(int(values_us(np.array([place]))[0]), int(count))

    assert own.get_total_count() == len(latencies_ms)
    assert payload(encode(places, counts.astype(np.int64))) == payload(theirs.encode())


def payload(encoded: bytes) -> bytes:
    """Return the counts of an encoded histogram, without its headers."""
    return zlib.decompress(base64.b64decode(encoded)[8:])[40:]


def test_run_without_intervals_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of Locust's CSVs alone is refused in one line, and nothing is written."""
    (tmp_path / "run.json").write_text("{}")

    assert main(["export", str(tmp_path), "--hlog", str(tmp_path / "x.hlog")]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("plimsoll: no intervals.arrow to export in ")
    assert not list(tmp_path.glob("*hlog*"))
