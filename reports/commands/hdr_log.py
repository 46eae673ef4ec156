"""Write the successes second by second as an HdrHistogram interval log, which other tools read (`.hlog`).

One histogram a second and request name (the tag), by the second in which the requests started; values are
whole microseconds with three significant digits. Format: HdrHistogram's V2 encoding, a header and the counts
as zig-zag LEB128 numbers in which a negative one skips that many empty places, deflated and in base64.
"""

import base64
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.intervals import US_PER_MS
from reports.load.intervals import Intervals, middle_ms

COOKIE, COMPRESSED_COOKIE = 0x1C849313, 0x1C849314
DIGITS = 3
HIGHEST_US = 3_600_000_000
HALF_BITS = 10
"""Three digits need 2048 places up to 2047 us, and 1024 more for each doubling."""
PLACES = 2**16
UNSAFE = re.compile(r"[,\s]")


def hdr_log(intervals: Intervals, started_unix_s: float) -> Iterator[str]:
    """Yield the lines of the log, each with its end."""
    yield "#[Histogram log format version 1.3]\n"
    yield f"#[StartTime: {started_unix_s:.3f} (seconds since epoch)]\n"
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    group, keys = intervals.grouped_by(["started_s", "name"])
    for number, places, counts in _by_group(intervals, group):
        tag = UNSAFE.sub("_", str(keys["name"].iloc[number]))
        top_ms = int(values_us(places[-1:])[0]) / US_PER_MS
        encoded = encode(places, counts).decode("ascii")
        yield f"Tag={tag},{float(keys['started_s'].iloc[number]):.3f},1.000,{top_ms:.3f},{encoded}\n"


def _by_group(
    intervals: Intervals, group: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield each group that has successes, the places of its histogram in use, and their counts."""
    successes = intervals.successes
    of_entry = np.repeat(group, np.diff(successes.starts))
    key, entry = np.unique(of_entry * PLACES + place_of(successes.buckets), return_inverse=True)
    counts = np.bincount(entry, weights=successes.counts.astype(np.float64)).astype(np.int64)
    groups, first = np.unique(key // PLACES, return_index=True)
    for number, start, end in zip(groups.tolist(), first, [*first[1:], len(key)], strict=True):
        yield number, key[start:end] % PLACES, counts[start:end]


def place_of(buckets: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Return where HdrHistogram counts the middle of each of our buckets."""
    us = np.clip(np.round(middle_ms(buckets.astype(np.int64)) * US_PER_MS), 1, HIGHEST_US).astype(np.int64)
    doublings = np.maximum(np.frexp(us)[1] - 1 - HALF_BITS, 0)
    places: NDArray[np.int64] = (doublings << HALF_BITS) + (us >> doublings)
    return places


def values_us(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the least value that HdrHistogram counts in each place."""
    doublings = np.maximum((places >> HALF_BITS) - 1, 0)
    values: NDArray[np.int64] = (places - (doublings << HALF_BITS)) << doublings
    return values


def encode(places: NDArray[np.int64], counts: NDArray[np.int64]) -> bytes:
    """Return a histogram in HdrHistogram's compressed V2 encoding; places ascend."""
    payload, next_place = bytearray(), 0
    for place, count in zip(places.tolist(), counts.tolist(), strict=True):
        if place > next_place:
            payload += _zig_zag(next_place - place)
        payload += _zig_zag(count)
        next_place = place + 1
    header = struct.pack(">iiiiqqd", COOKIE, len(payload), 0, DIGITS, 1, HIGHEST_US, 1.0)
    deflated = zlib.compress(header + bytes(payload))
    return base64.b64encode(struct.pack(">ii", COMPRESSED_COOKIE, len(deflated)) + deflated)


def _zig_zag(number: int) -> bytes:
    """Return a number as LEB128 of 2n, or of -2n - 1 for a negative one."""
    rest, written = (number << 1) if number >= 0 else (-number << 1) - 1, bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)
