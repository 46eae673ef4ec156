"""Locust's own CSV files in the run directory, with the true final write that Locust omits."""

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter

from pathlib import Path
from typing import Any

from plimsoll.recording.faults import Faults
from plimsoll.recording.run_clock import RunClock
from plimsoll.run_files.files import LOCUST_PREFIX

CSV_FILES = f"{LOCUST_PREFIX}_*.csv"


class RunCsvFiles(StatsCSVFileWriter):
    """Write Locust's four CSV files with full history while the run lasts."""

    def __init__(self, environment: Environment, directory: Path, clock: RunClock, faults: Faults) -> None:
        self._clock = clock
        super().__init__(
            environment, PERCENTILES_TO_REPORT, str(directory / LOCUST_PREFIX), full_history=True
        )
        self._writing = gevent.spawn(faults.tolerate, CSV_FILES, self.stats_writer)

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
            self._write_final_figures()
        self.close_files()

    def _write_final_figures(self) -> None:
        for write, writer, file in (
            (self.requests_csv, self.requests_csv_writer, self.requests_csv_filehandle),
            (self.failures_csv, self.failures_csv_writer, self.failures_csv_filehandle),
            (self.exceptions_csv, self.exceptions_csv_writer, self.exceptions_csv_filehandle),
        ):
            file.seek(0)
            write(writer)
            file.truncate()
        self._stats_history_data_rows(self.stats_history_csv_writer)

    def _stats_history_data_rows(self, csv_writer: Any, now: float = 0.0) -> None:  # noqa: ARG002 - Locust's time of day may be set
        super()._stats_history_data_rows(csv_writer, self._clock.now_unix_s)
