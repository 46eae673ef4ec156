"""One run, recorded from its start to its end."""

from __future__ import annotations

import gevent
from locust import User
from locust.env import Environment
from locust.runners import WORKER_REPORT_INTERVAL

import itertools
import logging
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from plimsoll.loads.search_shape import SearchShape
from plimsoll.recording import run_facts
from plimsoll.recording.faults import Faults
from plimsoll.recording.health import HealthMonitor, reported_rows
from plimsoll.recording.interval_recording import TICKS_PER_WRITE, IntervalRecording
from plimsoll.recording.judging import SUITE_FOLDER, copy_thresholds
from plimsoll.recording.locust_csv import CSV_FILES, RunCsvFiles
from plimsoll.recording.options import options_of
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_directory import (
    RESULTS_FOLDER,
    CsvLog,
    create_run_directory,
    directory_name,
    file_digests,
    write_facts,
)
from plimsoll.recording.run_plan import RunPlan
from plimsoll.recording.schedule_log import ScheduleLog
from plimsoll.recording.step_judge import StepJudge
from plimsoll.recording.worker_clocks import WorkerClocks
from plimsoll.recording.worker_intervals import UNRECORDED_KEY
from plimsoll.recording.worker_watch import WorkerWatch
from plimsoll.redact import redact, redact_command, redact_name
from plimsoll.run_files.files import (
    HEALTH_FILE,
    INTERVALS_FILE,
    LOCAL,
    MASTER,
    RUN_FILE,
    RUN_SCHEMA_VERSION,
    SCHEDULE_ENDED,
    SCHEDULE_FILE,
    THRESHOLDS_FILE,
    HealthRow,
)

LOG_INTERVAL_S = 1.0
# Until what is known here is in the files, with a second to spare.
WRITTEN_AFTER_S = (TICKS_PER_WRITE + 1) * LOG_INTERVAL_S

# The few lines of a run are logged also where --loglevel silences Locust.
logger = logging.getLogger("plimsoll")
logger.setLevel(logging.INFO)


class Recording:
    """Everything that is written into one run directory while its run lasts."""

    def __init__(self, environment: Environment, sut_version: str | None, set_up_s: float) -> None:
        self._environment, self._clock = environment, RunClock()
        self._plan = RunPlan(environment, self._clock, set_up_s)
        self._unrecorded = environment.stats.total.num_requests, environment.stats.total.num_failures
        self._end_reason: str | None = None
        self._stage: str | None = None
        self._faults = Faults()
        started = datetime.fromtimestamp(self._clock.started_unix_s, UTC)
        self.directory = self._create_directory(started)
        self._facts = self._start_facts(started, sut_version)
        write_facts(self.directory, self._facts)
        self._csv_files = RunCsvFiles(environment, self.directory, self._clock, self._faults)
        self._schedule = ScheduleLog(self.directory, self._clock)
        self._workers_seen = WorkerWatch(environment.runner)
        self._workers_noted: list[str] = []
        self._health_file = CsvLog(self.directory / HEALTH_FILE, HealthRow._fields)
        process = MASTER if self._workers_seen.is_watching else LOCAL
        self._health = HealthMonitor(environment, process, self._clock)
        self._clocks = WorkerClocks(self._clock, process)
        self._intervals = IntervalRecording(
            environment, self.directory, self._plan.stage_of, self._clocks, self._faults
        )
        self._offer_verdicts()
        self._writing = gevent.spawn(self._write_every_second)
        logger.info("recording to %s", self.directory)
        run_time_s = self._plan.run_time_s
        if set_up_s >= 1 and run_time_s is not None:
            logger.info(
                "set-up in test_start took %.1f s; --run-time leaves %.1f s of load", set_up_s, run_time_s
            )

    @property
    def load_has_ended(self) -> bool:
        """Whether the users have been asked to stop."""
        return self._end_reason is not None

    @property
    def is_aborted(self) -> bool:
        """Whether something has broken the run off."""
        return self._facts["aborted"] is not None

    def mark_end(self, received_signal: str | None, *, schedule_ended: bool) -> None:
        """Note why the load ends, at the moment it does; *schedule_ended*: a shape ended it itself.

        The first mark holds: Locust may stop a load that a user of it has begun to stop a second time.
        """
        if self.load_has_ended:
            return
        self._note_end(
            run_facts.end_reason(
                received_signal=received_signal,
                schedule_ended=schedule_ended,
                elapsed_s=self._plan.elapsed_s,
                run_time_s=self._plan.run_time_s,
            )
        )

    def abort(self, what: str) -> None:
        """Note what broke the run off, which cannot pass then; it ends the load, if nothing has yet."""
        if not self.load_has_ended:
            self._note_end("aborted")
        self._note(aborted=self._facts["aborted"] or what)

    def _note_end(self, reason: str) -> None:
        self._end_reason = reason
        self._facts |= self._plan.facts()
        ended = datetime.fromtimestamp(self._clock.now_unix_s, UTC)
        self._facts |= {"ended": run_facts.timestamp(ended), "end_reason": reason}

    def on_worker_report(self, worker: str, data: Mapping[str, Any]) -> None:
        """Write down what a worker sent along with its report."""
        requests, failures = data.get(UNRECORDED_KEY, (0, 0))
        self._unrecorded = self._unrecorded[0] + requests, self._unrecorded[1] + failures
        self._intervals.on_worker_report(worker, data)
        self._faults.tolerate(HEALTH_FILE, lambda: self._write_health(worker, data))

    def on_stats_reset(self) -> None:
        """Note that Locust's own figures were cleared by hand while the run lasted."""
        self._note(stats_reset=True)

    def await_last_reports(self) -> None:
        """Wait for what the workers send when their users have stopped, while they are still heard."""
        self._workers_seen.await_last_reports(self._intervals.complete_workers)

    def finish(self, *, final_write: bool) -> None:
        """Close the files; with *final_write*, first write the figures that came in after the last second."""
        self._writing.kill(block=True)
        # Nothing may be counted between the last two: they must agree to the last request.
        for file, close in (
            (SCHEDULE_FILE, self._schedule.close),
            (HEALTH_FILE, self._write_last_health),
            (HEALTH_FILE, self._health_file.close),
            (CSV_FILES, lambda: self._csv_files.close(final_write=final_write)),
            (INTERVALS_FILE, self._intervals.close),
        ):
            self._faults.tolerate(file, close)
        totals = self._totals() if final_write else None
        lost = self._workers_seen.close(self._plan.elapsed_s, self._intervals.complete_workers)
        self._facts |= {"workers": sorted(self._workers_seen.took_part), "locust_totals": totals}
        self._facts |= {"lost_workers": [worker._asdict() for worker in lost]}
        self._note(**self._recording_facts())

    def _offer_verdicts(self) -> None:
        """Have a shape that searches for the breakpoint learn how its steps went, where there are limits."""
        shape = self._environment.shape_class
        if not isinstance(shape, SearchShape):
            return
        reported_after_s = WORKER_REPORT_INTERVAL if self._workers_seen.is_watching else 0.0
        has_limits = (self.directory / THRESHOLDS_FILE).exists()
        shape.judge = StepJudge(self.directory, reported_after_s + WRITTEN_AFTER_S) if has_limits else None

    def _recording_facts(self) -> dict[str, object]:
        """Return what is known about the recording itself."""
        return {
            "recording_errors": self._faults.count + self._intervals.request_errors,
            "recording_fault": self._faults.first,
            "clock_offsets_s": self._clocks.facts(),
            "clock_steps": self._clocks.step_facts(),
            "file_digests": file_digests(self.directory),
        }

    def _note(self, **facts: object) -> None:
        """Write down at once what must not be lost with this process."""
        self._facts |= facts
        self._faults.tolerate(RUN_FILE, lambda: write_facts(self.directory, self._facts))

    def _create_directory(self, started: datetime) -> Path:
        options = options_of(self._environment)
        wanted = options.run_dir or Path(RESULTS_FOLDER, directory_name(started, self._profile()))
        directory = create_run_directory(Path(wanted))
        if options.thresholds:
            copy_thresholds(Path(options.thresholds), directory / THRESHOLDS_FILE)
        return directory

    def _start_facts(self, started: datetime, sut_version: str | None) -> dict[str, object]:
        environment, options = self._environment, options_of(self._environment)
        names = known_request_names(environment.user_classes)
        return {
            "schema_version": RUN_SCHEMA_VERSION,
            "id": self.directory.name,
            "profile": self._profile(),
            "journeys": sorted(user_class.__name__ for user_class in environment.user_classes),
            "request_names": names and sorted(names),
            **self._plan.facts(),
            "host": redact(environment.host) if environment.host else None,
            "command": redact_command([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "versions": run_facts.package_versions(),
            "git_commit": run_facts.git_commit(SUITE_FOLDER),
            "environment": run_facts.environment_fingerprint(sut_version),
            "started": run_facts.timestamp(started),
            "ended": None,
            "end_reason": None,
            "aborted": None,
            "workers": [],
            "lost_workers": [],
            "stats_reset": options.reset_stats,
            "locust_totals": None,
            "recording_errors": 0,
            "recording_fault": None,
            "clock_steps": [],
        }

    def _totals(self) -> dict[str, int]:
        """Return the requests and failures that Locust counted, without those of the set-up."""
        total, (requests, failures) = self._environment.stats.total, self._unrecorded
        return {"requests": total.num_requests - requests, "failures": total.num_failures - failures}

    def _profile(self) -> str:
        journeys = "-".join(sorted(user_class.__name__ for user_class in self._environment.user_classes))
        return redact(self._environment.profile or "") or journeys[:60]

    def _write_every_second(self) -> None:
        for second in itertools.count():
            self._faults.tolerate(SCHEDULE_FILE, partial(self._write_second, is_first=second == 0))
            gevent.sleep(LOG_INTERVAL_S)

    def _write_health(self, worker: str, data: Mapping[str, Any]) -> None:
        for row in reported_rows(data, self._clocks.shift_s(worker)):
            self._health_file.write(row)

    def _write_last_health(self) -> None:
        if last := self._health.stop():
            self._health_file.write(last)

    def _write_second(self, *, is_first: bool) -> None:
        assert self._environment.runner is not None
        runner, elapsed_s = self._environment.runner, self._plan.elapsed_s
        self._clock.look()
        if (clock_steps := self._clocks.step_facts()) != self._facts["clock_steps"]:
            self._note(clock_steps=clock_steps)
        if self._plan.has_changed():
            self._note(**self._plan.facts())
        planned = self._plan.now(None if self.load_has_ended else runner)
        requests = self._environment.stats.total.num_requests
        write_schedule = partial(self._schedule.write, elapsed_s, planned, runner.user_count, requests)
        self._faults.tolerate(SCHEDULE_FILE, write_schedule)
        self._faults.tolerate(CSV_FILES, self._csv_files.flush)
        self._intervals.tick()
        if not is_first:  # the health of no time at all says nothing
            self._faults.tolerate(HEALTH_FILE, lambda: self._health_file.write(self._health.take()))
        if not self.load_has_ended:
            lost = self._workers_seen.look(elapsed_s)
            if lost or len(self._workers_seen.took_part) != len(self._workers_noted):
                self._workers_noted = sorted(self._workers_seen.took_part)
                self._note(
                    workers=self._workers_noted,
                    lost_workers=[worker._asdict() for worker in self._workers_seen.lost],
                )
        if self._stage != planned.stage:
            self._stage = planned.stage
            logger.info("%.0f s: %s, %d users", elapsed_s, planned.stage or SCHEDULE_ENDED, runner.user_count)


def known_request_names(user_classes: Iterable[type[User]]) -> set[str] | None:
    """Return every request name the journeys declare, as it is recorded; None where one declares none."""
    names: set[str] = set()
    for user_class in user_classes:
        declared: Iterable[str] | None = getattr(user_class, "request_names", None)
        if declared is None:
            return None
        names.update(map(redact_name, declared))
    return names
