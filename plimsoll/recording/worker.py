"""A worker's side of a run: it records, reports to its master, and ends with it.

`docs/architecture.md` lists what it sends. Nothing that its users raise ends it: it reports that to
the master, which ends the run.
"""

from __future__ import annotations

import gevent
from locust import runners
from locust.env import Environment
from locust.runners import WorkerRunner

import logging
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from plimsoll.listening import listen_first, listen_last
from plimsoll.locust_internals import send_report
from plimsoll.recording.exits import Signals, contain_exits, exit_now, interrupt_main
from plimsoll.recording.health import HealthMonitor
from plimsoll.recording.intervals import Message
from plimsoll.recording.options import declared_limits_ms, options_of
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.run_files.files import HealthRow

# What a worker adds to Locust's own report under these keys: rows of health.csv; rows of intervals.arrow; how
# many requests and failures of Locust's report were made while nothing was recorded, as in a set-up.
HEALTH_KEY, INTERVALS_KEY, UNRECORDED_KEY = "plimsoll_health", "plimsoll_intervals", "plimsoll_unrecorded"
# With the rows of intervals: the number of the report, from 1 in each run, so that a lost one is missed;
# when, and by how much, the wall clock of this process was set; whether nothing more will come.
NUMBER_KEY, STEPS_KEY, FINAL_KEY = "number", "clock_steps", "final"
INTERVAL_S = 1.0

ABORTED_MESSAGE = "plimsoll_aborted"
# A master answers each heartbeat, one a second, and is taken for gone as workers are.
SILENT_S = float(runners.HEARTBEAT_LIVENESS + runners.HEARTBEAT_INTERVAL)
STOP_LIMIT_S = 5.0
LOOK_INTERVAL_S = 0.5

logger = logging.getLogger("plimsoll")


class WorkerRecording:
    """Records every run of a worker; what is measured last is sent when its users have stopped."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._environment, self._runner = environment, runner
        self._clock = RunClock()
        self._recorder: RequestRecorder | None = None
        self._monitor: HealthMonitor | None = None
        self._measuring: gevent.Greenlet | None = None
        self._batches: list[Message] = []
        self._health: list[HealthRow] = []
        self._unrecorded = 0, 0
        self._reports = 0
        self._is_final = False
        listen_last(environment.events.test_start, self._on_test_start)
        listen_last(environment.events.test_stop, self._on_test_stop)
        environment.events.report_to_master.add_listener(self._on_report)
        # Ended by a signal, a worker would say goodbye to the master and never send its last samples.
        environment.events.quitting.add_listener(lambda **_: runner.stop())

    def _on_test_start(self, **_: Any) -> None:
        self._stop_measuring()
        self._batches, self._health = [], []
        self._reports, self._is_final = 0, False
        self._clock = RunClock()
        total = self._environment.stats.total
        self._unrecorded = total.num_requests, total.num_failures
        recorder = RequestRecorder(declared_limits_ms(self._environment), self._clock)
        recorder.listen(self._environment)
        monitor = HealthMonitor(self._environment, process="", clock=self._clock)

        def measure() -> None:
            while True:
                gevent.sleep(INTERVAL_S)
                self._health.append(monitor.take())
                self._aggregate(recorder)

        self._recorder, self._monitor = recorder, monitor
        self._measuring = gevent.spawn(measure)

    def _on_test_stop(self, **_: Any) -> None:
        if self._recorder is None:
            return
        self._stop_measuring()
        self._is_final = True
        try:
            send_report(self._runner)
        finally:
            self._recorder = None

    def _stop_measuring(self) -> None:
        if self._measuring:
            self._measuring.kill(block=False)
        if self._recorder:
            self._recorder.stop(self._environment)
        if self._monitor and (last := self._monitor.stop()):
            self._health.append(last)
        self._measuring = self._monitor = None

    def _on_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        rows, self._health = self._health, []
        data[HEALTH_KEY] = [row._replace(process=client_id) for row in rows]
        if self._recorder is None:
            total = data["stats_total"]
            data[UNRECORDED_KEY] = total["num_requests"], total["num_failures"]
            return
        data[UNRECORDED_KEY], self._unrecorded = self._unrecorded, (0, 0)
        self._aggregate(self._recorder)
        batches, self._batches = self._batches, []
        self._reports += 1
        data[INTERVALS_KEY] = {
            NUMBER_KEY: self._reports,
            "sent_s": self._clock.now_unix_s,
            STEPS_KEY: self._clock.steps,
            "errors": self._recorder.errors,
            "batches": batches,
            FINAL_KEY: self._is_final,
        }

    def _aggregate(self, recorder: RequestRecorder) -> None:
        if batch := recorder.aggregate():
            self._batches.append(batch.to_message())


def reported_health(data: Mapping[str, Any], shift_s: int) -> list[HealthRow]:
    """Return the health that came with a report of a worker whose clock is *shift_s* seconds behind ours."""
    rows = (HealthRow(*row) for row in data.get(HEALTH_KEY, ()))
    return [row._replace(unix_s=row.unix_s + shift_s) for row in rows]


class WorkerEnd:
    """Ends a worker in good order; reports to the master what its users raise, and it ends the run."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._runner = runner
        self._has_reported = False
        self._parent = os.getppid()
        contain_exits(environment.events, self._report_exit)
        listen_first(environment.events.test_start, self._on_test_start)
        # Ctrl-C in a terminal comes to the workers as well; SIGTERM is Locust's.
        Signals(lambda _: interrupt_main(KeyboardInterrupt), lambda: ExitStatus.CRASH).take(signal.SIGINT)
        if options_of(environment).processes:
            gevent.spawn(self._watch_parent, environment)

    def _on_test_start(self, **_: Any) -> None:
        self._has_reported = False

    def _report_exit(self, what: str) -> None:
        if self._has_reported:  # of the first of several users
            return
        self._has_reported = True
        logger.error("%s: asking the master to end the run", what)
        self._runner.send_message(ABORTED_MESSAGE, what)  # type: ignore[arg-type] # Locust sends any data

    def _watch_parent(self, environment: Environment) -> None:
        """End this worker of --processes soon after its parent, if that was its master."""
        heard_s = time.monotonic()

        def hear(**_: Any) -> None:
            nonlocal heard_s
            heard_s = time.monotonic()

        environment.events.heartbeat_received.add_listener(hear)
        while os.getppid() == self._parent or time.monotonic() < heard_s + SILENT_S:
            gevent.sleep(LOOK_INTERVAL_S)
        logger.error("the master is gone: this worker stops its users and ends")
        gevent.spawn(self._runner.stop).join(self._runner.environment.stop_timeout + STOP_LIMIT_S)
        exit_now(ExitStatus.CRASH)
