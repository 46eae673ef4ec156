"""When a run is prepared: its feeders opened and its set-ups run before the load, clean-ups run after it.

A load that is asked for in the web UI waits for its preparation, and does not start when that fails.
"""

from __future__ import annotations

import gevent
from gevent.event import Event
from gevent.lock import RLock
from locust import events
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, Runner, WorkerRunner
from locust.web import WebUI

import atexit
import logging
import signal
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Response, jsonify, request

from plimsoll.data.channel import open_feeders
from plimsoll.data.set_up import DECLARED, SetUpError, SetUps
from plimsoll.data.sources import FeedError
from plimsoll.locust_internals import SWARM_ENDPOINT, guard_starts, stop_run_timer
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.terminal import refuse

# Users of other processes must stop within this time: then what they need is cleaned up.
LAST_USERS_S = 10.0
# Workers that were started with their master are there within this time.
WORKERS_LIMIT_S = 3.0

logger = logging.getLogger("plimsoll")


class Preparation:
    """The preparation of the runs of one master or single process."""

    def __init__(self, environment: Environment, runner: Runner) -> None:
        self._environment, self._runner = environment, runner
        self._set_ups = SetUps(environment, runner)
        self._lock = RLock()
        self._is_done = False

    def begin(self) -> None:
        """Prepare a run, unless that is done.

        Raises:
            FeedError, SetUpError: it failed, and what was set up is cleaned up again.
        """
        with self._lock:
            if self._is_done:
                return
            try:
                open_feeders(self._environment, are_fixed=True)
                self._set_ups.begin()
                open_feeders(self._environment, are_fixed=False)
            except BaseException:
                self._set_ups.end()
                raise
            self._is_done = True

    def end(self) -> None:
        """Clean up what was set up, once the users have stopped; come back when that is done."""

        def clean_up() -> None:
            with self._lock:
                self._is_done = False
                if not self._set_ups.are_open:
                    return
                runner = self._runner
                # Locust waits for the users of all workers too, but not when it quits.
                if isinstance(runner, MasterRunner) and _may_have_users(runner):
                    # It sends this as well, but only after those who listen for the end of a run.
                    runner.send_message("quit")
                    with gevent.Timeout(runner.environment.stop_timeout + LAST_USERS_S, exception=False):
                        while _may_have_users(runner):
                            gevent.sleep(0.05)
                self._set_ups.end()

        # In a greenlet of its own, as Locust kills the one that ends a run before it comes to its end.
        gevent.spawn(clean_up).join()

    def on_test_stop(self, **_: Any) -> None:
        """Clean up as soon as a load has ended."""
        self.end()

    def on_quitting(self, **_: Any) -> None:
        """Delay the end of the process until all is cleaned up; a load that still runs ends first."""
        if self._runner.state not in {STATE_RUNNING, STATE_SPAWNING}:
            self.end()


def _may_have_users(runner: MasterRunner) -> bool:
    """Return whether workers have users, also those they have not reported yet, which takes up to 3 s."""
    options = runner.environment.parsed_options
    ends_with_load = options is not None and options.headless  # in the web UI, Locust has waited for them
    are_to_have = bool(runner.clients.spawning or runner.clients.running)
    return bool(runner.user_count) or (ends_with_load and are_to_have)


class StartGuard:
    """Prepares each load before it starts, and answers the form that asked for it with what went wrong."""

    def __init__(self, web_ui: WebUI, runner: Runner, prepare: Callable[[], None]) -> None:
        assert web_ui.app is not None
        self._web_ui, self._prepare = web_ui, prepare
        self._fault: str | None = None
        self._is_free = Event()
        self._is_free.set()
        guard_starts(runner, self._may_start)
        web_ui.app.after_request(self._answer)

    def _may_start(self) -> bool:
        """Prepare a run, and return whether it may start."""
        restart_timer = stop_run_timer(self._web_ui)
        self._fault = None
        self._is_free.clear()
        try:
            self._prepare()
        except (FeedError, SetUpError) as error:
            self._fault = str(error)
            logger.error("load not started: %s", error)  # noqa: TRY400 - it tells all there is to tell
            return False
        finally:
            self._is_free.set()
        restart_timer()
        return True

    def _answer(self, response: Response) -> Response:
        """Add the outcome of the preparation to the answer to an accepted form; leave a refusal as it is."""
        if request.endpoint != SWARM_ENDPOINT or not (
            response.is_json and response.get_json().get("success")
        ):
            return response
        gevent.sleep(0)  # Locust has the load started by another greenlet
        self._is_free.wait()
        fault, self._fault = self._fault, None
        return jsonify({"success": False, "message": fault}) if fault else response


def _on_init(environment: Environment, runner: Runner | None, web_ui: WebUI | None, **_: Any) -> None:
    if runner is None or isinstance(runner, WorkerRunner):
        return
    preparation = Preparation(environment, runner)
    environment.events.test_stop.add_listener(preparation.on_test_stop)
    environment.events.quitting.add_listener(preparation.on_quitting)
    atexit.register(preparation.end)
    if DECLARED and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        # Locust has a handler of its own only later, after the whole schedule of a shape.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if web_ui:
        StartGuard(web_ui, runner, preparation.begin)
    options = environment.parsed_options
    if options is not None and (options.headless or options.autostart):
        _prepare_first_run(preparation, runner)


def _prepare_first_run(preparation: Preparation, runner: Runner) -> None:
    """Prepare a run that starts by itself, before Locust counts its run time."""
    try:
        preparation.begin()
    except BaseException as error:
        options = runner.environment.parsed_options
        if isinstance(runner, MasterRunner) and options is not None:
            # Its workers go home now: they would notice only after a minute that their master is gone.
            with gevent.Timeout(WORKERS_LIMIT_S, exception=False):
                while len(runner.clients) < options.expect_workers:
                    gevent.sleep(0.05)
            runner.quit()
        if isinstance(error, FeedError):
            refuse(ExitStatus.BAD_CONFIGURATION, str(error).splitlines())
        if isinstance(error, SetUpError):
            refuse(ExitStatus.CRASH, str(error).splitlines())
        if isinstance(error, KeyboardInterrupt | SystemExit):
            code = error.code if isinstance(error, SystemExit) else None
            faults = ["stopped while setting up; no load was made"]
            if isinstance(code, str):  # Python would print it as it is
                faults += code.splitlines()
            refuse(code if isinstance(code, int) and code else ExitStatus.CRASH, faults)
        raise


@cache
def _listen() -> None:
    events.init.add_listener(_on_init)


# Locust asks for options when all locustfiles are loaded, and again for the web UI: what these do at init
# themselves, as starting the service under test, comes before the preparation.
events.init_command_line_parser.add_listener(lambda **_: _listen())
