"""The failures of a run by kind: as recorded second by second, or as Locust counted them."""

from datetime import UTC, datetime

import pandas as pd

from reports.load.run import FAILURE_COLUMNS, Run


def failures_by_kind(run: Run) -> pd.DataFrame:
    """Return a row per request and kind of failure in FAILURE_COLUMNS; times of day in UTC."""
    kinds = run.intervals.kinds
    if kinds.empty:
        return run.failures
    keys = ["request_type", "name", "kind"]
    found = kinds.astype(dict.fromkeys(keys, "object")).groupby(keys, sort=False)
    table = found.agg(occurrences=("n", "sum"), first_seen=("ended_s", "min"), last_seen=("ended_s", "max"))
    for column in ("first_seen", "last_seen"):
        table[column] = [_moment(unix_s) for unix_s in table[column]]
    named = table.reset_index().rename(columns={"kind": "error"})
    return named.astype({"occurrences": "float64"})[list(FAILURE_COLUMNS)]


def _moment(unix_s: int) -> str:
    return datetime.fromtimestamp(int(unix_s), UTC).strftime("%Y-%m-%d %H:%M:%S")
