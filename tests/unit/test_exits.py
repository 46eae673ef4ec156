"""What ends a process is caught where it can be, and named with the place in the user's own code."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from gevent import get_hub
from locust.env import Environment
from locust.event import EventHook
from locust.exception import StopTest, StopUser
from locust.main import main as locust

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from plimsoll.command_line import run_locust as plimsoll_run
from plimsoll.data.preparation import _prepare_first_run
from plimsoll.data.set_up import SetUpError
from plimsoll.recording import exits
from plimsoll.recording.exits import (
    LastResort,
    Signals,
    catch_exits,
    contain_listeners,
    interrupt_main,
    where_raised,
)
from plimsoll.recording.plugin import _around_init
from plimsoll.recording.worker import SILENT_S, WorkerEnd
from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.terminal import refuse
from tests.in_process import run_locust
from tests.virtual_time import virtual_time

ROOT = Path(__file__).resolve().parents[2]
NOT_LOADED = "plimsoll: no load was made: the process ended while its locustfiles were being loaded\n"


def raised(error: BaseException) -> BaseException:
    """Return an exception that was raised here."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what was taken of the exits of greenlets."""
    hub, taken = get_hub(), list[str]()
    monkeypatch.setattr(hub, "handle_error", hub.handle_error)
    catch_exits(taken.append)
    return taken


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (SystemExit(0), "sys.exit(0)"),
        (SystemExit(), "sys.exit()"),
        (SystemExit("no token=s3cret"), "sys.exit('no token=***')"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (StopTest("no Bearer abc"), "StopTest('no Bearer ***')"),
    ],
)
def test_what_was_raised_is_named(error: BaseException, what: str) -> None:
    """The words are those of the locustfile, without secrets, and the place is where it was raised."""
    assert where_raised(error) == what
    assert where_raised(raised(error)).startswith(f"{what} in test_exits.py, line ")


def test_the_place_is_in_code_of_the_user() -> None:
    """An exit of a library that is called is named by the line that calls it."""
    with pytest.raises(SystemExit) as caught:
        argparse.ArgumentParser().parse_args(["--no-such-option"])

    assert where_raised(caught.value).endswith("in test_the_place_is_in_code_of_the_user")


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt()])
def test_an_exit_of_a_greenlet_is_taken(taken: list[str], error: BaseException) -> None:
    """It ends the greenlet, and the main one goes on."""

    def leave() -> None:
        raise error

    gevent.spawn(leave).join()
    assert len(taken) == 1
    assert "in leave" in taken[0]


def test_locust_may_end_the_process(taken: list[str]) -> None:
    """A sys.exit() of Locust itself, in whatever greenlet, ends the process as ever."""
    code = compile("import sys\nsys.exit(3)", f"{exits._LOCUST}/main.py", "exec")
    with pytest.raises(SystemExit) as caught:
        gevent.spawn(lambda: exec(code)).join()  # noqa: S102 - as if it were Locust's

    assert caught.value.code == 3
    assert taken == []


def test_a_forked_process_may_end(taken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that a user has forked ends by sys.exit() as ever, and ends no run."""
    monkeypatch.setattr("plimsoll.recording.exits.os.getpid", lambda: -1)
    with pytest.raises(SystemExit):
        gevent.spawn(sys.exit, 0).join()

    assert taken == []


def test_listeners_after_one_that_exits_are_called() -> None:
    """In both orders, and with what Locust passes over: what it would let pass is taken."""
    hook, calls, taken = EventHook(), list[str](), list[str]()

    def listener(name: str, error: BaseException | None = None) -> Any:
        def listen(**_: Any) -> None:
            calls.append(name)
            if error:
                raise error

        return hook.add_listener(listen)

    for name, error in (
        ("a", SystemExit(0)),
        ("b", StopUser()),
        ("c", ValueError()),
        ("d", KeyboardInterrupt()),
    ):
        listener(name, error)
    listener("e")
    contain_listeners(hook, taken.append)
    listener("f")
    hook.fire()
    hook.fire(reverse=True)

    assert "".join(calls) == "abcdef" + "fedcba"
    assert [what.partition(" ")[0] for what in taken[:3]] == ["sys.exit(0)", "StopUser", "KeyboardInterrupt"]


def test_a_greenlet_that_is_killed_in_a_listener_ends() -> None:
    """Locust kills greenlets that it wants no more, also while they call listeners."""
    hook, taken = EventHook(), list[str]()
    hook.add_listener(lambda **_: gevent.sleep(60))
    contain_listeners(hook, taken.append)
    firing = gevent.spawn(hook.fire)
    gevent.sleep(0)
    firing.kill()

    assert firing.dead
    assert taken == []


@pytest.mark.parametrize(("code", "status"), [(0, 77), (None, 77), (3, 3), ("wrong", "wrong")])
def test_an_exit_before_the_load(code: Any, status: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A listener of init that ends the process with 0 has shown nothing to be good, and that is said."""
    last_resort = LastResort()
    last_resort.settle = lambda _: 1
    with pytest.raises(SystemExit) as caught, _around_init(last_resort):
        raise SystemExit(code)

    assert caught.value.code == status
    assert ("no load was made: sys.exit(" in capsys.readouterr().err) == (status == 77)
    assert last_resort.settle is None


ENDS = """
import atexit, os, sys
from plimsoll.recording.exits import LastResort
for settle, end in {ends}:
    if os.fork() == 0:
        break
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
else:
    sys.exit()
last_resort = LastResort()
last_resort.settle = lambda error: eval(settle)
atexit.register(print, "others first")
if os.fork() == 0:
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0, "that a forked process is left alone"
exec(end)
"""


def test_the_last_resort() -> None:
    """A process that would end with another status gets that of the last resort, after all else."""
    ends = [
        ("77", "sys.exit(0)"),
        ("77", ""),
        ("None", "sys.exit(3)"),
        ("None if isinstance(error, ZeroDivisionError) else 77", "1 / 0"),
    ]
    command = [sys.executable, "-c", ENDS.format(ends=ends)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.replace("others first\n" * 2, "").split() == ["77", "77", "3", "1"], ended.stderr
    assert ended.stdout.count("others first\n") == 2 * len(ends)


def loaded_and_ended(folder: Path, end: str) -> Path:
    """Return a locustfile that ends so while Locust loads it."""
    path = folder / "shop.py"
    path.write_text(
        "import sys\nfrom locust import User\nfrom plimsoll import record_run\nrecord_run()\n"
        f"class Visitor(User):\n    pass\n{end}\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    ("command", "end", "option", "status", "says_why"),
    [
        (locust, "sys.exit(0)", "--headless", 77, True),
        (lambda: plimsoll_run(sys.argv[1:]), "sys.exit(0)", "--headless", 77, True),
        (lambda: plimsoll_run(sys.argv[1:]), "sys.exit(3)", "--headless", 3, False),
        (locust, "1 / 0", "--headless", 1, False),
        (locust, "", "--help", 0, False),
    ],
    ids=["locust", "plimsoll run", "a status of its own", "raises", "help"],
)
def test_an_exit_of_a_locustfile_that_is_loaded(
    tmp_path: Path, command: Callable[[], object], end: str, option: str, status: int, says_why: bool
) -> None:
    """From record_run() on no locustfile ends the process with 0 while it is loaded; Locust itself may."""
    ended = run_locust(["-f", str(loaded_and_ended(tmp_path, end)), option], command=command)

    assert ended.status == status, ended.output
    assert (NOT_LOADED in ended.output) == says_why


@pytest.mark.parametrize(
    ("options", "status"), [(["-f", "none.py"], 1), (["--config", "none.conf"], 2), ([], 1)]
)
def test_what_locust_refuses_keeps_its_status(tmp_path: Path, options: list[str], status: int) -> None:
    """A wrong file name must not end `plimsoll run` with 77, which a pipeline may be told to allow."""
    ended = run_locust(options, tmp_path, command=lambda: plimsoll_run(sys.argv[1:]))

    assert ended.status == status, ended.output
    assert NOT_LOADED not in ended.output


def test_the_help_of_plimsoll_run_names_it(tmp_path: Path) -> None:
    """Usage, examples and the refusal of a wrong option are of the command that was typed."""
    locustfile = str(loaded_and_ended(tmp_path, ""))

    def command() -> None:
        plimsoll_run(sys.argv[1:])

    shown = run_locust(["-f", locustfile, "--help"], command=command).output
    refused = run_locust(["-f", locustfile, "--no-such-option"], command=command)

    assert shown.startswith("Usage: plimsoll run [options]")
    assert "    plimsoll run --headless -u 100" in shown
    assert "    locust -" not in shown
    assert refused.status == 2
    assert "plimsoll run: error: unrecognized arguments: --no-such-option" in refused.output


def test_an_exit_of_a_locustfile_that_a_process_loads(tmp_path: Path) -> None:
    """A real process ends so, too."""
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(loaded_and_ended(tmp_path, "sys.exit(0)")),
        "--headless",
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 77, ended.stderr
    assert NOT_LOADED in ended.stderr


def test_signals_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is told by its name, the second ends the process with a status, and there is no third."""
    calls: list[object] = []
    monkeypatch.setattr(exits, "exit_now", lambda status: calls.append(f"exits with {status}"))
    before = {number: signal.getsignal(number) for number in exits.SIGNALS}
    try:
        Signals(calls.append, lambda: 77).take(*exits.SIGNALS)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert calls == ["SIGTERM", "exits with 77"]


@pytest.fixture
def interrupting() -> Iterator[None]:
    """Have SIGINT interrupt the main greenlet for one test."""
    before = signal.signal(signal.SIGINT, lambda *_: interrupt_main(KeyboardInterrupt))
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    """Send this process a SIGINT, which is handled before the next statement or two."""
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(100):
        pass


@pytest.mark.usefixtures("interrupting")
def test_a_user_is_not_broken_off() -> None:
    """A signal that comes while a greenlet works is met by the main greenlet; the work goes on."""
    done: list[str] = []

    def work() -> None:
        interrupt()
        done.append("this")
        gevent.sleep(0)
        done.append("that")

    worker = gevent.spawn(work)
    with pytest.raises(KeyboardInterrupt):
        gevent.sleep(60)
    worker.join()

    assert worker.successful()
    assert done == ["this", "that"]


@pytest.mark.usefixtures("interrupting")
def test_a_connection_is_read_on() -> None:
    """A signal that comes in the middle of what the event loop calls does not stop its watching."""
    heard: list[bytes] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def on_readable() -> None:
            if not heard:
                interrupt()
            heard.append(ours.recv(1))

        watcher = gevent.get_hub().loop.io(ours.fileno(), 1)
        watcher.start(on_readable)
        theirs.send(b"a")
        with pytest.raises(KeyboardInterrupt):
            gevent.sleep(60)
        theirs.send(b"b")
        with gevent.Timeout(60):
            while len(heard) < 2:
                gevent.sleep(0)
        watcher.stop()
        watcher.close()

    assert heard == [b"a", b"b"]


@pytest.mark.usefixtures("interrupting")
def test_the_main_greenlet_is_interrupted_at_once() -> None:
    """A signal that comes while the main greenlet works is raised there and then."""
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_nothing_to_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an exception to raise, the callback is called once each time, and nothing is raised."""
    callers: list[gevent.Greenlet] = []
    errors: list[Any] = []
    hub = get_hub()
    monkeypatch.setattr(hub, "handle_error", lambda *error: errors.append(error))

    def interruption() -> None:
        callers.append(gevent.getcurrent())

    assert gevent.getcurrent() is hub.parent
    interrupt_main(interruption)
    assert callers == [hub.parent]
    worker = gevent.spawn(interrupt_main, interruption)
    with gevent.Timeout(60):
        while len(callers) < 2:
            gevent.sleep(0)
    gevent.sleep(0)  # in which an exception would be raised
    assert callers == [hub.parent, hub]
    assert worker.successful()
    assert errors == []


class Worker:
    """A worker whose master is near, with its users."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, processes: int | None) -> None:
        self.sent: list[tuple[str, object]] = []
        self.ends: list[str] = []
        self.parent = 10
        options = argparse.Namespace(processes=processes)
        self.environment: Any = Environment(parsed_options=options)
        self.environment.stop_timeout = 0
        monkeypatch.setattr("plimsoll.recording.worker.os.getppid", lambda: self.parent)
        monkeypatch.setattr(
            "plimsoll.recording.worker.exit_now", lambda status: self.ends.append(f"exit {status}")
        )
        monkeypatch.setattr("plimsoll.recording.worker.Signals.take", lambda *_: None)
        WorkerEnd(self.environment, self)  # type: ignore[arg-type] # what a runner has that is used

    def send_message(self, kind: str, data: object) -> None:
        """Note what the master is told."""
        self.sent.append((kind, data))

    def stop(self) -> None:
        """Stop the users."""
        self.ends.append("stop")

    def hear(self, for_s: float) -> None:
        """Have a master answer heartbeats."""
        for _ in range(round(for_s)):
            self.environment.events.heartbeat_received.fire(client_id="worker", timestamp=0)
            gevent.sleep(1)


@pytest.mark.usefixtures("taken")
def test_a_worker_ends_soon_after_its_master(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of --processes whose parent is gone, and that hears no master, stops its users in seconds."""
    with virtual_time() as clock:
        worker = Worker(monkeypatch, 2)
        worker.hear(100)
        assert worker.ends == []
        worker.parent = 1
        while not worker.ends:
            gevent.sleep(0.1)
        assert clock.elapsed_s == pytest.approx(100 + SILENT_S, abs=1.5)
        gevent.sleep(0)
    assert worker.ends == ["stop", "exit 1"]


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(("processes", "heard_s"), [(2, 100), (None, 0)])
def test_a_worker_stays_while_its_master_does(
    monkeypatch: pytest.MonkeyPatch, processes: int | None, heard_s: float
) -> None:
    """Another parent is no reason to end: not with a master that answers, and not when started by hand."""
    with virtual_time():
        worker = Worker(monkeypatch, processes)
        worker.parent = 1
        worker.hear(heard_s)
        gevent.sleep(0 if processes else 100)
    assert worker.ends == []


def test_the_master_is_told_what_ends_the_run(monkeypatch: pytest.MonkeyPatch, taken: list[str]) -> None:
    """An exit in a user or a listener of a worker ends nothing there: the master is told."""
    worker = Worker(monkeypatch, None)

    def leave(**_: Any) -> None:
        sys.exit(0)

    for _ in range(2):  # users of one run
        gevent.spawn(leave).join()
    worker.environment.events.test_start.add_listener(leave)
    worker.environment.events.test_start.fire()

    assert [kind for kind, _ in worker.sent] == ["plimsoll_aborted"] * 2
    assert all(str(what).startswith("sys.exit(0) in test_exits.py") for _, what in worker.sent)
    assert taken == []


def test_a_last_resort_that_fails_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where even the last judging raises, the process does not end with the 0 that it was given."""
    ended: list[int] = []
    monkeypatch.setattr(exits, "exit_now", ended.append)
    monkeypatch.setattr(exits, "ignore_signals", lambda: None)
    last_resort = LastResort()
    last_resort.settle = lambda _: 1 // 0
    last_resort._on_exit()
    last_resort.settle = None
    assert ended == [1]


@pytest.mark.parametrize("stream", ["open", "closed", "none"])
def test_a_refused_run_has_its_status_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    """All faults are printed without their secrets; without a terminal the exit status is the same."""
    written = StringIO()
    monkeypatch.setattr(sys, "stderr", None if stream == "none" else written)
    if stream == "closed":
        written.close()
    with pytest.raises(SystemExit) as ended:
        refuse(ExitStatus.CRASH, ["no database at http://ann:s3cret@db:1/", "no rows"])

    assert ended.value.code == 1
    if stream == "open":
        assert written.getvalue() == "plimsoll: no database at http://ann:***@db:1/\nplimsoll: no rows\n"


def test_a_set_up_that_fails_ends_the_run_with_1_also_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With stderr closed, the exit status of a failed preparation is the same."""
    environment = Environment()
    preparation = Mock(**{"begin.side_effect": SetUpError("set-up 'accounts' failed")})
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as ended:
        _prepare_first_run(preparation, environment.create_local_runner())

    assert ended.value.code == 1
