"""The limits of a run while its load goes on, judged by `python -m reports watch`, a process of its own.

It gets the batches of intervals.arrow as they are written, and writes a line of JSON for each look at them:
how each limit stands, and whether one of those with `abort` ends the load. Locust's loop never waits for it:
a process that ends or stays behind is given up, and the load goes on.
"""

from __future__ import annotations

import gevent
from gevent import subprocess
from gevent.queue import Full, Queue

import io
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow as pa

from plimsoll.recording.intervals import STREAM_OPTIONS
from plimsoll.recording.judging import suite_command

MAX_WAITING_BATCHES = 30
"""One comes every 2 s: who is a minute behind tells nothing of now."""

NICENESS = 10
"""Where cores are scarce, users come first: a late look is better than latencies that it has made."""

logger = logging.getLogger("plimsoll")


class LimitState(NamedTuple):
    """How a limit stands: PASS, FAIL or INCONCLUSIVE, and by which figures.

    *window_s* is the time that these are of, and *since_s* is from when on the limit has stood so, in seconds
    of the run.
    """

    source: str
    name: str
    level: str
    state: str
    value: float | None
    unit: str
    limit: float | None
    interval: Sequence[float | None] | None
    n: int
    window_s: Sequence[float] | None
    since_s: float | None
    reason: str


class Abort(NamedTuple):
    """The limit that ends the load, and how it is broken."""

    source: str
    text: str


class LimitWatch:
    """The watching process of a run, from its start until `stop`; *states* are those of its last look.

    *on_abort* is called once, with the limit that ends the load. *can_abort* says whether there is any such.
    """

    def __init__(self, run_directory: Path, on_abort: Callable[[Abort], None], *, can_abort: bool) -> None:
        self._on_abort, self._can_abort = on_abort, can_abort
        self.states: Sequence[LimitState] = ()
        self._is_over = False
        self._waiting: Queue[bytes] = Queue(MAX_WAITING_BATCHES)
        self._encoded = io.BytesIO()
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._feeding: gevent.Greenlet | None = None
        try:
            self._process = subprocess.Popen(
                suite_command("reports", "watch", str(run_directory.resolve())),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C ends the load, which then ends this; where this process is killed, its input ends.
                start_new_session=True,
            )
        except OSError as error:
            self._give_up(f"the process that watches cannot be started: {error}")
            return
        with suppress(psutil.Error):  # it has ended already, which `_read` sees
            psutil.Process(self._process.pid).nice(NICENESS)
        self._feeding = gevent.spawn(self._feed)
        gevent.spawn(self._read)

    def take(self, batch: pa.RecordBatch) -> None:
        """Have a batch of intervals.arrow watched; the first brings the schema. It never waits or raises."""
        if self._is_over:
            return
        try:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(self._encoded, batch.schema, options=STREAM_OPTIONS)
            self._writer.write_batch(batch)
            self._waiting.put_nowait(self._encoded.getvalue())
        except Full:
            self._give_up(f"{MAX_WAITING_BATCHES} batches wait for the process that watches")
        except Exception as error:  # noqa: BLE001 - the recording goes on, whatever it is
            self._give_up(repr(error))
        self._encoded.seek(0)
        self._encoded.truncate()

    def stop(self) -> None:
        """End the process; what it says from now on is not heard."""
        if not self._is_over:
            self._is_over = True
            if self._feeding:
                self._process.kill()
                self._feeding.kill(block=False)

    def _feed(self) -> None:
        assert self._process.stdin is not None
        # Where it has ended, `_read` knows more.
        with suppress(OSError), self._process.stdin as pipe:
            for encoded in self._waiting:
                pipe.write(encoded)
                pipe.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with self._process.stdout as lines, self._process.stderr as errors:
            complaints = gevent.spawn(errors.read)
            for line in lines:
                if not self._is_over:
                    self._take_line(line)
            status = self._process.wait()
            last_line = complaints.get().decode(errors="replace").strip().rpartition("\n")[2]
        why = f"the process that watches ended with status {status}"
        self._give_up(f"{why}: {last_line}" if last_line else why)

    def _take_line(self, line: bytes) -> None:
        try:
            look: dict[str, Any] = json.loads(line)
            self.states = [LimitState(*(each[key] for key in LimitState._fields)) for each in look["limits"]]
            abort = look["abort"] and Abort(look["abort"]["source"], look["abort"]["text"])
        except (ValueError, LookupError, TypeError):
            self._give_up(f"the process that watches wrote a line that cannot be read: {line[:200]!r}")
            return
        if abort:
            self.stop()
            self._on_abort(abort)

    def _give_up(self, why: str) -> None:
        if self._is_over:
            return
        lost = "; none of them can abort the load any more" if self._can_abort else ""
        logger.warning("limits are not watched any more: %s%s", why, lost)
        self.stop()
