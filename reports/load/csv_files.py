"""Turn each of the files that Locust writes with --csv into the tables of a run."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from plimsoll.run_files.files import LOCUST_EXCEPTIONS, LOCUST_FAILURES, LOCUST_HISTORY, LOCUST_STATS
from reports.load.csv_faults import history_faults, stats_faults
from reports.load.run import AGGREGATED, HISTORY_COLUMNS, REQUEST_COLUMNS, REQUEST_KEYS
from reports.load.table import Layout, read_table

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


def read_history(path: Path) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the history in the order of time, what was odd, and which figures cannot be.

    Rows that lack a time or a count are left out.
    """
    frame, notes = read_table(path, HISTORY)
    faults = history_faults(frame, path.name)
    unix_s = frame["unix_s"].to_numpy()
    known = np.flatnonzero(~np.isnan(frame[["unix_s", "n", "failures"]].to_numpy()).any(axis=1))
    if len(known) < len(frame):
        notes.append(f"{path.name}: {len(frame) - len(known)} unreadable rows dropped")
    in_order = known[np.argsort(unix_s[known], kind="stable")]
    ordered = _merged_twins(frame.iloc[in_order].reset_index(drop=True))
    # Locust writes 0 for a window it does not know.
    windows = ["p50_ms", "p95_ms", "p99_ms"]
    unknown = (ordered[windows] == 0).all(axis=1) & (ordered["mean_ms"] >= 1)
    if unknown.any():
        ordered.loc[unknown, windows] = math.nan
    return _active(ordered)[list(HISTORY_COLUMNS)], notes, faults


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


def _active(history: pd.DataFrame) -> pd.DataFrame:
    """Cut the idle time before the first user and after the last, such as that of a web UI left open.

    One idle row stays at each end: counts are judged by their increase.
    """
    whole = history[is_aggregated(history)]
    busy = whole["unix_s"][(whole["users"] > 0) | (whole["n"].diff().fillna(whole["n"]) != 0)]
    if busy.empty:
        return history
    before = whole["unix_s"][whole["unix_s"] < busy.min()].max()
    after = whole["unix_s"][whole["unix_s"] > busy.max()].min()
    kept = ~(history["unix_s"] < before) & ~(history["unix_s"] > after)
    return pd.DataFrame(history[kept]).reset_index(drop=True)


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
    faults = stats_faults(frame, path.name)
    # A count that is no count (NaN compares false) is damage.
    sound = (frame["failures"] >= 0) & (frame["n"] >= frame["failures"])
    if not sound.all():
        notes.append(f"{path.name}: {int((~sound).sum())} rows with unreadable counts dropped")
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
