"""schedule.csv: what was planned and what was there, second by second."""

from __future__ import annotations

from pathlib import Path

from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_directory import CsvLog
from plimsoll.recording.run_plan import Planned
from plimsoll.run_files.files import SCHEDULE_FILE, ScheduleRow


class ScheduleLog:
    """Append one row a second."""

    def __init__(self, directory: Path, clock: RunClock) -> None:
        self._clock = clock
        self._before = (0.0, 0)
        self._file = CsvLog(directory / SCHEDULE_FILE, ScheduleRow._fields)

    def write(self, elapsed_s: float, planned: Planned, users: int, requests: int) -> None:
        """Write down that *users* run at *elapsed_s*, and that *requests* have ended since the start."""
        (before_s, before), self._before = self._before, (elapsed_s, requests)
        passed_s = elapsed_s - before_s
        self._file.write(
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

    def close(self) -> None:
        """Close the file."""
        self._file.close()
