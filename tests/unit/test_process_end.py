"""Whatever ends a process, its exit status is the verdict, and without a verdict it is not 0."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from gevent import GreenletExit
from locust import LoadTestShape
from locust.exception import StopTest

import json
import logging
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plimsoll.recording import exits
from plimsoll.recording.intervals import IntervalFile
from plimsoll.recording.judging import Judgement
from plimsoll.recording.options import declare_limits_ms
from plimsoll.recording.process_end import CLEAN_UP_HINT, JUDGING_HINT
from plimsoll.recording.run_directory import LocustCsvFiles, ScheduleLog
from tests.fix_locust_process import Judge, LocustProcess, fire
from tests.virtual_time import virtual_time
from tests.watchers import WatchProcess, silent, watched_by

pytestmark = pytest.mark.usefixtures("judge")
LIFECYCLE = ("test_start", "test_stopping", "test_stop", "quitting")


class Held(LoadTestShape):
    """Four users for 20 s."""

    def tick(self) -> tuple[int, float] | None:
        """Return four users, or None at the end."""
        return (4, 4) if self.get_run_time() < 20 else None


def process_of(tmp_path: Path, shape: LoadTestShape | None = None, **options: Any) -> LocustProcess:
    """Return a headless process that plays 20 s."""
    defaults = {"headless": True, "run_time": None if shape else 20, "exit_code_on_error": 1}
    return LocustProcess(tmp_path / "run", shape, **defaults | options)


def raising(error: type[BaseException], *arguments: object) -> Callable[..., None]:
    """Return a listener that raises."""

    def listener(**_: Any) -> None:
        raise error(*arguments)

    return listener


def with_listener(process: LocustProcess, event: str, listener: Callable[..., None], *, added: str) -> None:
    """Add a listener to a process before or after the suite's own."""
    if added == "before":
        process.on(event, listener)
    process.listen()
    if added == "after":
        process.on(event, listener)


def messages(caplog: pytest.LogCaptureFixture) -> str:
    """Return what the suite has said."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name == "plimsoll")


@pytest.mark.parametrize("status", [0, 99, 77])
@pytest.mark.parametrize("added", ["before", "after"])
@pytest.mark.parametrize("event", ["test_stop", "quitting", "quit"])
def test_the_verdict_is_the_exit_status(
    tmp_path: Path, judge: type[Judge], caplog: pytest.LogCaptureFixture, event: str, added: str, status: int
) -> None:
    """A listener that sets process_exit_code, added before ours or after, is overridden, and that is said."""
    judge.status = status
    process = process_of(tmp_path)

    def set_status(**_: Any) -> None:
        process.environment.process_exit_code = 0 if status else 3

    with_listener(process, event, set_status, added=added)
    with virtual_time():
        assert process.run() == status

    overridden = f"process_exit_code = {0 if status else 3} of the locustfile is overridden by the verdict"
    assert (overridden in messages(caplog)) == (event != "quit")  # which comes too late to have an effect


@pytest.mark.parametrize(
    "error", [SystemExit(0), SystemExit(5), KeyboardInterrupt(), StopTest(), ValueError()]
)
@pytest.mark.parametrize("added", ["before", "after"])
def test_a_listener_of_quit_that_raises(
    tmp_path: Path, judge: type[Judge], caplog: pytest.LogCaptureFixture, added: str, error: BaseException
) -> None:
    """After the verdict nothing that a listener raises changes the status; what would have is named."""
    judge.status = 99
    process = process_of(tmp_path)
    with_listener(process, "quit", raising(type(error), *error.args), added=added)
    with virtual_time():
        assert process.run() == 99

    if not isinstance(error, ValueError):
        assert "in test_process_end.py, line" in messages(caplog)
        assert "is ignored: the verdict decides the exit status" in messages(caplog)


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit(), KeyboardInterrupt(), StopTest("enough")])
@pytest.mark.parametrize("added", ["before", "after"])
@pytest.mark.parametrize("event", LIFECYCLE)
def test_a_listener_that_would_end_the_process(
    tmp_path: Path, event: str, added: str, error: BaseException
) -> None:
    """The run is judged and cannot pass; run.json says what was raised and where; all others are called."""
    process, called = process_of(tmp_path), list[str]()
    with_listener(process, event, raising(type(error), *error.args), added=added)
    for name in LIFECYCLE:
        process.on(name, lambda name=name, **_: called.append(name))
    with virtual_time() as clock:
        assert process.run() == 77
        assert clock.elapsed_s < 30

    facts = process.facts
    assert type(error).__name__.replace("SystemExit", "sys.exit") in facts["aborted"]
    assert "in test_process_end.py, line" in facts["aborted"]
    assert facts["ended"]
    assert facts["end_reason"] == ("aborted" if event == "test_start" else "run time reached")
    assert sorted(called) == sorted(LIFECYCLE)


def exits_in_a_task(process: LocustProcess) -> None:
    """Have the fifth task of a user exit."""
    process.user_class.tasks = [lambda user: sys.exit(0) if called(user) == 5 else fire(user.environment)]


@pytest.mark.parametrize("prepare", ["nothing", "signal", "exit", "quit", "crash"])
def test_the_process_that_watches_ends_with_the_load(tmp_path: Path, prepare: str) -> None:
    """Whatever ends the load, the limits are watched from its start, and from its end no more."""
    limits, started = tmp_path / "limits.yaml", list[WatchProcess]()
    limits.write_text("thresholds: ['p95 < 1 s']", encoding="utf-8")
    process = process_of(tmp_path, thresholds=str(limits)).listen()
    declare_limits_ms(process.environment, [], can_abort=True)
    if prepare == "exit":
        exits_in_a_task(process)
    with virtual_time(), watched_by(silent, started):
        if prepare == "signal":
            gevent.spawn_later(8, send, process)
        elif prepare == "quit":
            gevent.spawn_later(8, process.runner.quit)
        elif prepare == "crash":
            gevent.spawn(process.runner.start, 4, 4)
            gevent.sleep(5)
            process.end.settle(OSError(28, "No space left on device"))
        if prepare != "crash":
            process.run()
    (watching,) = started
    assert watching.directory == process.directory
    assert watching.batches >= 1
    assert watching.is_killed


def exits_on_start(process: LocustProcess) -> None:
    """Have users exit as they start."""
    process.user_class.on_start = lambda _: sys.exit(0)


def exits_on_stop(process: LocustProcess) -> None:
    """Have users exit as they stop."""
    process.user_class.on_stop = lambda _: sys.exit(0)


def exits_in_a_request(process: LocustProcess) -> None:
    """Have the listener of the thirtieth request exit."""
    process.on("request", lambda **_: sys.exit(0) if called(process) == 30 else None)


def exits_in_a_greenlet(process: LocustProcess) -> None:
    """Have a greenlet beside the users exit."""

    def leave() -> None:
        sys.exit(0)

    process.on("test_start", lambda **_: gevent.spawn_later(8, leave))


def interrupts_in_a_task(process: LocustProcess) -> None:
    """Have the fifth task of a user raise what Ctrl-C does."""

    def interrupt(user: Any) -> None:
        if called(user) == 5:
            raise KeyboardInterrupt

    process.user_class.tasks = [interrupt]


def called(holder: Any) -> int:
    """Return how often this was called with the same object."""
    holder.calls = getattr(holder, "calls", 0) + 1
    return int(holder.calls)


@pytest.mark.parametrize("shape", [None, Held])
@pytest.mark.parametrize(
    ("prepare", "ended_s"),
    [
        (exits_in_a_task, 2),
        (exits_on_start, 0),
        (exits_on_stop, 20),
        (exits_in_a_request, 4),
        (exits_in_a_greenlet, 8),
        (interrupts_in_a_task, 2),
    ],
)
def test_an_exit_within_the_load(
    tmp_path: Path, prepare: Callable[[LocustProcess], None], ended_s: float, shape: type[Held] | None
) -> None:
    """sys.exit(0) of a user or a greenlet ends the run then, which is judged and cannot pass."""
    process = process_of(tmp_path, shape() if shape else None).listen()
    prepare(process)
    with virtual_time() as clock:
        assert process.run() == 77
        assert clock.elapsed_s == pytest.approx(ended_s, abs=2)

    facts = process.facts
    assert "in test_process_end.py, line" in facts["aborted"]
    assert facts["ended"]
    assert facts["end_reason"] == (
        "aborted" if ended_s < 20 else "schedule ended" if shape else "run time reached"
    )


def test_a_failed_limit_of_a_run_that_was_broken_off(tmp_path: Path, judge: type[Judge]) -> None:
    """What was shown to be bad before is bad."""
    judge.status = 99
    process = process_of(tmp_path).listen()
    exits_in_a_task(process)
    with virtual_time():
        assert process.run() == 99


def test_users_that_end_themselves_end_no_run(tmp_path: Path) -> None:
    """GreenletExit of a user is the end of that user alone; the run comes to its end and is judged."""
    process = process_of(tmp_path).listen()

    def leave(user: Any) -> None:
        fire(user.environment)
        if called(user) == 5:
            raise GreenletExit

    process.user_class.tasks = [leave]
    with virtual_time() as clock:
        assert process.run() == 0
        assert clock.elapsed_s >= 20
    assert process.facts["aborted"] is None


def test_what_ends_a_user_unseen_by_locust_is_counted(tmp_path: Path) -> None:
    """A user that gevent.Timeout ends is gone for good: Locust counts that as any exception of a user."""
    process = process_of(tmp_path).listen()

    def wait(user: Any) -> None:
        fire(user.environment)
        if called(user) == 5:
            with gevent.Timeout(1):
                gevent.sleep(2)

    process.user_class.tasks = [wait]
    with virtual_time():
        process.run()
    (broken,) = process.runner.exceptions.values()
    assert (broken["count"], broken["msg"]) == (4, "1 second")
    assert process.facts["aborted"] is None


def test_an_exit_after_the_verdict(
    tmp_path: Path, judge: type[Judge], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A greenlet that exits while the run is judged changes nothing."""
    judge.status = 99

    def wait(self: Judge) -> Judgement:
        gevent.spawn(sys.exit, 0)
        gevent.sleep(2)
        return Judgement(self.status, "")

    monkeypatch.setattr(judge, "wait", wait)
    process = process_of(tmp_path).listen()
    with virtual_time():
        assert process.run() == 99
    assert "sys.exit(0) is ignored" in messages(caplog)


@pytest.mark.parametrize("shape", [None, Held])
@pytest.mark.parametrize("users", [1, 4])
@pytest.mark.parametrize("call", ["quit", "stop"])
def test_a_load_that_a_task_stops(tmp_path: Path, call: str, users: int, shape: type[Held] | None) -> None:
    """The first mark of the end holds: stopped at 8 of 20 s, whatever Locust's timer or shape says later."""
    process = process_of(tmp_path, shape() if shape else None).listen()

    def stop(user: Any) -> None:
        fire(user.environment)
        if called(process) == 16 * users:
            getattr(process.runner, call)()

    process.user_class.tasks = [stop]
    process.runner.start = lambda *_, start=process.runner.start, **__: start(users, users)  # type: ignore[method-assign]
    with virtual_time():
        process.run()

    facts = process.facts
    assert facts["end_reason"] == "stopped"
    assert seconds_between(facts["started"], facts["ended"]) == pytest.approx(8, abs=1)


def seconds_between(started: str, ended: str) -> float:
    """Return the seconds from one to the other."""
    from datetime import datetime

    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def test_several_runs_of_one_process(tmp_path: Path, judge: type[Judge]) -> None:
    """A load that is stopped and started again makes two runs, both judged, and the worse one counts."""
    process = process_of(tmp_path).listen()
    statuses = iter([99, 0])

    def wait(self: Judge) -> Judgement:  # noqa: ARG001 - a method
        return Judgement(next(statuses), "")

    judge.wait = wait  # type: ignore[method-assign]

    def again() -> None:
        gevent.sleep(8)
        process.runner.stop()
        process.runner.start(2, 2)

    with virtual_time():
        gevent.spawn(again)
        assert process.run() == 99
    assert json.loads((tmp_path / "run-2" / "run.json").read_text())["ended"]


class Never(LoadTestShape):
    """A shape that has no load."""

    def tick(self) -> None:
        """Return that it is over."""


def sets_up_for_longer_than_the_run(process: LocustProcess) -> None:
    """Have a listener of test_start go on until the end of the run."""
    process.on("test_start", lambda **_: gevent.sleep(30))


@pytest.mark.parametrize(
    ("shape", "prepare", "why"),
    [
        (Never(), lambda _: None, r"Never\.tick\(\) returned None before any users"),
        (
            None,
            sets_up_for_longer_than_the_run,
            "listeners of test_start took longer than --run-time, 20 s",
        ),
        (
            None,
            lambda process: setattr(process.runner, "start", lambda *_, **__: process.runner.quit()),
            "the runner was stopped before it",
        ),
        (
            None,
            lambda process: setattr(process.runner, "start", lambda *_, **__: sys.exit(0)),
            r"sys\.exit\(0\) in test_process_end\.py, line .*",
        ),
    ],
    ids=["a shape that ends at once", "a long set-up", "a runner that is stopped", "an exit"],
)
def test_no_load(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    shape: LoadTestShape | None,
    prepare: Callable[[LocustProcess], None],
    why: str,
) -> None:
    """A run that never comes to its load ends with 77, leaves no directory, and the cause is said once."""
    process = process_of(tmp_path, shape).listen()
    prepare(process)
    with virtual_time():
        assert process.run() == 77
    assert not process.directory.exists()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("plimsoll: no load")]
    assert re.fullmatch(f"plimsoll: no load was made: {why}", line)


def test_a_signal_before_the_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopped before it began, a run says by what."""
    process = process_of(tmp_path).listen()
    process.on("test_start", lambda **_: gevent.sleep(30))
    with virtual_time():
        gevent.spawn_later(3, send, process)
        assert process.run() == 77
    assert "no load was made: SIGINT came before it" in capsys.readouterr().out


def test_a_judge_that_cannot_be_started(
    tmp_path: Path, judge: type[Judge], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a judge there is no verdict, and the process says so and crashes."""

    def refuse(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    judge.__init__ = refuse  # type: ignore[method-assign,assignment]
    with virtual_time():
        assert process_of(tmp_path).listen().run() == 1
    assert "not judged: BlockingIOError(11, 'Resource temporarily unavailable')" in capsys.readouterr().out


def test_what_locust_itself_breaks_off(tmp_path: Path) -> None:
    """A run that Locust leaves by an exception of its own is judged at the last moment, and cannot pass."""
    process = process_of(tmp_path).listen()
    with virtual_time():
        gevent.spawn(process.runner.start, 4, 4)
        gevent.sleep(5)
        assert process.end.settle(OSError(28, "No space left on device")) == 77
    assert process.facts["aborted"] == "OSError('[Errno 28] No space left on device')"
    assert process.facts["ended"]


def test_a_crash_before_the_load_keeps_its_status(tmp_path: Path) -> None:
    """A traceback has said what there is to say, and Python's status for it is 1."""
    assert process_of(tmp_path).listen().end.settle(OSError(28, "No space left on device")) is None


def test_a_run_that_was_to_start_by_itself_and_never_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --autostart, too, a process that ends before its run is not 0, and says that no load was made."""
    assert process_of(tmp_path, headless=False, autostart=True).listen().end.settle(None) == 77
    assert "no load was made: the runner was stopped before it" in capsys.readouterr().out


def test_a_web_ui_without_runs_keeps_its_status(tmp_path: Path) -> None:
    """Where nothing was to be judged, how the process ends is Locust's affair."""
    assert process_of(tmp_path, headless=False).listen().end.settle(None) is None


def test_an_exit_in_a_run_of_the_web_ui(tmp_path: Path) -> None:
    """It ends the run, which is judged and cannot pass; the web UI stays."""
    process = process_of(tmp_path, headless=False).listen()
    exits_in_a_task(process)
    with virtual_time():
        process.runner.start(4, 4)
        gevent.sleep(15)
        session = process.end.session
        assert (session.state, session.judgement and session.judgement.exit_status) == ("judged", 77)
        process.runner.start(4, 4)  # and can have another
        gevent.sleep(1)
        assert session.state == "recording"
        process.runner.quit()
    assert process.facts["end_reason"] == "aborted"


def test_a_set_up_that_is_stopped_in_the_web_ui(tmp_path: Path) -> None:
    """Nothing of it is left: an exit in it does not end the next run."""
    process = process_of(tmp_path, headless=False, run_time=60).listen()
    session, ended = process.end.session, list[str]()
    session._end_process = lambda: ended.append("process")

    def prepare(**_: Any) -> None:
        if called(process) == 1:
            gevent.spawn(sys.exit, 0)
            gevent.sleep(30)

    process.on("test_start", prepare)
    with virtual_time():
        process.runner.start(4, 4)
        gevent.sleep(5)
        process.runner.stop()
        process.runner.start(4, 4)
        gevent.sleep(5)
        assert (session.state, process.facts["aborted"], ended) == ("recording", None, [])
        process.runner.stop()
        gevent.sleep(5)
        process.runner.quit()


def test_an_exit_after_a_set_up_that_was_stopped(tmp_path: Path) -> None:
    """The process of a web UI between two runs ends by it, as it does where no set-up was stopped."""
    process = process_of(tmp_path, headless=False, run_time=60).listen()
    ended: list[str] = []
    process.end.session._end_process = lambda: ended.append("process")
    process.on("test_start", lambda **_: gevent.sleep(30))
    with virtual_time():
        process.runner.start(4, 4)
        gevent.sleep(5)
        process.runner.stop()
        gevent.spawn(sys.exit, 0)
        gevent.sleep(1)
        process.runner.quit()
    assert ended == ["process"]


def test_the_stop_button_counts(tmp_path: Path) -> None:
    """A run of the web UI that is stopped before its run time is over was stopped, also when that is over."""
    process = process_of(tmp_path, headless=False).listen()
    with virtual_time():
        process.runner.start(4, 4)
        gevent.spawn_later(20, process.runner.stop)  # Locust's timer
        gevent.sleep(8)
        process.runner.stop()
        gevent.sleep(15)
        process.runner.quit()
    assert process.facts["end_reason"] == "stopped"


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the statuses that the process was left with, instead of ending it; signals are not taken."""
    statuses: list[int] = []
    monkeypatch.setattr(exits, "exit_now", statuses.append)
    monkeypatch.setattr(exits, "ignore_signals", lambda: None)
    return statuses


def send(process: LocustProcess, number: signal.Signals = signal.SIGINT) -> None:
    """Have a process handle a signal."""
    process.end._signals._on_signal(number, None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal(
    tmp_path: Path, judge: type[Judge], capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """The first ends the load, and the run is judged, which is said."""
    judge.status = 99
    process = process_of(tmp_path).listen()
    with virtual_time() as clock:
        gevent.spawn_later(8, send, process, number)
        assert process.run() == 99
        assert clock.elapsed_s == pytest.approx(8, abs=1)
    assert process.facts["end_reason"] == number.name
    assert capfd.readouterr().err.count(f"plimsoll: {JUDGING_HINT}\n") == 1


def test_a_signal_while_the_load_ends_by_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A run that came to its end is judged when all of its users have stopped, though a signal comes."""
    process = process_of(tmp_path).listen()
    process.user_class.on_stop = lambda _: gevent.sleep(5)
    with virtual_time() as clock:
        gevent.spawn_later(22, send, process)
        assert process.run() == 0
        assert clock.elapsed_s >= 25
    assert process.facts["end_reason"] == "run time reached"
    assert JUDGING_HINT in capfd.readouterr().err


def test_a_second_signal_while_users_stop(
    tmp_path: Path, left: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    """It ends the process with 77; run.json has an end, and says that the rest was not written."""
    process, facts_then = process_of(tmp_path).listen(), dict[str, Any]()
    process.user_class.on_stop = lambda _: gevent.sleep(60)

    def send_again() -> None:
        send(process)
        facts_then.update(process.facts)

    with virtual_time():
        gevent.spawn_later(8, send, process)
        gevent.spawn_later(9, send_again)
        process.run()
    assert left == [77]
    assert facts_then["end_reason"] == "SIGINT"
    assert facts_then["aborted"] == "the process was left before all was written"
    assert facts_then["ended"]
    assert f"python -m reports judge {process.directory}" in capfd.readouterr().err


def test_a_second_signal_while_the_run_is_judged(
    tmp_path: Path, judge: type[Judge], left: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    """It ends the judge and the process, with 77; the run itself is whole and can be judged later."""
    process, judges = process_of(tmp_path).listen(), list[Judge]()

    def wait(self: Judge) -> Judgement:
        judges.append(self)
        send(process)
        return Judgement(77, "")

    judge.wait = wait  # type: ignore[method-assign]
    with virtual_time():
        gevent.spawn_later(8, send, process, signal.SIGTERM)
        process.run()
    assert left == [77]
    assert [each.is_killed for each in judges] == [True]
    assert (process.facts["end_reason"], process.facts["aborted"]) == ("SIGTERM", None)
    assert f"python -m reports judge {process.directory}" in capfd.readouterr().err


def test_signals_when_there_is_a_verdict(
    tmp_path: Path, judge: type[Judge], left: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    """They skip what is left to clean up, and the status stays that of the verdict."""
    judge.status = 99
    process = process_of(tmp_path).listen()
    with virtual_time():
        assert process.run() == 99
    send(process)
    assert f"plimsoll: {CLEAN_UP_HINT}\n" in capfd.readouterr().err
    send(process)
    assert left == [99]


@pytest.mark.parametrize(
    ("owner", "method", "file"),
    [
        (ScheduleLog, "write_second", "schedule.csv"),
        (LocustCsvFiles, "flush", "locust_*.csv"),
        (LocustCsvFiles, "stats_writer", "locust_*.csv"),
        (IntervalFile, "write", "intervals.arrow"),
    ],
)
def test_a_disk_that_is_full_in_mid_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
    method: str,
    file: str,
) -> None:
    """The load goes on, the file is named at once, and run.json says that the run is not fully recorded."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(owner, method, refuse)
    process = process_of(tmp_path).listen()
    with virtual_time() as clock, caplog.at_level(logging.WARNING, "plimsoll"):
        process.run()
        assert clock.elapsed_s >= 20
    assert process.facts["recording_errors"] > 0
    assert process.facts["recording_fault"] == f"{file}: No space left on device"
    assert f"{file}: No space left on device" in messages(caplog)
    assert "Traceback" not in caplog.text


def test_a_run_json_that_cannot_be_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run whose end could not be written has none, so that it cannot pass; that is said."""
    process = process_of(tmp_path).listen()

    def fill(**_: Any) -> None:
        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("plimsoll.recording.recording.write_facts", refuse)

    process.on("test_stopping", fill)
    with virtual_time():
        process.run()
    assert process.facts["ended"] is None
    assert "cannot pass: run.json: No space left on device" in messages(caplog)
