"""What is known about one finished (or cut short) run, as tables in fixed columns.

Every unknown number is NaN, every missing file an empty table; `Run.warnings` says in words what was missing
or odd. Times of day are Unix seconds (UTC), latencies milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from plimsoll.run_files.advice import Advice
from plimsoll.run_files.files import (
    LOCUST_EXCEPTIONS,
    LOCUST_FAILURES,
    LOCUST_HISTORY,
    LOCUST_STATS,
    OPEN,
    PACED,
    SCHEDULE_FILE,
    HealthRow,
    Invariant,
    PostgresRow,
    ScheduleRow,
)
from reports.load.intervals import NO_INTERVALS, Intervals

AGGREGATED = "Aggregated"
"""Name of Locust's own row over all requests."""

REQUEST_KEYS = ["request_type", "name"]
"""What tells one request from another."""
REQUEST_COLUMNS = tuple(LOCUST_STATS.values())
"""Columns that `Run.requests` and `Run.total` always have; percentiles (`p95_ms`) follow as present."""

HISTORY_COLUMNS = tuple(LOCUST_HISTORY.values())
FAILURE_COLUMNS = tuple(LOCUST_FAILURES.values())
EXCEPTION_COLUMNS = tuple(LOCUST_EXCEPTIONS.values())
STAGE_COLUMNS = ScheduleRow._fields
HEALTH_COLUMNS = HealthRow._fields
POSTGRES_COLUMNS = PostgresRow._fields


TEXTS = {
    "request_type",
    "name",
    "error",
    "first_seen",
    "last_seen",
    "message",
    "traceback",
    "stage",
    "process",
}


@dataclass(frozen=True)
class Stage:
    """Hold one planned stage of a shape, in seconds since the start (already scaled).

    The load is in users, or under an open load in iterations started a second.
    """

    name: str
    from_s: float
    to_s: float
    from_load: float
    to_load: float


@dataclass(frozen=True)
class Arrivals:
    """Hold what an open load planned: how many iterations, and how they are spaced."""

    planned: int
    spacing: str | None = None


@dataclass(frozen=True)
class ClockStep:
    """Hold by how much the wall clock of a process went forward (back, below 0), and when in the run.

    Its machine was suspended for `suspended_s` of it; None where that is not known.
    """

    process: str
    at_s: float
    forward_s: float
    suspended_s: float | None = None


@dataclass(frozen=True)
class LimitAbort:
    """Hold which limit ended the load before its time, what was said of it then, and when in the run."""

    source: str
    text: str
    at_s: float


@dataclass(frozen=True)
class RunMeta:
    """Hold what run.json says; for plain Locust CSVs only what could be deduced from them.

    `recorded` tells the two apart: without run.json an unknown end reason is no sign of a dead process.
    """

    id: str
    profile: str | None = None
    journeys: Sequence[str] = ()
    request_names: Sequence[str] | None = None
    load_model: str | None = None
    """closed, paced (users who keep a pace of their own) or open (arrivals)."""
    arrivals: Arrivals | None = None
    shape: str | None = None
    stages: Sequence[Stage] = ()
    steps: Sequence[str] = ()
    """Names of the stages that are judged one by one."""
    is_search: bool = False
    """Whether the steps were chosen by the verdicts on those before, up to where the limits break."""
    planned_duration_s: float | None = None
    set_up_s: float = 0.0
    """How long listeners of test_start took before the run; without a shape it is time of --run-time."""
    warm_up_s: float = 0.0
    """How long from its start the run is not judged, as planned."""
    user_scale: float = 1.0
    time_scale: float = 1.0
    host: str | None = None
    command: Sequence[str] = ()
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    environment: dict[str, object] = field(default_factory=dict)
    started: str | None = None
    ended: str | None = None
    end_reason: str | None = None
    aborted: str | None = None
    """What in the locustfile ended the process before its time, as a sys.exit(), and where."""
    aborted_by: LimitAbort | None = None
    workers: Sequence[str] = ()
    recorded: bool = False
    has_intervals: bool = False
    """Whether the run was recorded second by second, so that intervals.arrow and health.csv must be there."""
    lost_workers: Sequence[str] = ()
    clock_offsets_s: dict[str, float] = field(default_factory=dict)
    clock_steps: Sequence[ClockStep] = ()
    invariants: Sequence[Invariant] = ()
    stats_reset: bool = False
    recording_errors: int = 0
    recording_fault: str | None = None
    """The first of them, with the file that could not be written."""
    locust_totals: tuple[int, int] | None = None
    """Requests and failures as Locust counted them, at the end of the run."""
    has_digests: bool = False
    """Whether the run was recorded with digests, of run.json itself and of the judged files."""
    is_as_written: bool = False
    """Whether run.json has the digest that was written into it."""
    schedule_file: str = SCHEDULE_FILE
    """The name of schedule.csv, which was another one until schema version 2."""
    file_digests: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the judged files at the end of the run, by name; none of a process that died before."""


@dataclass(frozen=True)
class Run:
    """Hold one run: its description and Locust's tables in the columns named above."""

    meta: RunMeta
    requests: pd.DataFrame
    total: pd.DataFrame
    history: pd.DataFrame
    failures: pd.DataFrame
    exceptions: pd.DataFrame
    stages: pd.DataFrame
    warnings: Sequence[str] = ()
    intervals: Intervals = NO_INTERVALS
    iterations: Intervals = NO_INTERVALS
    """What was recorded of whole iterations of the users' tasks, where a schedule started them."""
    custom: Mapping[str, Intervals] = field(default_factory=dict)
    """What the journeys measured besides, by its type: transactions, and metrics of each kind."""
    health: pd.DataFrame = field(default_factory=lambda: empty_frame(HEALTH_COLUMNS))
    postgres: pd.DataFrame = field(default_factory=lambda: empty_frame(POSTGRES_COLUMNS))
    """What was sampled of the database server."""
    damage: Sequence[str] = ()
    """What is missing of the files and would have to be there for a pass, in words."""
    earlier: Mapping[str, "Run"] = field(default_factory=dict)
    """The runs that limits are set by, under the names that the thresholds give them ("" for the default)."""
    advice: Advice | None = None
    """What would make the database faster, where `plimsoll advise` was asked."""

    def recorded(self, custom_type: str) -> Intervals:
        """Return what the journeys measured of a type, nothing where there is none."""
        return self.custom.get(custom_type, NO_INTERVALS)

    @property
    def duration_s(self) -> float | None:
        """Return the seconds from start to end: of run.json where both are known, else as Locust tells them.

        Locust's history lacks up to ten seconds at its end, and after the last request users may have waited.
        It is as long as its last stretch in which the counts did not begin again.
        """
        if self.meta.started is not None and self.meta.ended is not None:
            try:
                started, ended = map(datetime.fromisoformat, (self.meta.started, self.meta.ended))
                return max((ended - started).total_seconds(), 0.0)
            except (ValueError, TypeError):
                pass  # a foreign run.json: the files know as well
        if self.intervals:
            return max(self.intervals.end_s - self.started_unix_s, 0.0)
        known_s = [] if self.requests_s is None else [self.requests_s]
        whole = self.history[self.history["name"] == AGGREGATED]
        if len(whole):
            began = np.flatnonzero(whole["n"].diff() < 0)
            first_s = whole["unix_s"].iloc[began[-1] if len(began) else 0]
            known_s.append(float(whole["unix_s"].max() - first_s))
        return max(known_s, default=None)

    @property
    def requests_s(self) -> float | None:
        """Return the seconds up to the last request: Locust's Requests/s are counts over this time."""
        n, rps = float(self.total["n"].sum()), float(self.total["rps"].sum())
        return n / rps if n > 0 and rps > 0 else None

    @property
    def started_unix_s(self) -> float:
        """Return when the run started: as recorded, otherwise at its first history row (0 without any)."""
        if self.meta.started:
            try:
                return datetime.fromisoformat(self.meta.started).timestamp()
            except ValueError:
                pass  # a foreign run.json: the history knows as well
        first = self.history["unix_s"].min()
        return 0.0 if pd.isna(first) else float(first)

    @property
    def made(self) -> tuple[int, int]:
        """Return how many requests were finished and how many of them failed."""
        if self.intervals:
            return int(self.intervals.total("n")), int(self.intervals.total("failures"))
        return int(self.total["n"].sum()), int(self.total["failures"].sum())

    @property
    def names(self) -> list[str]:
        """Return the names of the requests that were made, each once."""
        return self.intervals.names if self.intervals else [str(n) for n in self.requests["name"].unique()]

    @property
    def has_schedule(self) -> bool:
        """Tell whether iterations had an intended start."""
        return self.meta.load_model in {OPEN, PACED}

    @property
    def iterations_counted(self) -> dict[str, float]:
        """Return how many iterations were started, late and dropped over the run; NaN if unknown."""
        return {key: float(self.health[key].sum(min_count=1)) for key in ("started", "late", "dropped")}

    @property
    def has_named_history(self) -> bool:
        """Tell whether the history has a row per request name (--csv-full-history)."""
        return bool((self.history["name"] != AGGREGATED).any())


def empty_frame(columns: Sequence[str]) -> pd.DataFrame:
    """Return a table without rows: text columns of type object, all others float."""
    return pd.DataFrame({c: pd.Series(dtype="object" if c in TEXTS else "float64") for c in columns})
