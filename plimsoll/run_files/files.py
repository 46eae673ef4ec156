"""The files of a run directory: their names, the versions of their schemas, the columns of the CSV files."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

RESULTS_FOLDER = "results"
"""Where the run directories are, in the working directory."""
RUN_FILE = "run.json"
RUN_SCHEMA_VERSION = 3
DIGESTS_SINCE = 2
"""The first schema version of run.json with digests: what was recorded before is judged without them."""
CLOSED, PACED, OPEN = "closed", "paced", "open"
"""The load models of run.json."""
PLANNED_ENDS = SCHEDULE_ENDED, RUN_TIME_REACHED = "schedule ended", "run time reached"
"""The end reasons of run.json that are no interruption."""
ABORTED = "aborted"
"""The end reason of a run that was broken off, with the limit behind it where one has ended the load."""
SCHEDULE_FILE = "schedule.csv"
SCHEDULE_FILE_UNTIL_2 = "stages.csv"
HEALTH_FILE = "health.csv"
POSTGRES_FILE, STATEMENTS_FILE = "postgres.csv", "statements.csv"
"""There only where a database was sampled."""
INTERVALS_FILE = "intervals.arrow"
THRESHOLDS_FILE = "thresholds.yaml"
LOCUST_PREFIX = "locust"
STATS_SUFFIX, HISTORY_SUFFIX = "_stats.csv", "_stats_history.csv"
FAILURES_SUFFIX, EXCEPTIONS_SUFFIX = "_failures.csv", "_exceptions.csv"
LOCUST_SUFFIXES = (STATS_SUFFIX, HISTORY_SUFFIX, FAILURES_SUFFIX, EXCEPTIONS_SUFFIX)
JUDGED_FILES = (
    INTERVALS_FILE,
    SCHEDULE_FILE,
    HEALTH_FILE,
    POSTGRES_FILE,
    f"{LOCUST_PREFIX}{EXCEPTIONS_SUFFIX}",
    THRESHOLDS_FILE,
)
"""What the judge would believe if it were damaged after the run: run.json has the digest of each."""
VERDICT_FILE = "verdict.json"
VERDICT_SCHEMA_VERSION = 2
REPORT_FILE = "report.html"
JUNIT_FILE = "junit.xml"
SUMMARY_FILE = "summary.md"
VIEW_FILES = (REPORT_FILE, JUNIT_FILE, SUMMARY_FILE)
"""What is written of a verdict for its readers, before verdict.json itself."""


class Invariant(NamedTuple):
    """One of the invariants of run.json: what had to hold of the service's data after the run.

    holds is None where it was not verified; text says what is wrong, or why it was not.
    """

    name: str
    holds: bool | None = None
    text: str = ""


class ScheduleRow(NamedTuple):
    """One second of a run; the fields are the columns of schedule.csv.

    planned_users or planned_rate, in iterations started a second, is None where the other one is planned,
    both and stage are where the schedule has ended.
    """

    unix_s: float
    elapsed_s: float
    stage: str | None
    planned_users: int | None
    users: int
    planned_rate: float | None
    requests_per_s: float


LOCAL, MASTER = "local", "master"
"""The processes of health.csv and intervals.arrow that are no workers."""
LATE_MS = 10.0
VERY_LATE_MS = 20.0


class HealthRow(NamedTuple):
    """One second of one process; the fields are the columns of health.csv.

    cpu_ratio is of one core, or with the processes that help this one, such as a browser, of its share of all
    cores, whichever is more; host_cpu_ratio and steal_ratio are of all cores. wait_ratio is the share of the
    time in which the event loop could have run and had no CPU. Lag is by how much a sleep was too long;
    lag_late and lag_very_late count the samples over LATE_MS and VERY_LATE_MS, stalled_ms is the time in
    which nothing could run: the lags of a sleep or longer. in_flight is the mean of the second, in_flight_max
    the most at once. started, late and dropped are iterations of a schedule, none without one: started, of
    those later than intended, and never started for lack of a free user. None is unknown.
    """

    unix_s: float
    process: str
    pid: int
    cpu_ratio: float
    rss_bytes: int
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    lag_max_ms: float | None
    lag_samples: int
    lag_late: int
    lag_very_late: int
    users: int
    in_flight: float
    dropped: int
    host_cpu_ratio: float
    steal_ratio: float | None
    wait_ratio: float | None
    in_flight_max: int
    started: int
    late: int
    stalled_ms: float


class PostgresRow(NamedTuple):
    """One second of the database server; the fields are the columns of postgres.csv.

    connections are those of clients but the sampler's, by their states active, idle and idle_in_transaction;
    waiting are those that wait for a lock, max_connections is how many there may be of ordinary roles. The
    times are those of the oldest transaction that is idle and of the longest statement. root_blocker is the
    process that most others wait for, blocked how many. What follows are counters of all databases together,
    which only grow. None is unknown.
    """

    unix_s: float
    connections: int
    active: int | None
    idle: int | None
    idle_in_transaction: int | None
    waiting: int | None
    max_connections: int | None
    idle_in_transaction_max_s: float | None
    active_max_s: float | None
    root_blocker: int | None
    blocked: int
    commits: int
    rollbacks: int
    blks_hit: int
    blks_read: int
    rows_returned: int
    rows_fetched: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    temp_bytes: int
    deadlocks: int
    checkpoints_timed: int | None
    checkpoints_requested: int | None
    wal_bytes: int | None


class StatementRow(NamedTuple):
    """One statement in one stage; the fields are the columns of statements.csv.

    The statements that took most time are there, with their normalised text and by how much their totals in
    pg_stat_statements have grown.
    """

    stage: str
    queryid: str
    query: str
    calls: int
    rows: int
    total_ms: float
    temp_blocks_written: int


# The columns of Locust's own files that are read, by their headings; percentiles such as "99.9%" besides.
LOCUST_STATS = {
    "Type": "request_type",
    "Name": "name",
    "Request Count": "n",
    "Failure Count": "failures",
    "Average Response Time": "mean_ms",
    "Min Response Time": "min_ms",
    "Max Response Time": "max_ms",
    "Average Content Size": "mean_bytes",
    "Requests/s": "rps",
}
# Counts and means are cumulated since the start. Percentiles are of a sliding window of 10 s in files with
# rows by name (--csv-full-history), and cumulated without.
LOCUST_HISTORY = {
    "Timestamp": "unix_s",
    "User Count": "users",
    "Type": "request_type",
    "Name": "name",
    "Total Request Count": "n",
    "Total Failure Count": "failures",
    "Total Average Response Time": "mean_ms",
    "Requests/s": "rps",
    "50%": "p50_ms",
    "95%": "p95_ms",
    "99%": "p99_ms",
}
LOCUST_FAILURES = {
    "Method": "request_type",
    "Name": "name",
    "Error": "error",
    "Occurrences": "occurrences",
    "First Seen": "first_seen",
    "Last Seen": "last_seen",
}
LOCUST_EXCEPTIONS = {"Count": "count", "Message": "message", "Traceback": "traceback"}


def threshold_files(names: Iterable[str]) -> list[Path]:
    """Return the thresholds files that are named; what is no file may be several, with commas between."""
    files: list[Path] = []
    for name in names:
        # Path.exists would raise an error for a name that no file can have.
        parts = [name] if os.path.exists(name) else name.split(",")  # noqa: PTH110
        files += [Path(part.strip()) for part in parts if part.strip()]
    return files
