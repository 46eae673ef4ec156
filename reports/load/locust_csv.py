"""Turn each of the files that Locust writes with --csv into the tables of a run.

Figures that Locust cannot have written are those of a file that was damaged or edited. It rounds percentiles
to 1 ms below 100 ms, 10 ms below 1 s, 100 ms below 10 s, then to 1 s. Up to version 1.1 it cut the fractions
of all other latencies off, under `cut_ms`, and wrote rates with two decimals; since then a mean has a point.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from plimsoll.run_files.files import LOCUST_EXCEPTIONS, LOCUST_FAILURES, LOCUST_HISTORY, LOCUST_STATS
from reports.load.run import AGGREGATED, HISTORY_COLUMNS, REQUEST_COLUMNS, REQUEST_KEYS
from reports.load.table import Layout, read_table
from reports.wording import plural

STATS = Layout(
    columns=LOCUST_STATS,
    text=frozenset({"request_type", "name"}),
    percentiles=True,
    needed=("Name", "Request Count", "Failure Count"),
    unterminated=True,
)
HISTORY = Layout(
    columns=LOCUST_HISTORY,
    text=frozenset({"request_type", "name"}),
    needed=("Timestamp", "Name", "Total Request Count", "Total Failure Count"),
    unterminated=True,
)
FAILURES = Layout(
    columns=LOCUST_FAILURES,
    text=frozenset(LOCUST_FAILURES.values()) - {"occurrences"},
    unterminated=True,
)
EXCEPTIONS = Layout(
    columns=LOCUST_EXCEPTIONS, text=frozenset(LOCUST_EXCEPTIONS.values()) - {"count"}, unterminated=True
)

PERCENTILE_COLUMN = re.compile(r"p(\d+(?:\.\d+)?)_ms")
STEPS_MS, STEPPED_AT_MS = (1.0, 10.0, 100.0, 1000.0), (100, 1000, 10_000)
FRACTION_MS = 1.0
FLOAT_RATIO = 1e-9
"""By how much means of the same requests may differ that were added up in another order."""
RATE_ROUNDING = 0.005
NOT_JUDGED = "mean_bytes"


def read_history(path: Path) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the history in the order of time, what was odd, and which figures cannot be.

    Rows that lack a time or a count are left out, and so is the idle time before the first user and after the
    last, such as that of a web UI left open. One idle row stays at each end: counts are judged by their
    increase.
    """
    frame, notes = read_table(path, HISTORY)
    counted = ["unix_s", "n", "failures"]
    faults = _faults(
        frame, frame.attrs["columns"], path.name, [*_no_numbers(frame, counted), *_negative(frame, counted)]
    )
    unix_s = frame["unix_s"].to_numpy()
    known = np.flatnonzero(~np.isnan(frame[counted].to_numpy()).any(axis=1))
    if unreadable := len(frame) - len(known):
        notes.append(f"{path.name}: {unreadable} unreadable {plural(unreadable, 'row')} dropped")
    in_order = known[np.argsort(unix_s[known], kind="stable")]
    history = _merged_twins(frame.iloc[in_order].reset_index(drop=True))[list(HISTORY_COLUMNS)]
    # Locust writes 0 for a window it does not know.
    windows = ["p50_ms", "p95_ms", "p99_ms"]
    unknown = (history[windows] == 0).all(axis=1) & (history["mean_ms"] >= 1)
    if unknown.any():
        history.loc[unknown, windows] = math.nan
    whole = history[is_aggregated(history)]
    busy = whole["unix_s"][(whole["users"] > 0) | (whole["n"].diff().fillna(whole["n"]) != 0)]
    if not busy.empty:
        before = whole["unix_s"][whole["unix_s"] < busy.min()].max()
        after = whole["unix_s"][whole["unix_s"] > busy.max()].min()
        is_idle = (history["unix_s"] < before) | (history["unix_s"] > after)
        history = history[~is_idle].reset_index(drop=True)
    return history, notes, faults


def _merged_twins(history: pd.DataFrame) -> pd.DataFrame:
    """Add up the rows of one name within one of Locust's writes: names that differed only in a secret.

    Locust ends each of its writes with the row over all requests; two writes may bear the same second.
    """
    whole = is_aggregated(history)
    keys = ["write", "unix_s", "request_type", "name"]
    written = history.assign(write=whole.cumsum() - whole.astype(int))
    if not written.duplicated(keys).any():
        return history
    written["mean_ms"] = (written["mean_ms"] * written["n"]).where(written["n"] > 0, 0.0)
    groups = written.groupby(keys, sort=False)
    merged, counted = groups.first(), groups[["n", "failures", "rps", "mean_ms"]].sum()
    merged[counted.columns] = counted
    # Percentiles do not add up.
    merged.loc[groups.size() > 1, ["p50_ms", "p95_ms", "p99_ms"]] = math.nan
    merged["mean_ms"] /= merged["n"].where(merged["n"] > 0)
    return merged.reset_index().drop(columns="write")


def read_stats(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str], list[str]]:
    """Return the rows per request, Locust's row over all (or none), what was odd, and what cannot be.

    Locust rewrites this file in place: what follows the row over all requests is left over from before.
    """
    frame, notes = read_table(path, STATS)
    aggregated = is_aggregated(frame)
    if aggregated.any():
        end = int(aggregated.to_numpy().argmax())
        if end + 1 < len(frame):
            notes.append(f"{path.name}: rows left over after the total dropped")
        frame = frame.iloc[: end + 1]
        aggregated = aggregated.iloc[: end + 1]
    # Whatever is computed of a table would get a deep copy of what it tells of its file.
    columns, whole = (frame.attrs.pop(key) for key in ("columns", "whole"))
    frame["cut_ms"] = FRACTION_MS if "mean_ms" in whole else 0.0
    figures = [c for c in columns if frame[c].dtype == np.float64 and c != NOT_JUDGED]
    found = [
        *_no_numbers(frame, figures),
        *_negative(frame, figures),
        *_out_of_order(frame),
        *_unlike_the_others(frame),
    ]
    faults = _faults(frame, columns, path.name, found)
    # A count that is no count (NaN compares false) is damage.
    sound = (frame["failures"] >= 0) & (frame["n"] >= frame["failures"])
    if unsound := int((~sound).sum()):
        notes.append(f"{path.name}: {unsound} {plural(unsound, 'row')} with unreadable counts dropped")
    requests, total = frame[sound & ~aggregated], frame[sound & aggregated]
    return requests.reset_index(drop=True), total.reset_index(drop=True), notes, faults


def totals_from_history(history: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what the last history rows say, for a run whose stats file is lost; percentiles are unknown."""
    last = history.drop_duplicates(REQUEST_KEYS, keep="last")
    rows = last.reindex(columns=list(REQUEST_COLUMNS))
    # What Locust calls so there is the rate of the last seconds.
    rows["rps"] = math.nan
    aggregated = is_aggregated(rows)
    return rows[~aggregated].reset_index(drop=True), rows[aggregated].reset_index(drop=True)


def total_of(requests: pd.DataFrame) -> pd.DataFrame:
    """Return what the rows of the requests add up to, for a file that lost its row over all of them."""
    n = float(requests["n"].sum())
    row = {
        "request_type": "",
        "name": AGGREGATED,
        "n": n,
        "failures": float(requests["failures"].sum()),
        "mean_ms": float((requests["mean_ms"] * requests["n"]).sum(skipna=False)) / n if n else math.nan,
        "min_ms": float(requests["min_ms"].min(skipna=False)),
        "max_ms": float(requests["max_ms"].max(skipna=False)),
        "rps": float(requests["rps"].sum()),
    }
    return pd.DataFrame([row]).reindex(columns=list(REQUEST_COLUMNS))


def with_last_count(failures: pd.DataFrame, total: pd.DataFrame) -> pd.DataFrame:
    """Return the failures with the count of the last kind, where the end of its line is missing."""
    unknown = failures["occurrences"].isna()
    left = float(total["failures"].sum() - failures["occurrences"].sum())
    if unknown.sum() != 1 or not unknown.iloc[-1] or left < 1:
        return failures
    return failures.fillna({"occurrences": left})


def is_aggregated(frame: pd.DataFrame) -> "pd.Series[bool]":
    """Mark Locust's own rows over all requests; a request may bear their name, but has a type."""
    return (frame["name"] == AGGREGATED) & frame["request_type"].isin(["", "None"])


def before_rounding_ms(latency_ms: float) -> tuple[float, float]:
    """Return the least and the greatest latency that Locust rounds to this one."""
    below_ms, above_ms = (
        STEPS_MS[bisect_right(STEPPED_AT_MS, at_ms)] / 2
        for at_ms in (math.nextafter(latency_ms, 0.0), latency_ms)
    )
    return max(latency_ms - below_ms, 0.0), latency_ms + above_ms


def _no_numbers(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, int, str]]:
    """Yield what is no number though requests were made, for which alone Locust writes N/A."""
    for column in columns:
        yield from _first(column, frame[column].isna() & (frame["n"] != 0), "no number")


def _negative(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, int, str]]:
    for column in columns:
        yield from _first(column, frame[column] < 0, "negative")
    yield from _first("failures", frame["failures"] > frame["n"], "more than the requests")


def _out_of_order(frame: pd.DataFrame) -> Iterator[tuple[str, int, str]]:
    """Yield latencies that are not between the minimum, the lower percentiles and the maximum of their row.

    Percentile q is request int(n * q) + 1; two that are of the same request are the same.
    """
    n, min_ms = frame["n"], frame["min_ms"] * (1 - FLOAT_RATIO)
    max_ms = (frame["max_ms"] + frame["cut_ms"]) * (1 + FLOAT_RATIO)
    yield from _first("min_ms", frame["min_ms"] > max_ms, "above the maximum")
    yield from _first("mean_ms", frame["mean_ms"] > max_ms, "above the maximum")
    yield from _first("mean_ms", frame["mean_ms"] < min_ms, "below the minimum")
    percentiles = _percentiles(frame)
    for column in percentiles:
        ends_ms = [before_rounding_ms(latency_ms) for latency_ms in frame[column]]
        low, high = (pd.Series(end, dtype=float) for end in np.array(ends_ms).reshape(-1, 2).T)
        yield from _first(column, low > max_ms, "above the maximum")
        yield from _first(column, high < min_ms, "below the minimum")
        is_slowest = n * (1 - _level(column) / 100) < 1 - FLOAT_RATIO
        yield from _first(
            column,
            is_slowest & (high < frame["max_ms"]),
            "below the maximum, though it is of the slowest request",
        )
    for lower, column in pairwise(percentiles):
        yield from _first(column, frame[column] < frame[lower], f"below the {_level(lower):g}%")
        first, last = n * _level(lower) / 100 - FLOAT_RATIO, n * _level(column) / 100 + FLOAT_RATIO
        is_over = (first // 1 == last // 1) & (frame[column] > frame[lower])
        yield from _first(column, is_over, f"above the {_level(lower):g}%, though it is of the same request")


def _unlike_the_others(frame: pd.DataFrame) -> Iterator[tuple[str, int, str]]:
    """Yield latencies of all requests that are not between those of the names, and a rate.

    A rate is a count over a time that all have, up to the last request: the one that differs most is named.
    """
    whole = is_aggregated(frame)
    # Locust writes 0 for a name without response times, which are the fastest in its percentiles.
    made, timed = frame[~whole & (frame["n"] > 0)], frame[~whole & (frame["max_ms"] > 0)]
    for column in ("min_ms", "max_ms", "mean_ms", *_percentiles(frame)):
        by_name = (made if PERCENTILE_COLUMN.fullmatch(column) else timed)[column]
        min_, max_ = by_name.min(), by_name.max()
        min_, max_ = max_ if column == "max_ms" else min_, min_ if column == "min_ms" else max_
        is_off = (frame[column] < min_ * (1 - FLOAT_RATIO)) | (frame[column] > max_ * (1 + FLOAT_RATIO))
        fits = f"{min_:.10g}" if min_ == max_ else f"between {min_:.10g} and {max_:.10g}"
        yield from _first(column, whole & is_off, f"not {fits}, as the rows by name say")
    known = frame[(frame["n"] > 0) & (frame["rps"] >= 0)]
    n, rps = known["n"].to_numpy(), known["rps"].to_numpy()
    min_s, slowest = n / (rps + RATE_ROUNDING), rps - RATE_ROUNDING
    max_s = np.divide(n, slowest, out=np.full(len(n), np.inf), where=slowest > 0)
    if len(known) and min_s.max() > max_s.min():
        middle_s = float(np.median(min_s))
        worst = int(np.abs(np.log(min_s / middle_s)).argmax())
        fits = f"not {n[worst]:.0f} {plural(n[worst], 'request')} in the {middle_s:.1f} s of the other rows"
        yield "rps", int(known.index[worst]), fits


def _percentiles(frame: pd.DataFrame) -> list[str]:
    return sorted(filter(PERCENTILE_COLUMN.fullmatch, frame.columns), key=_level)


def _level(column: str) -> float:
    return float(column[1:].removesuffix("_ms"))


def _first(column: str, wrong: "pd.Series[bool]", what: str) -> Iterator[tuple[str, int, str]]:
    for row in np.flatnonzero(wrong)[:1]:
        yield column, int(row), what


def _faults(
    frame: pd.DataFrame, columns: Mapping[str, str], file: str, found: Sequence[tuple[str, int, str]]
) -> list[str]:
    """Say where impossible figures stand, and what is wrong with them."""
    faults = []
    for column, row, what in found:
        request = f"{frame['request_type'][row]} {frame['name'][row]}".strip()
        place = f"{file}, row {row + 1} ({request!r}), column {columns[column]!r}"
        faults.append(f"{place}: {frame[column][row]:.10g} is {what}")
    return faults
