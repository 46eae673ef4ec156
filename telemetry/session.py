"""From Locust's start to its exit: every run recorded and judged, the verdict made the exit status."""

from __future__ import annotations

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from locust.env import Environment
from locust.runners import WORKER_REPORT_INTERVAL, MasterRunner

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from telemetry import run_facts
from telemetry.bundled_target import BundledTarget
from telemetry.judging import EXIT_BAD_CONFIGURATION, EXIT_INCONCLUSIVE, SUITE_FOLDER, Judgement, Judging
from telemetry.listening import listen_first, listen_last, surround
from telemetry.options import options_of
from telemetry.recording import Recording

REPORT_FILE = "report.html"
# What a worker measured last reaches the master with its next report.
LAST_REPORT_S = WORKER_REPORT_INTERVAL + 1.0
EXIT_LIMIT_S = 10.0
JUDGES = "the run is being judged; once more ends it without a verdict"
NO_RUN_YET = "what was prepared for a run is being cleaned up; once more leaves it as it is"


def interrupt_main(interruption: Callable[[], BaseException]) -> None:
    """Raise what it returns then in the main greenlet, which waits for the end of the load, and in no other.

    Raised where a signal happens to come, it would break off what a user is doing, who then says no goodbye,
    or the reading of a connection, which libev would never read again.
    """
    hub = gevent.get_hub()
    if gevent.getcurrent() is hub.parent:
        raise interruption()
    hub.loop.run_callback_threadsafe(lambda: hub.parent.throw(interruption()))


class Session:
    """The runs of one Locust master or single process: one when headless, any number in the web UI."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        # Asked now, so that the answers are there when the load starts and nothing may wait.
        run_facts.package_versions()
        run_facts.git_commit(SUITE_FOLDER)
        self._target: BundledTarget | None = None
        self._recording: Recording | None = None
        self._finishing: gevent.Greenlet | None = None
        self._received_signal: str | None = None
        self._closing = Semaphore()
        self._closed = False
        self._signals_ignored = 0
        self._judging: Judging | None = None
        self.judgement: Judgement | None = None
        self.judged: dict[str, Path] = {}

    def listen(self) -> None:
        """Follow Locust's events and signals from now on."""
        events = self._environment.events
        surround(events.test_start, self._around_test_start)
        listen_first(events.test_stopping, self._on_test_stopping)
        listen_last(events.test_stop, self._on_test_stop)
        listen_first(events.worker_report, self._on_worker_report)
        listen_first(events.reset_stats, self._on_reset_stats)
        events.quitting.add_listener(self._on_quitting)
        events.quit.add_listener(self._on_quit)
        # Locust has a handler of its own for SIGTERM only after the whole schedule of a shape.
        self._take_signals()

    def _take_signals(self) -> None:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    @property
    def state(self) -> str:
        """How far the last run is: idle (there was none), recording, judging or judged."""
        if self._recording and not self._recording.load_has_ended:
            return "recording"
        if self._recording or self._judging:
            return "judging"
        return "judged" if self.judgement else "idle"

    def start_target(self) -> None:
        """Start the bundled service unless it runs, and make it the host of the run.

        Raises:
            TargetError: the service did not start.
        """
        if self._target is None:
            self._target = BundledTarget()
        self._environment.host = options_of(self._environment).host = self._target.ready.url

    @contextmanager
    def _around_test_start(self, **_: Any) -> Iterator[None]:
        began_s = time.monotonic()
        self._end_last_run()
        if options_of(self._environment).with_target:
            self.start_target()  # the form of the web UI may have named another host
        yield
        sut_version = self._target.ready.version if self._target else None
        try:
            self._recording = Recording(self._environment, sut_version, set_up_s=time.monotonic() - began_s)
        except OSError as error:
            self._give_up(f"plimsoll: the run cannot be recorded: {error}\n")

    def _end_last_run(self) -> None:
        if self._recording and self._finishing:  # its last reports are awaited, and its figures cleared
            self._finishing.kill(block=True)
            self._finish_run(final_write=False)
        elif self._finishing:
            self._finishing.join()
        self.judgement = None

    def _give_up(self, text: str) -> None:
        """Stop a load that nobody could judge."""
        self.judgement = Judgement(EXIT_BAD_CONFIGURATION, text)
        runner = self._environment.runner
        assert runner is not None
        gevent.spawn(runner.quit if self._is_headless else runner.stop)
        self._print_judgement()

    def _on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        if self._recording:
            self._recording.on_worker_report(client_id, data)

    def _on_reset_stats(self, **_: Any) -> None:
        if self._recording:
            self._recording.on_stats_reset()

    def _on_test_stopping(self, **_: Any) -> None:
        runner = self._environment.runner
        if self._recording and runner:
            by_shape = runner.shape_greenlet is not None and gevent.getcurrent() is runner.shape_greenlet
            self._recording.mark_end(self._received_signal, schedule_ended=by_shape)

    def _on_test_stop(self, **_: Any) -> None:
        if self._recording and self._is_headless:
            self._recording.await_last_reports()
        elif self._recording and not self._closing.locked():
            self._finishing = gevent.spawn(self._finish_web_run)

    def _finish_web_run(self) -> None:
        if isinstance(self._environment.runner, MasterRunner):
            gevent.sleep(LAST_REPORT_S)
        self._finish_run(final_write=True)
        self._print_judgement()

    def _finish_run(self, *, final_write: bool) -> None:
        recording, self._recording = self._recording, None
        assert recording is not None
        recording.finish(final_write=final_write)
        self._judging = Judging(recording.directory)
        self.judgement = self._judging.wait()
        self._judging = None
        self.judged[recording.directory.name] = recording.directory
        self._finishing = None

    def _on_quitting(self, **_: Any) -> None:
        # A SIGTERM comes here in its own greenlet, and stopping the users then wakes the main greenlet, which
        # comes here too: only the first may judge, and the second must not exit before the status is set.
        with self._closing:
            if self._closed:
                Event().wait(EXIT_LIMIT_S)
            else:
                self._close()

    def _close(self) -> None:
        self._closed = True
        self._take_signals()  # Locust's own handler would close a second time
        runner = self._environment.runner
        if self._recording and not self._recording.load_has_ended and runner:
            # Only Locust's own handler of SIGTERM comes here with the load still running.
            self._received_signal = self._received_signal or "SIGTERM"
            runner.quit()
        if self._finishing:
            self._finishing.join()
        elif self._recording:
            self._finish_run(final_write=True)
        if self._target:
            self._target.stop()
        self._environment.process_exit_code = self._exit_status()

    def _exit_status(self) -> int | None:
        if self.judgement:
            return self.judgement.exit_status
        # Headless without a run, e.g. stopped while waiting for workers: nothing was shown to be good.
        return EXIT_INCONCLUSIVE if self._is_headless else None

    def _on_quit(self, **_: Any) -> None:
        if self._is_headless:
            self._print_judgement()

    def _print_judgement(self) -> None:
        if self.judgement:
            sys.stdout.write(f"\n{self.judgement.text}")
            sys.stdout.flush()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_leaving:
            self._on_impatience(number, frame)
            return
        self._received_signal = signal.Signals(number).name
        interrupt_main(self._interruption)

    def _interruption(self) -> BaseException:
        # Before the load, as while it waits for workers, there is nothing to end or to judge.
        is_early = self.state == "idle" and self._is_headless
        return SystemExit(EXIT_INCONCLUSIVE) if is_early else KeyboardInterrupt()

    @property
    def _is_headless(self) -> bool:
        return bool(options_of(self._environment).headless)

    @property
    def _is_leaving(self) -> bool:
        """Whether this process ends by itself, as soon as there is a verdict."""
        return bool(self._closed or self._received_signal or (self._is_headless and self.state == "judging"))

    def _on_impatience(self, number: int, frame: FrameType | None) -> None:
        self._signals_ignored += 1
        if self._signals_ignored == 1:
            sys.stderr.write(f"\nplimsoll: {NO_RUN_YET if self.state == 'idle' else JUDGES}\n")
        elif self._judging:
            self._judging.give_up()
        else:
            signal.default_int_handler(number, frame)
