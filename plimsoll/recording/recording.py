"""One run, recorded from its start to its end."""

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.runners import WORKER_REPORT_INTERVAL

import itertools
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plimsoll.context import execution_of
from plimsoll.recording.declared_names import known_request_names
from plimsoll.recording.health import HealthMonitor
from plimsoll.recording.interval_recording import TICKS_PER_WRITE, IntervalRecording
from plimsoll.recording.judging import SUITE_FOLDER, StepJudge, copy_thresholds
from plimsoll.recording.live import Abort, LimitState, LimitWatch
from plimsoll.recording.options import declared_can_abort, options_of
from plimsoll.recording.run_clock import RunClock
from plimsoll.recording.run_directory import (
    CSV_FILES,
    CsvLog,
    LocustCsvFiles,
    RecordingErrors,
    ScheduleLog,
    create_run_directory,
    directory_name,
    end_reason,
    environment_fingerprint,
    file_digests,
    git_commit,
    package_versions,
    timestamp,
    write_facts,
)
from plimsoll.recording.run_plan import RunPlan, profile_of
from plimsoll.recording.worker import UNRECORDED_KEY, reported_health
from plimsoll.recording.workers import WorkerClocks, WorkerWatch
from plimsoll.redact import redact, redact_command
from plimsoll.run_files.files import (
    ABORTED,
    HEALTH_FILE,
    LOCAL,
    MASTER,
    POSTGRES_FILE,
    RESULTS_FOLDER,
    RUN_FILE,
    RUN_SCHEMA_VERSION,
    SCHEDULE_ENDED,
    SCHEDULE_FILE,
    THRESHOLDS_FILE,
    HealthRow,
)

if TYPE_CHECKING:
    from plimsoll.recording.postgres import PostgresSampler

LOG_INTERVAL_S = 1.0
# Until what is known here is in the files, with a second to spare.
WRITTEN_AFTER_S = (TICKS_PER_WRITE + 1) * LOG_INTERVAL_S

# The few lines of a run are logged also where --loglevel silences Locust.
logger = logging.getLogger("plimsoll")
logger.setLevel(logging.INFO)


class Recording:
    """Everything that is written into one run directory while its run lasts."""

    def __init__(
        self,
        environment: Environment,
        sut_version: str | None,
        set_up_s: float,
        end_load: Callable[[], None],
    ) -> None:
        self._environment, self._clock = environment, RunClock()
        self._plan = RunPlan(environment, self._clock, set_up_s)
        self._unrecorded = environment.stats.total.num_requests, environment.stats.total.num_failures
        self._end_reason: str | None = None
        self._stage: str | None = None
        self._errors = RecordingErrors()
        options, started = options_of(environment), datetime.fromtimestamp(self._clock.started_unix_s, UTC)
        wanted = options.run_dir or Path(RESULTS_FOLDER, directory_name(started, profile_of(environment)))
        self.directory = create_run_directory(Path(wanted))
        if options.thresholds:
            copy_thresholds(options.thresholds, self.directory / THRESHOLDS_FILE)
        self._facts = self._start_facts(started, sut_version)
        write_facts(self.directory, self._facts)
        self._csv_files = LocustCsvFiles(environment, self.directory, self._clock, self._errors)
        self._schedule = ScheduleLog(self.directory, self._clock)
        self._watch = WorkerWatch(environment.runner)
        self._health_file = CsvLog(self.directory / HEALTH_FILE, HealthRow._fields)
        process = MASTER if self._watch.is_watching else LOCAL
        self._health = HealthMonitor(environment, process, self._clock)
        self._clocks = WorkerClocks(self._clock, process)
        self._intervals = IntervalRecording(
            environment, self.directory, self._plan.stage_of, self._clocks, self._errors
        )
        reported_after_s = WORKER_REPORT_INTERVAL if self._watch.is_watching else 0.0
        judge = StepJudge(self.directory, reported_after_s + WRITTEN_AFTER_S)
        self._plan.judge_steps_by(judge if options.thresholds else None)
        self._end_load = end_load
        self._limit_watch: LimitWatch | None = None
        can_abort = declared_can_abort(environment)
        # It takes a core's share and 200 MB, so somebody must want to know.
        if options.thresholds and (can_abort or environment.web_ui):
            self._limit_watch = LimitWatch(self.directory, self._abort_by_limit, can_abort=can_abort)
        self._postgres: PostgresSampler | None = None
        if options.database_url:
            # Only here: psycopg takes a tenth of the start of every process of the load.
            from plimsoll.recording.postgres import PostgresSampler

            now_unix_s = lambda: self._clock.now_unix_s  # noqa: E731 - it is read anew each time
            self._postgres = PostgresSampler(options.database_url, self.directory, now_unix_s, self._errors)
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

    @property
    def limit_states(self) -> Sequence[LimitState]:
        """How the limits stood when they were looked at last, while the load went on."""
        return self._limit_watch.states if self._limit_watch else ()

    def mark_end(self, received_signal: str | None, *, schedule_ended: bool) -> None:
        """Note why the load ends, at the moment it does; *schedule_ended*: a shape ended it itself.

        The first mark holds: Locust may stop a load that a user of it has begun to stop a second time.
        """
        if self.load_has_ended:
            return
        self._note_end(
            end_reason(
                received_signal=received_signal,
                schedule_ended=schedule_ended,
                elapsed_s=self._plan.elapsed_s,
                run_time_s=self._plan.run_time_s,
            )
        )

    def abort(self, what: str) -> None:
        """Note what broke the run off, which cannot pass then; it ends the load, if nothing has yet."""
        if not self.load_has_ended:
            self._note_end(ABORTED)
        self._note(aborted=self._facts["aborted"] or what)

    def _abort_by_limit(self, abort: Abort) -> None:
        if self.load_has_ended:
            return
        at_s = round(self._plan.elapsed_s, 1)
        why = f"{abort.source}: {abort.text}"
        logger.error("%.0f s: %s; the load is aborted, and the run fails", at_s, why)
        self._note_end(f"{ABORTED}: {why}")
        self._note(aborted_by={"source": abort.source, "text": abort.text, "at_s": at_s})
        self._end_load()

    def _note_end(self, reason: str) -> None:
        if self._limit_watch:
            self._limit_watch.stop()
        self._end_reason = reason
        self._facts |= self._plan.facts()
        ended = datetime.fromtimestamp(self._clock.now_unix_s, UTC)
        self._facts |= {"ended": timestamp(ended), "end_reason": reason}

    def on_worker_report(self, worker: str, data: Mapping[str, Any]) -> None:
        """Write down what a worker sent along with its report."""
        requests, failures = data.get(UNRECORDED_KEY, (0, 0))
        self._unrecorded = self._unrecorded[0] + requests, self._unrecorded[1] + failures
        self._intervals.on_worker_report(worker, data)
        with self._errors.guard(HEALTH_FILE):
            for row in reported_health(data, self._clocks.shift_s(worker)):
                self._health_file.write(row)

    def on_stats_reset(self) -> None:
        """Note that Locust's own figures were cleared by hand while the run lasted."""
        self._note(stats_reset=True)

    def await_last_reports(self) -> None:
        """Wait for what the workers send when their users have stopped, while they are still heard."""
        self._watch.await_last_reports(self._intervals.complete_workers)

    def finish(self, *, final_write: bool) -> None:
        """Close the files; with *final_write*, first write the figures that came in after the last second."""
        self._writing.kill(block=True)
        if self._postgres:
            with self._errors.guard(POSTGRES_FILE):
                self._postgres.close()
        with self._errors.guard(SCHEDULE_FILE):
            self._schedule.close()
        with self._errors.guard(HEALTH_FILE):
            if last := self._health.stop():
                self._health_file.write(last)
        with self._errors.guard(HEALTH_FILE):
            self._health_file.close()
        # Nothing may be counted between these two: they must agree to the last request.
        with self._errors.guard(CSV_FILES):
            self._csv_files.close(final_write=final_write)
        self._intervals.close()
        total, (requests, failures) = self._environment.stats.total, self._unrecorded
        # Of Locust's counts, without those of the set-up.
        counted = {"requests": total.num_requests - requests, "failures": total.num_failures - failures}
        lost = self._watch.close(self._plan.elapsed_s, self._intervals.complete_workers)
        self._note(
            workers=sorted(self._watch.took_part),
            lost_workers=[worker._asdict() for worker in lost],
            locust_totals=counted if final_write else None,
            invariants=self._invariants,
            recording_errors=self._errors.count + self._intervals.request_errors,
            recording_fault=self._errors.first,
            clock_offsets_s=self._clocks.facts(),
            clock_steps=self._clocks.step_facts(),
            file_digests=file_digests(self.directory),
        )

    def _note(self, **facts: object) -> None:
        """Write down at once what must not be lost with this process."""
        self._facts |= facts
        with self._errors.guard(RUN_FILE):
            write_facts(self.directory, self._facts)

    @property
    def _invariants(self) -> list[dict[str, object]]:
        return [invariant._asdict() for invariant in execution_of(self._environment).invariants]

    def _start_facts(self, started: datetime, sut_version: str | None) -> dict[str, object]:
        environment, options = self._environment, options_of(self._environment)
        names = known_request_names(environment.user_classes)
        return {
            "schema_version": RUN_SCHEMA_VERSION,
            "id": self.directory.name,
            "profile": profile_of(environment),
            "journeys": sorted(user_class.__name__ for user_class in environment.user_classes),
            "request_names": names and sorted(names),
            **self._plan.facts(),
            "host": redact(environment.host) if environment.host else None,
            "command": redact_command([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "versions": package_versions(),
            "git_commit": git_commit(SUITE_FOLDER),
            "environment": environment_fingerprint(sut_version),
            "started": timestamp(started),
            "ended": None,
            "end_reason": None,
            "aborted": None,
            "aborted_by": None,
            "workers": [],
            "lost_workers": [],
            "stats_reset": options.reset_stats,
            "invariants": self._invariants,
            "locust_totals": None,
            "recording_errors": 0,
            "recording_fault": None,
            "clock_steps": [],
        }

    def _write_every_second(self) -> None:
        for second in itertools.count():
            with self._errors.guard(SCHEDULE_FILE):
                self._write_second(is_first=second == 0)
            gevent.sleep(LOG_INTERVAL_S)

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
        with self._errors.guard(SCHEDULE_FILE):
            self._schedule.write_second(elapsed_s, planned, runner.user_count, requests)
        with self._errors.guard(CSV_FILES):
            self._csv_files.flush()
        written = self._intervals.tick()
        if self._limit_watch and written is not None:
            self._limit_watch.take(written)
        if not is_first:  # the health of no time at all says nothing
            with self._errors.guard(HEALTH_FILE):
                self._health_file.write(self._health.take())
        if not self.load_has_ended:
            lost = self._watch.look(elapsed_s)
            workers = sorted(self._watch.took_part)
            if lost or workers != self._facts["workers"]:
                self._note(workers=workers, lost_workers=[each._asdict() for each in self._watch.lost])
        if self._stage != planned.stage:
            self._stage = planned.stage
            if self._postgres:
                self._postgres.note_stage(planned.stage)
            logger.info("%.0f s: %s, %d users", elapsed_s, planned.stage or SCHEDULE_ENDED, runner.user_count)
