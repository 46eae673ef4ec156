"""The HdrHistogram interval log, read back by HdrHistogram's own library."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from reports.cli import main
from reports.export import HIGHEST_US
from tests.make_recorded import interval_table, requests, write_intervals

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


def test_library_reads_back_what_was_recorded(tmp_path: Path) -> None:
    """Its percentiles are those of the latencies themselves, within a bucket and three digits."""
    latencies_ms = np.geomspace(0.05, 3_000_000, 999)
    made = requests(np.full(999, float(START_S)), latencies_ms)
    write_intervals(tmp_path / "intervals.arrow", interval_table(made))
    (tmp_path / "run.json").write_text("{}")
    log = tmp_path / "run.hlog"
    assert main(["export", str(tmp_path), "--hlog", str(log)]) == 0

    reader = HistogramLogReader(str(log), HdrHistogram(1, HIGHEST_US, 3))
    histogram = reader.get_next_interval_histogram()
    reader.close()

    assert histogram.get_total_count() == 999
    theirs = HdrHistogram(1, HIGHEST_US, 3)
    for latency_ms in latencies_ms:
        theirs.record_value(int(latency_ms * 1000))
    for level in (1, 50, 90, 95, 99, 99.9):
        expected_us = theirs.get_value_at_percentile(level)
        assert histogram.get_value_at_percentile(level) == pytest.approx(expected_us, rel=0.005, abs=1)


def test_export_without_its_package_is_refused(
    run_directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what to install, and nothing is written."""
    monkeypatch.setitem(sys.modules, "hdrh.histogram", None)

    assert main(["export", str(run_directory), "--hlog", str(run_directory / "x.hlog")]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line == "plimsoll: export needs the package hdrhistogram: pip install 'plimsoll[hdr]'"
    assert not list(run_directory.glob("*hlog*"))


def test_run_without_intervals_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of Locust's CSVs alone is refused in one line, and nothing is written."""
    (tmp_path / "run.json").write_text("{}")

    assert main(["export", str(tmp_path), "--hlog", str(tmp_path / "x.hlog")]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("plimsoll: no intervals.arrow to export in ")
    assert not line.endswith(": ")
    assert not list(tmp_path.glob("*hlog*"))
