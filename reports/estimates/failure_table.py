"""The failures of a run by kind: as recorded second by second, or as Locust counted them.

Failures of transactions are among them, by what failed first in each, and are not counted as requests'.
"""

from datetime import UTC, datetime

import pandas as pd

from plimsoll.run_files.intervals import TRANSACTION
from reports.load.interval_rows import NO_KINDS
from reports.load.run import FAILURE_COLUMNS, Run


def failures_by_kind(run: Run) -> pd.DataFrame:
    """Return a row per request or transaction and kind of failure in FAILURE_COLUMNS; times of day in UTC."""
    kinds = kinds_over_time(run)
    if kinds.empty:
        return run.failures
    keys = ["request_type", "name", "kind"]
    found = kinds.astype(dict.fromkeys(keys, "object")).groupby(keys, sort=False)
    table = found.agg(occurrences=("n", "sum"), first_seen=("ended_s", "min"), last_seen=("ended_s", "max"))
    for column in ("first_seen", "last_seen"):
        table[column] = [_moment(unix_s) for unix_s in table[column]]
    named = table.reset_index().rename(columns={"kind": "error"})
    return named.astype({"occurrences": "float64"})[list(FAILURE_COLUMNS)]


def kinds_over_time(run: Run) -> pd.DataFrame:
    """Return how many failures of a kind ended in a second, of requests and of transactions."""
    parts = [run.intervals.kinds, run.recorded(TRANSACTION).kinds]
    found = [kinds for kinds in parts if not kinds.empty]
    return pd.concat(found, ignore_index=True) if found else NO_KINDS


def _moment(unix_s: int) -> str:
    return datetime.fromtimestamp(int(unix_s), UTC).strftime("%Y-%m-%d %H:%M:%S")
