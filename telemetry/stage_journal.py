"""stages.csv: the users that were planned and the users that were there, second by second."""

from __future__ import annotations

import csv
import time
from pathlib import Path

from shapes.schedule import Schedule
from telemetry.run_directory import STAGES_FILE

COLUMNS = ("unix_s", "elapsed_s", "stage", "planned_users", "users", "planned_rate", "requests_per_s")


class StageJournal:
    """Append one row a second; each row is with the operating system as soon as it is written."""

    def __init__(self, directory: Path, schedule: Schedule | None) -> None:
        self._schedule = schedule
        self._before = (0.0, 0)
        self._file = (directory / STAGES_FILE).open("w", newline="", encoding="utf-8", buffering=1)
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def write(self, elapsed_s: float, users: int, requests: int, wanted_users: int | None) -> None:
        """Write down that *users* run at *elapsed_s* and that *requests* have been counted since the start.

        Without a schedule the plan is what Locust was told, *wanted_users*, from the first second on. Users
        who wait for their answers have no planned rate.
        """
        stage = self._schedule.stage_at(elapsed_s) if self._schedule else None
        planned_users = self._schedule.users_at(elapsed_s) if self._schedule else wanted_users
        self._writer.writerow(
            (
                round(time.time(), 3),
                round(elapsed_s, 3),
                stage,
                planned_users,
                users,
                None,
                self._rate(elapsed_s, requests),
            )
        )

    def _rate(self, elapsed_s: float, requests: int) -> float:
        """Return the requests a second since the row before."""
        (before_s, before), self._before = self._before, (elapsed_s, requests)
        return round((requests - before) / (elapsed_s - before_s), 2) if elapsed_s > before_s else 0.0

    def close(self) -> None:
        """Close the file."""
        self._file.close()
