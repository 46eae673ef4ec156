"""The end of a master or single process: whatever ends it, the verdict is its exit status."""

from __future__ import annotations

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from locust.env import Environment
from locust.runners import MasterRunner

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plimsoll.listening import listen_first, surround
from plimsoll.recording.exits import SIGNALS, Signals, interrupt_main, where_raised, write_to_terminal
from plimsoll.recording.judging import Judgement, how_to_judge
from plimsoll.recording.options import options_of, starts_by_itself
from plimsoll.recording.session import Session
from plimsoll.run_files.exit_status import ExitStatus

EXIT_LIMIT_S = 10.0
# Of several runs of one headless process the worst counts.
WORST_FIRST = (
    ExitStatus.FAIL,
    ExitStatus.CRASH,
    ExitStatus.BAD_CONFIGURATION,
    ExitStatus.INCONCLUSIVE,
    ExitStatus.PASS,
)
JUDGING_HINT = "judging the run; press Ctrl-C again to exit without a verdict"
CLEAN_UP_HINT = "cleaning up; press Ctrl-C again to skip the clean-up"

logger = logging.getLogger("plimsoll")


class Interrupted(SystemExit):
    """Ends a process that has not come to a load; `settle` says why."""


class ProcessEnd:
    """How a process ends: by itself, by a signal, or by what the locustfile raises."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.session = Session(environment, self._interrupt)
        self._signals = Signals(self._on_first_signal, self._on_repeated_signal)
        self._closing = Semaphore()
        self._is_interrupted = self._is_closed = self._is_settled = False

    def listen(self) -> None:
        """Follow Locust's events from now on."""
        events = self._environment.events

        def on_quit(**_: Any) -> None:
            if self.session.is_headless:
                self.session.print_judgement()

        self.session.listen()
        listen_first(events.test_start, lambda **_: self.take_signals())  # Locust has taken SIGTERM since
        surround(events.quitting, self._around_quitting)
        events.quit.add_listener(on_quit)

    def take_signals(self) -> None:
        """Handle Ctrl-C and SIGTERM from now on."""
        self._signals.take(*SIGNALS)

    def settle(self, error: BaseException | None) -> int | None:
        """Return the status that this process must exit with, None for the one that it has: for LastResort.

        A run that was left without a verdict, as by an exception of Locust, is judged.
        """
        has_crashed = error is not None and not self.session.has_run  # it has said so, and its status is 1
        was_to_be_judged = self.session.has_run or starts_by_itself(self._environment)
        if self._is_settled or has_crashed or not was_to_be_judged:
            return None
        self.session.note_broken_off(where_raised(error) if error else "the process ended before the run")
        self.session.end_load()
        self._close()
        self.session.print_judgement()
        return int(self._environment.process_exit_code or ExitStatus.INCONCLUSIVE)

    @contextmanager
    def _around_quitting(self, **_: Any) -> Iterator[None]:
        # A SIGTERM that Locust handles comes here in its own greenlet, and stopping the users then wakes the
        # main greenlet, which comes here too: only the first may judge, and the second must not exit before
        # the status is set.
        with self._closing:
            if self._is_closed:
                Event().wait(EXIT_LIMIT_S)
                yield
                return
            self._is_closed = True
            self.take_signals()  # Locust's own handler would close a second time
            if self.session.state == "recording":
                # Only Locust's own handler of SIGTERM comes here with the load still running, and no signal.
                self.session.received_signal = self.session.received_signal or "SIGTERM"
            self.session.end_load()
            try:
                yield
            finally:
                self._close()

    def _close(self) -> None:
        """Reach the verdict and make it the exit status, whatever a listener wants that to be."""
        session = self.session
        session.judge()
        if session.service:
            session.service.stop()
        if starts_by_itself(self._environment) and not session.judgements:
            session.take_judgement(Judgement(ExitStatus.INCONCLUSIVE, f"plimsoll: {self._why_no_load()}\n"))
        status = session.judgement.exit_status if session.judgement else None
        if session.is_headless:
            reached = {judgement.exit_status for judgement in session.judgements}
            status = next((each for each in WORST_FIRST if each in reached), ExitStatus.INCONCLUSIVE)
        wanted = self._environment.process_exit_code
        if status is not None:
            if wanted not in {None, status}:
                logger.warning(
                    "process_exit_code = %r of the locustfile is overridden by the verdict", wanted
                )
            self._environment.process_exit_code = status
        self._is_settled = True

    def _why_no_load(self) -> str:
        """Return why a headless process never came to its load."""
        options, runner, session = options_of(self._environment), self._environment.runner, self.session
        if what := session.aborted or session.received_signal:
            why = f"{what} came before it"
        elif session.is_set_up_unfinished:
            why = "the run was stopped while listeners of test_start were still at work"
            if options.run_time and not self._environment.shape_class:
                why = f"listeners of test_start took longer than --run-time, {options.run_time} s"
        elif isinstance(runner, MasterRunner) and len(runner.worker_indexes) < options.expect_workers:
            why = f"{len(runner.worker_indexes)} of {options.expect_workers} workers had connected in time"
        elif self._environment.shape_class:
            why = f"{type(self._environment.shape_class).__name__}.tick() returned None before any users"
        else:
            why = "the runner was stopped before it"
        return f"no load was made: {why}"

    def _on_first_signal(self, name: str) -> None:
        self.session.received_signal = name
        write_to_terminal(JUDGING_HINT if self.session.state in {"recording", "judging"} else CLEAN_UP_HINT)
        self._interrupt()

    def _on_repeated_signal(self) -> int:
        if self._is_settled:
            return int(self._environment.process_exit_code or ExitStatus.PASS)
        directory = self.session.leave()
        if directory:
            write_to_terminal(f"stopped before a verdict; to judge the run: {how_to_judge(directory)}")
        return ExitStatus.INCONCLUSIVE

    def _interrupt(self) -> None:
        """Have the main greenlet end the load and the process."""
        interrupt_main(self._interruption)

    def _interruption(self) -> BaseException | None:
        """Return what ends the main greenlet: a KeyboardInterrupt where Locust waits for the load to end."""
        session, runner, web_ui = self.session, self._environment.runner, self._environment.web_ui
        if self._is_closed or self._is_interrupted or session.stopping is gevent.get_hub().parent:
            return None  # it is at it already
        self._is_interrupted = True
        if session.is_headless:
            waits = session.state != "idle" or session.is_setting_up or (runner and runner.shape_greenlet)
        else:
            waits = web_ui and web_ui.greenlet
        return KeyboardInterrupt() if waits else Interrupted(ExitStatus.INCONCLUSIVE)
