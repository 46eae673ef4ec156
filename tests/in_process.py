"""Locust's own command in this process, under virtual time: whole runs and their verdicts, always the same.

What a real process adds (its start, kill -9, workers) is for the tests in tests/acceptance.
"""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from gevent.event import AsyncResult, Event
from locust import events, main
from locust.env import Environment

import atexit
import gc
import io
import logging
import os
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    chdir,
    contextmanager,
    redirect_stderr,
    redirect_stdout,
)
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Self
from unittest.mock import patch

from flask.testing import FlaskClient

import plimsoll.users.scheduled_check  # noqa: F401 - it adds an option
from plimsoll.recording import health, judging, recording, run_directory
from reports import cli
from tests.as_before import all_as_before
from tests.virtual_time import Clock, virtual_time
from tests.watchers import Look, silent, watched_by

ROOT = Path(__file__).resolve().parents[1]
JUDGING_S = 2.5
OWN_CPU_RATIO, HOST_CPU_RATIO = 0.1, 0.2


class Ended(NamedTuple):
    """What became of a command: its exit status, what it printed, how long it took by the virtual clock."""

    status: int
    output: str
    elapsed_s: float


class Live:
    """A Locust in this process, for who goes on beside it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._initialised = AsyncResult()
        events.init.add_listener(lambda environment, **_: self._initialised.set(environment))

    @property
    def environment(self) -> Environment:
        """Its environment, as soon as there is one."""
        found: Environment = self._initialised.get()
        return found

    def post(self, path: str, **form: str) -> Any:
        """Post a form to its web UI, as the page does, and return the JSON of the answer."""
        return self._pages.post(path, data=form).json

    def get(self, path: str) -> Any:
        """Return the JSON of a page of its web UI."""
        return self._pages.get(path).json

    def page(self, path: str) -> str:
        """Return the text of a page of its web UI."""
        return self._pages.get(path).get_data(as_text=True)

    @property
    def _pages(self) -> FlaskClient:
        web_ui = self.environment.web_ui
        assert web_ui is not None
        assert web_ui.app is not None
        return web_ui.app.test_client()

    def stop(self) -> None:
        """Stop its web UI, and so itself."""
        assert self.environment.web_ui is not None
        self.environment.web_ui.stop()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(os.getpid(), number)
        gevent.sleep(0)


def run_locust(
    arguments: list[str],
    folder: Path = ROOT,
    meanwhile: Callable[[Live], object] | None = None,
    command: Callable[[], object] = main.main,
    look: Look = silent,
) -> Ended:
    """Run `locust` with these arguments in a folder to its end; *meanwhile* runs in a greenlet beside it.

    *command* is what reads the arguments, where it is not Locust itself. Its limits are watched by *look*.
    """
    output = io.StringIO()
    run_directory.git_commit(judging.SUITE_FOLDER)  # asked of a process, once, and not under virtual time
    with ExitStack() as stack:
        # Connections of killed users are closed by the garbage collector, during the run or after it.
        stack.enter_context(warnings.catch_warnings(action="ignore", category=ResourceWarning))
        stack.callback(gc.collect)
        stack.callback(random.setstate, random.getstate())
        random.seed(1)
        clock = stack.enter_context(virtual_time())
        for context in (
            _what_it_prints_goes_to(output),
            all_as_before(),
            _judge_in_this_process(),
            watched_by(look),
            _machine_at_rest(clock),
            chdir(folder),
            patch.object(sys, "argv", ["locust", "--skip-log-setup", *arguments]),
        ):
            stack.enter_context(context)
        if meanwhile:
            stack.callback(gevent.spawn(meanwhile, Live(clock)).kill)
        status = _exit_status(command)
        return Ended(status, output.getvalue(), clock.elapsed_s)


class _ProcessEnded(BaseException):
    """What os._exit() raises here."""


def _end_process(status: int) -> None:
    raise _ProcessEnded(status)


def _exit_status(command: Callable[[], object]) -> int:
    """Run the command, and what is registered for the end of Python, and return the exit status."""
    at_exit: list[Callable[[], object]] = []
    really_register = atexit.register

    def register(function: Callable[..., object], *arguments: Any, **options: Any) -> Callable[..., object]:
        if function.__module__ == "weakref":  # at the end of this process: it stops all finalizers of it
            return really_register(function, *arguments, **options)
        at_exit.append(partial(function, *arguments, **options))
        return function

    vars(sys).pop("last_value", None)  # of a test that has failed
    with patch.object(atexit, "register", register), patch.object(os, "_exit", _end_process):
        status = _status_of(command)
        for function in reversed(at_exit):
            try:
                function()
            except _ProcessEnded as end:
                (status,) = end.args
    return status


def _status_of(command: Callable[[], object]) -> int:
    """Return the exit status that Python would end with."""
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:  # noqa: BLE001 - Python's own last resort
        sys.last_value = error
        return _status_of(lambda: sys.excepthook(*sys.exc_info())) or 1
    return 0


@contextmanager
def _what_it_prints_goes_to(output: io.StringIO) -> Iterator[None]:
    handler = logging.StreamHandler(output)
    logging.getLogger().addHandler(handler)
    try:
        with redirect_stdout(output), redirect_stderr(output):
            yield
    finally:
        logging.getLogger().removeHandler(handler)


class _JudgeProcess:
    """`python -m reports`, as plimsoll.recording.judging starts it; it takes a while to reach its verdict."""

    def __init__(self, command: list[str], **_: Any) -> None:
        self._arguments = command[command.index("reports") + 1 :]
        self._killed = Event()
        self.returncode = -signal.SIGKILL

    def communicate(self) -> tuple[str, str]:
        """Judge, unless killed before, and return what it prints."""
        if self._killed.wait(JUDGING_S):
            return "", ""
        judged = run_reports(self._arguments)
        self.returncode = judged.returncode
        return judged.stdout, judged.stderr

    def kill(self) -> None:
        """End it."""
        self._killed.set()


def run_reports(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of `python -m reports`."""
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        status = cli.main(arguments)
    return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())


def _judge_in_this_process() -> AbstractContextManager[object]:
    processes = SimpleNamespace(
        PIPE=subprocess.PIPE,
        Popen=_JudgeProcess,
        run=lambda command, **_: run_reports(command[command.index("reports") + 1 :]),
    )
    return patch.object(judging, "subprocess", processes)


class _HostTimes(NamedTuple):
    """What psutil.cpu_times() returns on Linux."""

    user: float
    nice: float
    system: float
    idle: float
    iowait: float
    irq: float
    softirq: float
    steal: float


@contextmanager
def _machine_at_rest(clock: Clock) -> Iterator[None]:
    """Have health.csv tell of a machine that goes by the virtual clock, and run.json of its dates."""

    class VirtualDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = UTC) -> Self:
            return cls.fromtimestamp(clock.time(), tz)

    own = SimpleNamespace(
        cpu_times=lambda: SimpleNamespace(user=OWN_CPU_RATIO * clock.elapsed_s, system=0.0),
        memory_info=lambda: SimpleNamespace(rss=100_000_000),
    )
    busy, idle = HOST_CPU_RATIO, 1 - HOST_CPU_RATIO
    psutil = SimpleNamespace(
        Process=lambda: own,
        cpu_times=lambda: _HostTimes(busy * clock.elapsed_s, 0, 0, idle * clock.elapsed_s, 0, 0, 0, 0),
    )
    with (
        patch.object(health, "psutil", psutil),
        patch.object(health, "_waited_s", lambda: 0.0),
        patch.object(recording, "datetime", VirtualDatetime),
    ):
        yield
