"""A worker's side of intervals.arrow: folded every second, sent with Locust's own reports."""

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.runners import WorkerRunner

from typing import Any

from plimsoll.listening import listen_last
from plimsoll.recording.interval_block import Message
from plimsoll.recording.options import declared_limits_ms
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock

FOLD_INTERVAL_S = 1.0
# What a worker adds to Locust's own report under this key.
REPORT_KEY = "plimsoll_intervals"
# How many requests and failures of Locust's own report were made while nothing was recorded, as in a set-up.
UNRECORDED_KEY = "plimsoll_unrecorded"
# Reports are numbered from 1 in each run, so that one that is lost on its way is missed.
NUMBER_KEY = "number"
# When, and by how much, the wall clock of this process was set since the start of the run.
STEPS_KEY = "clock_steps"
# Whether nothing more of this run will come.
FINAL_KEY = "final"


class WorkerIntervals:
    """Records every run of a worker; what is measured last is sent when its users have stopped."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._environment, self._runner = environment, runner
        self._clock = RunClock()
        self._recorder: RequestRecorder | None = None
        self._folding: gevent.Greenlet | None = None
        self._blocks: list[Message] = []
        self._unrecorded = 0, 0
        self._reports = 0
        self._is_final = False
        listen_last(environment.events.test_start, self._on_test_start)
        listen_last(environment.events.test_stop, self._on_test_stop)
        environment.events.report_to_master.add_listener(self._on_report)
        environment.events.quitting.add_listener(self._on_quitting)

    def _on_test_start(self, **_: Any) -> None:
        self._blocks = []
        self._reports = 0
        self._is_final = False
        self._clock = RunClock()
        total = self._environment.stats.total
        self._unrecorded = total.num_requests, total.num_failures
        self._recorder = RequestRecorder(declared_limits_ms(self._environment), self._clock)
        self._recorder.listen(self._environment)
        self._folding = gevent.spawn(self._fold_every_second)

    def _on_test_stop(self, **_: Any) -> None:
        if self._recorder is None:
            return
        assert self._folding is not None
        self._folding.kill(block=False)
        self._recorder.stop(self._environment)
        # Locust sends its own next report after the worker has announced its stop, or never.
        self._is_final = True
        try:
            self._runner._send_stats()
        finally:
            self._recorder = None

    def _on_report(self, data: dict[str, Any], **_: Any) -> None:
        if self._recorder is None:
            total = data["stats_total"]
            data[UNRECORDED_KEY] = total["num_requests"], total["num_failures"]
            return
        data[UNRECORDED_KEY], self._unrecorded = self._unrecorded, (0, 0)
        self._fold(self._recorder)
        self._reports += 1
        data[REPORT_KEY] = {
            NUMBER_KEY: self._reports,
            "sent_s": self._clock.now_unix_s,
            STEPS_KEY: self._clock.steps,
            "errors": self._recorder.errors,
            "blocks": self._blocks,
            FINAL_KEY: self._is_final,
        }
        self._blocks = []

    def _on_quitting(self, **_: Any) -> None:
        # Ended by a signal, a worker would say goodbye to the master and never send its last samples.
        self._runner.stop()

    def _fold_every_second(self) -> None:
        while self._recorder:
            gevent.sleep(FOLD_INTERVAL_S)
            self._fold(self._recorder)

    def _fold(self, recorder: RequestRecorder) -> None:
        block = recorder.fold()
        if block:
            self._blocks.append(block.to_message())
