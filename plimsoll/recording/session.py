"""The runs of one process: each is recorded from its start to its end, and judged."""

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.rpc import Message
from locust.runners import WORKER_REPORT_INTERVAL, MasterRunner, Runner

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plimsoll.listening import listen_first, listen_last, surround
from plimsoll.recording.bundled_service import BundledService
from plimsoll.recording.exits import contain_exits
from plimsoll.recording.judging import SUITE_FOLDER, Judgement, Judging
from plimsoll.recording.live import LimitState
from plimsoll.recording.options import options_of
from plimsoll.recording.recording import Recording
from plimsoll.recording.run_directory import git_commit, package_versions
from plimsoll.recording.worker import ABORTED_MESSAGE
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.terminal import say

# What a worker measured last reaches the master with its next report.
LAST_REPORT_S = WORKER_REPORT_INTERVAL + 1.0

# Of Locust's --autoquit: the web UI stays.
NO_AUTOQUIT = -1

logger = logging.getLogger("plimsoll")


class Session:
    """The runs of one Locust master or single process: one when headless, any number in the web UI.

    *end_process* ends it in good order, with the load that runs.
    """

    def __init__(self, environment: Environment, end_process: Callable[[], None]) -> None:
        self._environment, self._end_process = environment, end_process
        self.service: BundledService | None = None
        self._recording: Recording | None = None
        self._unfinished: Recording | None = None
        self._finishing: gevent.Greenlet | None = None
        self._judging: Judging | None = None
        self.judgement: Judgement | None = None
        self.judgements: list[Judgement] = []
        self.judged: dict[str, Path] = {}
        self.received_signal: str | None = None
        self.aborted: str | None = None
        """What ended the run before it began."""
        self.is_setting_up = False
        """Whether the listeners of test_start are being called."""
        self.is_set_up_unfinished = False
        """Whether they are, or were broken off when they were called last."""
        self.stopping: object = None
        """The greenlet that stops the load, as long as it does."""
        self._has_stopped = self._is_closing = False
        # Asked now, so that the answers are there when the load starts and nothing may wait.
        package_versions()
        git_commit(SUITE_FOLDER)

    def listen(self) -> None:
        """Follow Locust's events from now on."""
        events = self._environment.events

        def on_worker_aborted(msg: Message, **_: Any) -> None:
            self.abort(f"{msg.data} on worker {msg.node_id}")

        def on_worker_report(client_id: str, data: dict[str, Any], **_: Any) -> None:
            if self._recording:
                self._recording.on_worker_report(client_id, data)

        def on_reset_stats(**_: Any) -> None:
            if self._recording:
                self._recording.on_stats_reset()

        def on_test_stopping(**_: Any) -> None:
            self.stopping = gevent.getcurrent()
            if self._recording:
                by_shape = self.stopping is self._runner.shape_greenlet
                self._recording.mark_end(self.received_signal, schedule_ended=by_shape)

        contain_exits(events, self.abort)
        if isinstance(self._runner, MasterRunner):
            self._runner.register_message(ABORTED_MESSAGE, on_worker_aborted)
        surround(events.test_start, self._around_test_start)
        listen_first(events.test_stopping, on_test_stopping)
        listen_last(events.test_stop, self._on_test_stop)
        listen_first(events.worker_report, on_worker_report)
        listen_first(events.reset_stats, on_reset_stats)

    @property
    def state(self) -> str:
        """How far the last run is: idle (there was none), recording, judging or judged."""
        if self._recording and not self._recording.load_has_ended:
            return "recording"
        if self._recording or self._unfinished or self._judging:
            return "judging"
        return "judged" if self.judgement else "idle"

    @property
    def limit_states(self) -> Sequence[LimitState]:
        """How the limits stand, or stood when the load ended, until the run is judged."""
        recording = self._recording or self._unfinished
        return recording.limit_states if recording else ()

    @property
    def is_headless(self) -> bool:
        """Whether this process is for one run."""
        return bool(options_of(self._environment).headless)

    @property
    def has_run(self) -> bool:
        """Whether there is a run that is not judged yet."""
        return bool(self._recording or self._finishing)

    def start_service(self) -> None:
        """Start the bundled service unless it runs, and make it the host of the run.

        Raises:
            ServiceError: the service did not start.
        """
        if self.service is None:
            self.service = BundledService()
        options = options_of(self._environment)
        self._environment.host = options.host = self.service.ready.url
        options.database_url = options.database_url or self.service.ready.database_url

    def abort(self, what: str) -> None:
        """End a run in which code of the locustfile raised what would have ended the process."""
        if self._judging or (self.judgements and not self.has_run and self.is_headless):
            logger.error("%s is ignored: the verdict decides the exit status", what)
            return
        if self._recording and self._recording.is_aborted:
            return  # by the first of several users
        logger.error("%s ends the run, which cannot pass", what)
        if self._recording:
            self._end_aborted_run(self._recording, what)
            return
        self.aborted = self.aborted or what
        if not self.is_setting_up:
            self._end_process()

    def end_load(self) -> None:
        """Stop the load, if there is any, and come back when all of its users have stopped."""
        if isinstance(self.stopping, gevent.Greenlet) and self.stopping is not gevent.getcurrent():
            self.stopping.join()  # a user that stops the load is killed on its way, and has not stopped all
        self._is_closing = True
        if self._recording and not self._has_stopped:
            self._runner.quit()

    def judge(self) -> None:
        """Have the run judged, if there is one that is not; its load has ended."""
        if self._finishing:
            self._finishing.join()
        elif self._recording:
            # Locust tells of no end when all workers are gone.
            self._recording.mark_end(self.received_signal, schedule_ended=False)
            self._finish_run(final_write=True)

    def note_broken_off(self, why: str) -> None:
        """Note that the process ends before the run does, which cannot pass then."""
        if self._recording:
            self._recording.abort(why)

    def leave(self) -> Path | None:
        """Give up the run, and return its directory if it can be judged later."""
        recording = self._recording or self._unfinished
        if recording:
            recording.mark_end(self.received_signal, schedule_ended=False)
            recording.abort("the process was left before all was written")
        if self._judging:
            self._judging.kill()
            return self._judging.run_directory
        return recording.directory if recording else None

    def take_judgement(self, judgement: Judgement) -> None:
        """Make this the judgement of the last run."""
        self.judgement = judgement
        self.judgements.append(judgement)

    def print_judgement(self) -> None:
        """Say how the last run was judged."""
        if self.judgement:
            say(sys.stdout, f"\n{self.judgement.text}")

    @contextmanager
    def _around_test_start(self, **_: Any) -> Iterator[None]:
        began_s = time.monotonic()
        self.is_setting_up = self.is_set_up_unfinished = True
        if not self.is_headless:
            self.aborted = None  # in a set-up that was stopped
        try:
            self._end_last_run()
            if options_of(self._environment).with_service:
                self.start_service()  # the form of the web UI may have named another host
            yield
        finally:
            self.is_setting_up = False
        self.is_set_up_unfinished = self._has_stopped = False
        sut_version = self.service.ready.version if self.service else None
        try:
            set_up_s = time.monotonic() - began_s
            self._recording = Recording(self._environment, sut_version, set_up_s, self._end_load_early)
        except OSError as error:  # a load that cannot be judged is stopped
            text = f"plimsoll: the run cannot be recorded: {error}\n"
            self.take_judgement(Judgement(ExitStatus.BAD_CONFIGURATION, text))
            gevent.spawn(self._runner.quit if self.is_headless else self._runner.stop)
            self.print_judgement()
            return
        if self.aborted:
            self._end_aborted_run(self._recording, self.aborted)

    def _end_last_run(self) -> None:
        if self._recording:  # it was started again, and Locust has cleared its figures
            if self._finishing:
                self._finishing.kill(block=True)
            self._finish_run(final_write=False)
            self.print_judgement()
        elif self._finishing:
            self._finishing.join()
        self.judgement = None

    def _end_aborted_run(self, recording: Recording, what: str) -> None:
        self.aborted = None
        recording.abort(what)
        self._end_load_early()

    def _end_load_early(self) -> None:
        """Have the load end as if its time were up, and the process as well where it was to end with it."""
        if self.is_headless:
            self._end_process()
            return

        def stop() -> None:
            self._runner.stop()
            options = options_of(self._environment)
            # A shape's end is Locust's to see; that of a run time comes only when the time is up.
            if options.autostart and options.autoquit != NO_AUTOQUIT and not self._environment.shape_class:
                gevent.sleep(options.autoquit)
                self._end_process()

        gevent.spawn(stop)

    def _on_test_stop(self, **_: Any) -> None:
        self.stopping, self._has_stopped = None, True
        if self._recording and self.is_headless:
            self._recording.await_last_reports()
        elif self._recording and not self._is_closing:

            def finish() -> None:
                if isinstance(self._runner, MasterRunner):
                    gevent.sleep(LAST_REPORT_S)
                self._finish_run(final_write=True)
                self.print_judgement()

            self._finishing = gevent.spawn(finish)

    def _finish_run(self, *, final_write: bool) -> None:
        recording, self._recording = self._recording, None
        assert recording is not None
        self._unfinished = recording
        try:
            recording.finish(final_write=final_write)
            self._judging = Judging(recording.directory)
            self._unfinished = None
            self.take_judgement(self._judging.wait())
        except Exception as error:
            logger.exception("the run in %s could not be judged", recording.directory)
            self.take_judgement(Judgement(ExitStatus.CRASH, f"plimsoll: not judged: {error!r}\n"))
        self._judging = self._finishing = self._unfinished = None
        self.judged[recording.directory.name] = recording.directory

    @property
    def _runner(self) -> Runner:
        assert self._environment.runner is not None
        return self._environment.runner
