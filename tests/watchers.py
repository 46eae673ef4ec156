"""What stands for `python -m reports watch` in a run within the process of the tests."""

from __future__ import annotations

from gevent.queue import Queue

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from unittest.mock import patch

from plimsoll.recording import live

Look = Callable[[int], dict[str, Any] | None]
"""Returns what is written after so many batches, if anything."""


def silent(_: int) -> None:
    """Look at a run and say nothing."""


def broken_after(batches: int, source: str = "error_rate < 10%") -> Look:
    """Return how a limit is looked at that is broken, and ends the load, after so many batches."""

    def look(seen: int) -> dict[str, Any]:
        is_broken = seen >= batches
        state = {
            "source": source,
            "name": "",
            "level": "fail",
            "state": "FAIL" if is_broken else "PASS",
            "value": 48.0 if is_broken else 0.0,
            "unit": "%",
            "limit": 10.0,
            "interval": [40.0, 56.0] if is_broken else [0.0, 1.0],
            "n": 100 * seen,
            "window_s": [0.0, 2.0 * seen],
            "since_s": 2.0 * batches if is_broken else None,
            "reason": "",
        }
        abort = {"source": source, "text": "measured 48 %"} if is_broken else None
        return {"elapsed_s": 2.0 * seen, "stage": None, "limits": [state], "abort": abort}

    return look


class _Pipe:
    """One end of a pipe, which is closed after a with-block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Input(_Pipe):
    def __init__(self, process: WatchProcess) -> None:
        self._process = process

    def write(self, _encoded: bytes) -> None:
        """Take a batch."""
        self._process.take()

    def flush(self) -> None:
        """Do nothing: it was taken."""


class _Output(_Pipe):
    def __init__(self) -> None:
        self.lines: Queue[Any] = Queue()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.lines)


class _Errors(_Pipe):
    def read(self) -> bytes:
        """Return that nothing went wrong."""
        return b""


class WatchProcess:
    """The process: it answers each batch with what *look* says, and ends when it is killed."""

    pid = 2**22 + 1  # of no process: it is above the highest of Linux

    def __init__(self, look: Look, started: list[WatchProcess], command: list[str], **_: object) -> None:
        self._look, self.batches = look, 0
        self.directory = Path(command[-1])
        self.stdin, self.stdout, self.stderr = _Input(self), _Output(), _Errors()
        self.is_killed = False
        started.append(self)

    def take(self) -> None:
        """Look at one batch more."""
        self.batches += 1
        if (said := self._look(self.batches)) is not None:
            self.stdout.lines.put(f"{json.dumps(said)}\n".encode())

    def kill(self) -> None:
        """End it."""
        self.is_killed = True
        self.stdout.lines.put(StopIteration)

    def wait(self) -> int:
        """Return how it has ended."""
        return -9


def watched_by(look: Look, started: list[WatchProcess] | None = None) -> AbstractContextManager[object]:
    """Have limits watched by *look*, by a process of its own for each run, which is added to *started*."""
    began = [] if started is None else started
    processes = SimpleNamespace(
        PIPE=subprocess.PIPE, Popen=lambda command, **how: WatchProcess(look, began, command, **how)
    )
    return patch.object(live, "subprocess", processes)
