"""The failures of a run by their errors: as recorded second by second, or as Locust counted them.

Failures of transactions are among them, by what failed first in each, and are not counted as requests'.
"""

from datetime import UTC, datetime

import pandas as pd

from plimsoll.run_files.intervals import TRANSACTION
from reports.load.intervals import NO_ERRORS
from reports.load.run import FAILURE_COLUMNS, Run


def failures_by_error(run: Run) -> pd.DataFrame:
    """Return a row per request or transaction and error in FAILURE_COLUMNS; times of day in UTC."""
    errors = errors_by_second(run)
    if errors.empty:
        return run.failures
    keys = ["request_type", "name", "error"]
    found = errors.astype(dict.fromkeys(keys, "object")).groupby(keys, sort=False)
    table = found.agg(occurrences=("n", "sum"), first_seen=("ended_s", "min"), last_seen=("ended_s", "max"))
    for column in ("first_seen", "last_seen"):
        table[column] = [_moment(unix_s) for unix_s in table[column]]
    return table.reset_index().astype({"occurrences": "float64"})[list(FAILURE_COLUMNS)]


def errors_by_second(run: Run) -> pd.DataFrame:
    """Return how many failures with an error ended in a second, of requests and of transactions."""
    parts = [run.intervals.errors, run.recorded(TRANSACTION).errors]
    found = [errors for errors in parts if not errors.empty]
    return pd.concat(found, ignore_index=True) if found else NO_ERRORS


def _moment(unix_s: int) -> str:
    return datetime.fromtimestamp(int(unix_s), UTC).strftime("%Y-%m-%d %H:%M:%S")
