"""The one line by which a locustfile has its runs recorded and judged."""

from __future__ import annotations

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import WorkerRunner
from locust.web import WebUI

import inspect
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any, NoReturn

import psutil

from plimsoll.context import follow_users
from plimsoll.listening import put_locust_first, surround
from plimsoll.locust_internals import keep_default_options, redact_locust, start_after_init
from plimsoll.recording.bundled_service import ServiceError
from plimsoll.recording.exits import LastResort, where_raised
from plimsoll.recording.in_flight import track_requests
from plimsoll.recording.options import CHECK_ONLY_OPTION, add_options, has_options, options_of
from plimsoll.recording.process_end import Interrupted, ProcessEnd
from plimsoll.recording.startup_checks import check_startup
from plimsoll.recording.web_ui import extend_web_ui
from plimsoll.recording.worker import WorkerEnd, WorkerRecording
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.terminal import print_faults, refuse, say

UNRECORDED = (
    "this run is not recorded: its Environment has no parsed_options with the options of record_run();"
    " give it locust.argument_parser.get_parser().parse_args([]), or start it by the command locust"
)

COMMANDS = {"locust.main", "plimsoll.command_line"}
"""The modules that load locustfiles, or have Locust do so."""

logger = logging.getLogger("plimsoll")


@cache
def record_run() -> None:
    """Record and judge every run of this Locust process; idempotent, so several locustfiles may call it."""
    last_resort = LastResort()

    def on_loaded(parser: LocustArgumentParser, **_: Any) -> None:
        last_resort.settle = None  # Locust may have nothing to do but to print its help
        add_options(parser)

    def status_while_loading(error: BaseException | None) -> int | None:
        if error is not None:  # it has said so, and its status is 1
            return None
        print_faults(["no load was made: the process ended while its locustfiles were being loaded"])
        return ExitStatus.INCONCLUSIVE

    frame = inspect.currentframe()
    while frame and frame.f_globals.get("__name__") not in COMMANDS:
        frame = frame.f_back
    if frame:  # a command calls, and no script, which may end as it likes
        last_resort.settle = status_while_loading
    events.init_command_line_parser.add_listener(on_loaded)
    events.init.add_listener(partial(_on_init, last_resort))
    surround(events.init, partial(_around_init, last_resort))
    start_after_init(events)


@contextmanager
def _around_init(last_resort: LastResort, **_: Any) -> Iterator[None]:
    try:
        yield
    except Interrupted:
        raise
    except BaseException as error:
        last_resort.settle = None  # what was raised says why, and has a status of its own
        if not isinstance(error, SystemExit) or error.code:
            raise
        print_faults([f"no load was made: {where_raised(error)} came before it"])
        raise SystemExit(ExitStatus.INCONCLUSIVE) from None


def _on_init(last_resort: LastResort, environment: Environment, web_ui: WebUI | None, **_: Any) -> None:
    runner = environment.runner
    if runner is None:  # a single user is debugged
        return
    if not has_options(environment):
        logger.warning(UNRECORDED)
        return
    options = options_of(environment)
    # One failed request is not a failed run: the verdict decides, and a worker has none.
    options.exit_code_on_error = 0
    put_locust_first(environment.events)
    redact_locust(environment)
    follow_users()
    track_requests(environment)
    if isinstance(runner, WorkerRunner):
        keep_default_options()
        WorkerEnd(environment, runner)
        WorkerRecording(environment, runner)
        return
    process = ProcessEnd(environment)
    process.take_signals()
    last_resort.settle = process.settle
    options.enable_rebalancing = True  # the load of a lost worker goes to the others
    if environment.host:
        environment.host = environment.host.rstrip("/")  # Locust joins host and path as they are
        options.with_service = False  # a host that was named wins over the one of a profile
    _check(last_resort, environment)
    if options.with_service:
        try:
            process.session.start_service()
        except ServiceError as error:
            _end_workers_and_refuse(ExitStatus.CRASH, [str(error)])
    process.listen()
    if web_ui:
        extend_web_ui(web_ui, environment, process.session)


def _check(last_resort: LastResort, environment: Environment) -> None:
    """Refuse what is wrong; say what thresholds cannot be decided, or of all of them where that is all."""
    options, checked = options_of(environment), check_startup(environment)
    if checked.faults:
        _end_workers_and_refuse(ExitStatus.BAD_CONFIGURATION, checked.faults)
    if not getattr(options, CHECK_ONLY_OPTION, False):
        say(sys.stderr, "".join(f"note: {note}\n" for note in checked.notes))
        return
    if not options.thresholds:
        _end_workers_and_refuse(
            ExitStatus.BAD_CONFIGURATION, ["the profile has no thresholds: give --thresholds FILE"]
        )
    last_resort.settle = None
    say(sys.stdout, checked.table)
    raise Interrupted(ExitStatus.PASS)


def _end_workers_and_refuse(status: int, faults: list[str]) -> NoReturn:
    # Locust ends the workers of --processes only after a run; these would wait for a minute yet. They are
    # forked, so their command is that of this process; no other child has it.
    process = psutil.Process()
    for child in process.children():
        with suppress(psutil.Error):
            if child.cmdline() == process.cmdline():
                child.terminate()
    refuse(status, faults)
