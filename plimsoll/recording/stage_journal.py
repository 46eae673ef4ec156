"""stages.csv: what was planned and what was there, second by second."""

from __future__ import annotations

import csv
from pathlib import Path

from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_directory import STAGES_FILE
from plimsoll.recording.run_plan import Planned

COLUMNS = ("unix_s", "elapsed_s", "stage", "planned_users", "users", "planned_rate", "requests_per_s")


class StageJournal:
    """Append one row a second; each row is with the operating system as soon as it is written."""

    def __init__(self, directory: Path, clock: RunClock) -> None:
        self._clock = clock
        self._before = (0.0, 0)
        self._file = (directory / STAGES_FILE).open("w", newline="", encoding="utf-8", buffering=1)
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def write(self, elapsed_s: float, planned: Planned, users: int, requests: int) -> None:
        """Write down that *users* run at *elapsed_s*, and that *requests* have ended since the start."""
        self._writer.writerow(
            (
                round(self._clock.now_unix_s, 3),
                round(elapsed_s, 3),
                planned.stage,
                planned.users,
                users,
                None if planned.rate_per_s is None else round(planned.rate_per_s, 3),
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
