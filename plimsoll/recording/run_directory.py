"""The run directory, the only thing that is handed from a run to its judgement: its files and facts.

Files grow while the run lasts, each row with the operating system as soon as it is written. One that cannot
be written does not end the run, which cannot pass then.
"""

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.stats import PERCENTILES_TO_REPORT

import csv
import hashlib
import itertools
import json
import logging
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from plimsoll.locust_internals import ClockedCsvWriter
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_plan import Planned
from plimsoll.run_files.files import (
    JUDGED_FILES,
    LOCUST_PREFIX,
    RUN_FILE,
    RUN_TIME_REACHED,
    SCHEDULE_ENDED,
    SCHEDULE_FILE,
    ScheduleRow,
)

MAX_PROFILE_LENGTH = 100
CSV_FILES = f"{LOCUST_PREFIX}_*.csv"
PACKAGES = (
    "plimsoll",
    "locust",
    "gevent",
    "geventhttpclient",
    "psycopg",
    "pandas",
    "numpy",
    "scipy",
    "jinja2",
)
"""Those that decide what a run measures."""

logger = logging.getLogger("plimsoll")


def directory_name(started: datetime, profile: str) -> str:
    """Return `<UTC start>-<profile>`, with nothing in it that a file system or shell dislikes."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", profile)[:MAX_PROFILE_LENGTH].strip("-.")
    return f"{started:%Y%m%dT%H%M%SZ}-{words or 'run'}"


def create_run_directory(wanted: Path) -> Path:
    """Create *wanted*, or *wanted*-2, -3, … where it is taken, and return it.

    An empty directory counts as free; one with anything in it is never written to.
    """
    for number in itertools.count(1):
        candidate = wanted if number == 1 else Path(f"{wanted}-{number}")
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            if not candidate.is_dir() or any(candidate.iterdir()):
                continue
        return candidate
    raise AssertionError("unreachable: the count above has no end")


class RecordingErrors:
    """Counts the writes of a recording that failed; the first is logged, the load goes on."""

    def __init__(self) -> None:
        self.count = 0
        self.first: str | None = None
        """The first of them, with the file that could not be written."""

    @contextmanager
    def guard(self, file: str) -> Iterator[None]:
        """Count an exception of what is written to a file within this context, instead of raising it."""
        try:
            yield
        except Exception as error:
            self.count += 1
            if self.first is None:
                self.first = f"{file}: {getattr(error, 'strerror', None) or repr(error)}"
                # A full disk needs no traceback.
                is_ours = not isinstance(error, OSError)
                logger.warning(
                    "the run is not fully recorded and cannot pass: %s", self.first, exc_info=is_ours
                )


class CsvLog:
    """A CSV file that grows, each row with the operating system as soon as it is written."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self._file = path.open("w", newline="", encoding="utf-8", buffering=1)
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def write(self, row: Iterable[object]) -> None:
        """Append a row."""
        self._writer.writerow(row)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ScheduleLog(CsvLog):
    """schedule.csv: what was planned and what was there, second by second."""

    def __init__(self, directory: Path, clock: RunClock) -> None:
        super().__init__(directory / SCHEDULE_FILE, ScheduleRow._fields)
        self._clock = clock
        self._before = (0.0, 0)

    def write_second(self, elapsed_s: float, planned: Planned, users: int, requests: int) -> None:
        """Append that *users* run at *elapsed_s*, and that *requests* have ended since the start."""
        (before_s, before), self._before = self._before, (elapsed_s, requests)
        passed_s = elapsed_s - before_s
        self.write(
            ScheduleRow(
                unix_s=round(self._clock.now_unix_s, 3),
                elapsed_s=round(elapsed_s, 3),
                stage=planned.stage,
                planned_users=planned.users,
                users=users,
                planned_rate=None if planned.rate_per_s is None else round(planned.rate_per_s, 3),
                requests_per_s=round((requests - before) / passed_s, 2) if passed_s > 0 else 0.0,
            )
        )


class LocustCsvFiles(ClockedCsvWriter):
    """Locust's own four CSV files with full history, and the true final write that Locust omits."""

    def __init__(
        self, environment: Environment, directory: Path, clock: RunClock, errors: RecordingErrors
    ) -> None:
        super().__init__(
            environment,
            PERCENTILES_TO_REPORT,
            str(directory / LOCUST_PREFIX),
            full_history=True,
            now_s=lambda: clock.now_unix_s,
        )
        self._writing = gevent.spawn(errors.guard(CSV_FILES)(self.stats_writer))

    def flush(self) -> None:
        """Hand everything written so far to the operating system: a killed process loses no more."""
        self.requests_flush()
        self.stats_history_flush()
        self.failures_flush()
        self.exceptions_flush()

    def close(self, *, final_write: bool) -> None:
        """Stop writing; with *final_write*, first write the figures as they are at the end of the run.

        Without it the files keep what they held a second ago, for when Locust has cleared them.
        """
        self._writing.kill(block=True)
        if final_write:
            for write, writer, file in (
                (self.requests_csv, self.requests_csv_writer, self.requests_csv_filehandle),
                (self.failures_csv, self.failures_csv_writer, self.failures_csv_filehandle),
                (self.exceptions_csv, self.exceptions_csv_writer, self.exceptions_csv_filehandle),
            ):
                file.seek(0)
                write(writer)
                file.truncate()
            self.write_history()
        self.close_files()


def write_facts(directory: Path, facts: Mapping[str, object]) -> None:
    """Write run.json in one step, so that no reader ever sees half of it, with the digest of its facts."""
    temporary = directory / f".{RUN_FILE}.new"
    own = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    text = json.dumps({**facts, "sha256": own}, indent=2, ensure_ascii=False)
    # Paths and arguments that are no UTF-8 hold characters that JSON can write as escapes only.
    temporary.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
    os.replace(temporary, directory / RUN_FILE)  # noqa: PTH105 - the atomic call, by its own name


def file_digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each of JUDGED_FILES that is there, by its name; "" where it is unreadable."""
    digests = {}
    for path in (directory / name for name in JUDGED_FILES):
        if path.exists():
            digests[path.name] = ""  # no file has that
            with suppress(OSError), path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def timestamp(moment: datetime) -> str:
    """Return *moment* in UTC as ISO 8601 with milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of Python and of PACKAGES, as far as they are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


@cache
def git_commit(folder: Path) -> str | None:
    """Return the commit that *folder* is at, with `-dirty` where files differ; None without git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def environment_fingerprint(sut_version: str | None) -> dict[str, object]:
    """Return what must be equal for two runs to be comparable."""
    cpu_model = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu_model = next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
    return {
        "cpu_model": cpu_model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "sut_version": sut_version,
    }


def end_reason(
    *, received_signal: str | None, schedule_ended: bool, elapsed_s: float, run_time_s: float | None
) -> str:
    """Return why the run ended, in the words of run.json."""
    if received_signal:
        return received_signal
    if schedule_ended:
        return SCHEDULE_ENDED
    if run_time_s and elapsed_s >= run_time_s - 1:
        return RUN_TIME_REACHED
    return "stopped"
