"""Hand what was recorded to other tools: `plimsoll export` writes an HdrHistogram interval log (`.hlog`).

One histogram a second and request name (the tag), by the second in which the requests started; values are
whole microseconds with three significant digits.
"""

import argparse
import re
from collections.abc import Iterator

import numpy as np

from plimsoll.run_files.files import INTERVALS_FILE
from plimsoll.run_files.intervals import US_PER_MS
from reports.errors import DataError, ReportError
from reports.files import replaced
from reports.load.histograms import middle_ms
from reports.load.intervals import Intervals
from reports.load.run_files import load, locate

DIGITS = 3
HIGHEST_US = 3_600_000_000
UNSAFE = re.compile(r"[,\s]")


def export(options: argparse.Namespace) -> tuple[int, str]:
    """Write the successes of a run as an HdrHistogram interval log; return 0 and where it is.

    Raises DataError where the run has no intervals, ReportError where the package hdrhistogram is missing.
    """
    found = load(locate(options.run))
    if not found.intervals:
        why = "; ".join(found.warnings) or "only a run that Plimsoll recorded has it"
        raise DataError(f"no {INTERVALS_FILE} to export in {str(options.run)!r}: {why}")
    with replaced(options.hlog) as temporary, temporary.open("w", encoding="utf-8") as log:
        log.writelines(hdr_log(found.intervals, found.started_unix_s))
    return 0, f"{options.hlog}\n"


def hdr_log(intervals: Intervals, started_unix_s: float) -> Iterator[str]:
    """Yield the lines of the log, each with its end.

    Raises ReportError where the package hdrhistogram is missing. Its own log writer knows no tags.
    """
    try:
        from hdrh.histogram import HdrHistogram
    except ImportError:
        raise ReportError("export needs the package hdrhistogram: pip install 'plimsoll[hdr]'") from None
    yield "#[Histogram log format version 1.3]\n"
    yield f"#[StartTime: {started_unix_s:.3f} (seconds since epoch)]\n"
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    group, keys = intervals.grouped_by(["started_s", "name"])
    successes = intervals.successes
    us = np.clip(np.round(middle_ms(successes.buckets.astype(np.int64)) * US_PER_MS), 1, HIGHEST_US)
    of_entry = group[successes.row]
    order = np.argsort(of_entry, kind="stable")
    numbers, first = np.unique(of_entry[order], return_index=True)
    for number, entries in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
        histogram = HdrHistogram(1, HIGHEST_US, DIGITS)
        for value_us, n in zip(us[entries].tolist(), successes.counts[entries].tolist(), strict=True):
            histogram.record_value(int(value_us), n)
        key = keys.iloc[number]
        tag, encoded = UNSAFE.sub("_", str(key["name"])), histogram.encode().decode("ascii")
        highest_ms = histogram.get_max_value() / US_PER_MS
        yield f"Tag={tag},{float(key['started_s']):.3f},1.000,{highest_ms:.3f},{encoded}\n"
