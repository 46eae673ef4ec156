"""The process that watches limits: it gets what is recorded, it is heard, and nobody ever waits for it."""

from __future__ import annotations

import gevent

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from plimsoll.recording import live
from plimsoll.recording.intervals import IntervalFile
from plimsoll.recording.live import Abort, LimitState, LimitWatch
from tests.fix_runs import SOON_S
from tests.unit.test_interval_writer import batch, no_stage, read_batches

STATE = LimitState(
    "p95 < 1 s", "", "fail", "PASS", 20.0, "ms", 1000.0, (19.0, 21.0), 50, (0.0, 60.0), None, ""
)
# Stands for the child: it tells the rows that it got, and looks once a batch.
TELLS_ROWS = """
import json, pyarrow, sys
from pathlib import Path
folder, rows, look = Path(sys.argv[1]), [], {look}
stream = pyarrow.ipc.open_stream(sys.stdin.buffer)
for batch in stream:
    rows += batch.to_pylist()
    (folder / "rows.new").write_text(json.dumps([rows, stream.schema.metadata[b"limits_ms"].decode()]))
    (folder / "rows.new").rename(folder / "rows.json")
    print(json.dumps(look), flush=True)
(folder / "has_ended").touch()
"""


def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds, while other greenlets run."""
    with gevent.Timeout(SOON_S):
        while not condition():
            gevent.sleep(0.02)


def look_of(*states: LimitState, abort: Abort | None = None) -> dict[str, Any]:
    """Return what is written of one look."""
    limits = [state._asdict() for state in states]
    return {"elapsed_s": 5.0, "stage": "hold", "limits": limits, "abort": abort and abort._asdict()}


class Watched:
    """A run whose limits a stand-in of the child watches."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
        def command(*arguments: str) -> list[str]:
            assert arguments[:2] == ("reports", "watch")
            return [sys.executable, "-c", script, *arguments[2:]]

        monkeypatch.setattr(live, "suite_command", command)
        self.folder = folder
        self.aborts: list[Abort] = []
        self.watch = LimitWatch(folder, self.aborts.append, can_abort=True)
        self.file = IntervalFile(folder / "intervals.arrow", [100.0, 200.0])
        self.process = psutil.Process(self.watch._process.pid)

    def record(self, second: int) -> None:
        """Record a second, and have it watched."""
        self.file.append(batch(second, (0, 0, 64.0), (1, second % 3, 256.0)), f"w{second}", no_stage)
        written = self.file.write()
        assert written is not None
        self.watch.take(written)

    @property
    def has_ended(self) -> bool:
        """Whether the child is gone."""
        return not self.process.is_running()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Watched]]:
    """Return a function that has the limits of a run watched by a script."""
    started: list[Watched] = []

    def start(script: str) -> Watched:
        started.append(Watched(tmp_path, monkeypatch, script))
        return started[-1]

    yield start
    for each in started:
        each.watch.stop()
    until(lambda: all(each.has_ended for each in started))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the suite has warned of."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_child_gets_what_is_recorded_and_is_heard(
    watched: Callable[[str], Watched], caplog: pytest.LogCaptureFixture
) -> None:
    """Batch by batch it reads the rows of intervals.arrow; its last look is kept; it ends with the load."""
    run = watched(TELLS_ROWS.format(look=look_of(STATE)))
    for second in range(50, 54):
        run.record(second)
    path = run.folder / "rows.json"
    until(lambda: path.exists() and len(json.loads(path.read_text())[0]) == 8)
    told, limits_ms = json.loads(path.read_text())
    run.file.close()
    schema, rows, _ = read_batches(run.folder / "intervals.arrow")

    assert told == json.loads(json.dumps(rows))
    assert limits_ms.encode() == schema.metadata[b"limits_ms"]
    assert run.process.nice() == 10  # users come first
    until(lambda: bool(run.watch.states))
    (state,) = run.watch.states
    assert json.dumps(state) == json.dumps(STATE)
    assert not run.has_ended
    run.watch.stop()
    until(lambda: run.has_ended)
    run.watch.take(pa.record_batch({}))
    assert (warnings_of(caplog), run.aborts) == ([], [])


def test_a_child_whose_input_ends_sees_it(watched: Callable[[str], Watched]) -> None:
    """The end of its input, as after kill -9 of its master, is the end of a stream that can be read."""
    run = watched(TELLS_ROWS.format(look=look_of()))
    run.record(50)
    until(lambda: (run.folder / "rows.json").exists())
    assert run.watch._feeding
    run.watch._feeding.kill()
    until(lambda: (run.folder / "has_ended").exists())


def test_an_abort_is_told_once(watched: Callable[[str], Watched]) -> None:
    """The first limit that ends the load is told, with the states of that look, and the child is stopped."""
    broken, abort = STATE._replace(state="FAIL"), Abort("p95 < 1 s", "measured 2 s")
    line = json.dumps(look_of(broken, abort=abort))
    run = watched(f"import time\nprint({line!r}, {line!r}, sep='\\n', flush=True)\ntime.sleep(600)")
    until(lambda: bool(run.aborts) and run.has_ended)

    assert run.aborts == [abort]
    assert [state.state for state in run.watch.states] == ["FAIL"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "raise SystemExit('no memory left')",
            "the process that watches ended with status 1: no memory left",
        ),
        ("pass", "the process that watches ended with status 0"),
        (
            "print('{}', flush=True); input()",
            "the process that watches wrote a line that cannot be read: b'{}",
        ),
        (
            "print('no JSON', flush=True); input()",
            "the process that watches wrote a line that cannot be read",
        ),
    ],
)
def test_a_child_that_fails_is_given_up(
    watched: Callable[[str], Watched], caplog: pytest.LogCaptureFixture, script: str, why: str
) -> None:
    """It is warned of once, with what it means for limits that were to abort the load, which goes on."""
    run = watched(script)
    until(lambda: bool(warnings_of(caplog)) and run.has_ended)
    for second in range(50, 60):
        run.record(second)
        gevent.sleep(0)

    (warning,) = warnings_of(caplog)
    assert warning.startswith(f"limits are not watched any more: {why}")
    assert warning.endswith("; none of them can abort the load any more")
    assert run.aborts == []


def test_a_child_that_is_too_slow_is_given_up(
    watched: Callable[[str], Watched], caplog: pytest.LogCaptureFixture
) -> None:
    """One that reads nothing never keeps anybody waiting: a minute of batches waits for it, and no more."""
    run = watched("import time; time.sleep(600)")
    began_s, turns = time.process_time(), 0
    for second in range(50, 50 + 3 * live.MAX_WAITING_BATCHES):
        run.watch.take(big_batch(second))
        gevent.sleep(0)
        turns += 1
        if second == 50 + live.MAX_WAITING_BATCHES // 2:
            assert warnings_of(caplog) == []
    until(lambda: run.has_ended)

    assert turns == 3 * live.MAX_WAITING_BATCHES
    assert time.process_time() - began_s < 5
    (warning,) = warnings_of(caplog)
    assert "30 batches wait for the process that watches" in warning


def big_batch(second: int) -> pa.RecordBatch:
    """Return a batch that no pipe holds."""
    return pa.record_batch({"started_s": pa.array(range(second, second + 40_000), pa.int64())})


def test_a_child_that_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a warning; without limits that abort, nothing is said of these."""
    monkeypatch.setattr(live, "suite_command", lambda *_: [str(tmp_path / "missing")])
    watch = LimitWatch(tmp_path, lambda _: None, can_abort=False)
    watch.take(pa.record_batch({}))
    watch.stop()

    (warning,) = warnings_of(caplog)
    assert warning.startswith("limits are not watched any more: the process that watches cannot be started")
    assert "abort" not in warning
