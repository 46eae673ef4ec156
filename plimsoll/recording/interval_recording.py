"""intervals.arrow of one run, of this process's own requests or of what the workers report."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import MasterRunner

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from plimsoll.recording.intervals import IntervalFile, batch_from_message
from plimsoll.recording.options import declared_limits_ms
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_directory import RecordingErrors
from plimsoll.recording.worker import FINAL_KEY, INTERVALS_KEY, NUMBER_KEY, STEPS_KEY
from plimsoll.recording.workers import WorkerClocks
from plimsoll.run_files.files import INTERVALS_FILE, LOCAL

# A batch a second would take a third more room. With 3 s between reports a killed master loses at most 5 s.
TICKS_PER_WRITE = 2

logger = logging.getLogger("plimsoll")


class IntervalRecording:
    """Takes what was seen each second and appends it to the file, per worker, as it comes."""

    def __init__(
        self,
        environment: Environment,
        directory: Path,
        stage_of: Callable[[int], str],
        clocks: WorkerClocks,
        errors: RecordingErrors,
    ) -> None:
        self._environment, self._stage_of = environment, stage_of
        limits_ms = declared_limits_ms(environment)
        self._file = IntervalFile(directory / INTERVALS_FILE, limits_ms)
        is_master = isinstance(environment.runner, MasterRunner)
        self._recorder = None if is_master else RequestRecorder(limits_ms, clocks.clock)
        self._ticks = 0
        self._worker_errors: dict[str, int] = {}
        self._last_numbers: dict[str, int] = {}
        self._lost_reports = 0
        self.complete_workers: set[str] = set()
        self._clocks, self._errors = clocks, errors
        if self._recorder:
            self._recorder.listen(environment)

    def tick(self) -> pa.RecordBatch | None:
        """Take the requests of the second that has passed, once a second; return what was written, if any."""
        self._ticks += 1
        with self._errors.guard(INTERVALS_FILE):
            self._aggregate()
        if self._ticks % TICKS_PER_WRITE == 0:
            with self._errors.guard(INTERVALS_FILE):
                return self._file.write()
        return None

    def on_worker_report(self, worker: str, data: Mapping[str, Any]) -> None:
        """Take what a worker sent along with Locust's own report."""
        if INTERVALS_KEY not in data:
            return
        with self._errors.guard(INTERVALS_FILE):
            report = data[INTERVALS_KEY]
            if report.get(FINAL_KEY):
                self.complete_workers.add(worker)
            self._worker_errors[worker] = report["errors"]
            lost = report[NUMBER_KEY] - self._last_numbers.get(worker, 0) - 1
            self._last_numbers[worker] = report[NUMBER_KEY]
            if lost:
                self._lost_reports += lost
                logger.error("%d reports of worker %s were lost; this run cannot pass", lost, worker)
            self._clocks.note(worker, report["sent_s"], report[STEPS_KEY])
            shift_s = self._clocks.shift_s(worker)
            for message in report["batches"]:
                self._file.append(batch_from_message(message), worker, self._stage_of, shift_s)

    def close(self) -> None:
        """Take what came in after the last second and close the file."""
        with self._errors.guard(INTERVALS_FILE):
            if self._recorder:
                self._recorder.stop(self._environment)
        with self._errors.guard(INTERVALS_FILE):
            self._aggregate()
        with self._errors.guard(INTERVALS_FILE):
            self._file.close()

    @property
    def request_errors(self) -> int:
        """Return how many requests, here and on the workers, and reports of these could not be recorded."""
        own = self._recorder.errors if self._recorder else 0
        return own + sum(self._worker_errors.values()) + self._lost_reports

    def _aggregate(self) -> None:
        batch = self._recorder.aggregate() if self._recorder else None
        if batch:
            self._file.append(batch, LOCAL, self._stage_of)
