"""How a worker ends: with its master, and by nothing that its users raise."""

from __future__ import annotations

import gevent
from locust import runners
from locust.env import Environment
from locust.runners import WorkerRunner

import logging
import os
import signal
import time
from typing import Any

from plimsoll.listening import listen_first
from plimsoll.recording.exits import contain_exits, exit_now
from plimsoll.recording.options import options_of
from plimsoll.recording.signals import Signals, interrupt_main
from plimsoll.run_files.exit_status import ExitStatus

ABORTED_MESSAGE = "plimsoll_aborted"
# A master answers each heartbeat, one a second, and is taken for gone as workers are.
SILENT_S = float(runners.HEARTBEAT_LIVENESS + runners.HEARTBEAT_INTERVAL)
STOP_LIMIT_S = 5.0
LOOK_INTERVAL_S = 0.5

logger = logging.getLogger("plimsoll")


class WorkerEnd:
    """Ends a worker in good order; reports to the master what its users raise, and it ends the run."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._runner = runner
        self._has_told = False
        self._parent = os.getppid()
        events = environment.events
        contain_exits(events, self._tell)
        listen_first(events.test_start, self._on_test_start)
        # Ctrl-C in a terminal comes to the workers as well; SIGTERM is Locust's.
        Signals(lambda _: interrupt_main(KeyboardInterrupt), lambda: ExitStatus.CRASH).take(signal.SIGINT)
        if options_of(environment).processes:
            gevent.spawn(self._watch_parent, environment)

    def _on_test_start(self, **_: Any) -> None:
        self._has_told = False

    def _tell(self, what: str) -> None:
        if self._has_told:  # of the first of several users
            return
        self._has_told = True
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
