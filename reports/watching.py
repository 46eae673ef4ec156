"""`plimsoll watch RUN` says how the limits of a run stand while it goes on, as its batches come.

A line of JSON for each look: `elapsed_s`, `stage`, `limits`, and `abort`, null or what ends the load.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from plimsoll.run_files.files import RUN_FILE, THRESHOLDS_FILE
from reports.files import say
from reports.load.description import read_description
from reports.load.interval_file import intervals_of, parted
from reports.load.run import (
    EXCEPTION_COLUMNS,
    FAILURE_COLUMNS,
    HISTORY_COLUMNS,
    REQUEST_COLUMNS,
    STAGE_COLUMNS,
    Run,
    empty_frame,
)
from reports.load.run_files import Place, locate
from reports.thresholds.entries import Threshold
from reports.thresholds.reading import read_thresholds
from reports.watched import KEPT_S, abort_by, states_of

LOOK_EVERY_S = 5
SILENT_S = 10
"""A worker that has sent nothing for so long is waited for no more."""


class Recent:
    """The batches of the last KEPT_S seconds."""

    def __init__(self) -> None:
        self._batches: list[tuple[int, pa.RecordBatch]] = []
        self._ended_s: dict[str, int] = {}

    def take(self, batch: pa.RecordBatch) -> None:
        """Keep a batch, and no longer those that are too old."""
        ended = batch.column("ended_s").to_numpy(zero_copy_only=False)
        if not len(ended):
            return
        self._batches.append((int(ended.max()), batch))
        workers = np.asarray(batch.column("worker").to_pylist())
        for worker in set(workers.tolist()):
            last_s = int(ended[workers == worker].max())
            self._ended_s[worker] = max(last_s, self._ended_s.get(worker, 0))
        oldest_s = max(self._ended_s.values()) - KEPT_S
        self._batches = [(last_s, kept) for last_s, kept in self._batches if last_s >= oldest_s]

    @property
    def end_s(self) -> int:
        """Return the second up to which all workers have sent what there is; the last is not over."""
        newest_s = max(self._ended_s.values(), default=0)
        return min((s for s in self._ended_s.values() if s >= newest_s - SILENT_S), default=0)

    def run_of(self, place: Place) -> Run:
        """Return what is known of the run now."""
        batches = [batch for _, batch in self._batches]
        table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
        requests, iterations, custom = parted(intervals_of(table))
        meta, _ = read_description(place.folder / RUN_FILE, place.folder.name)
        return Run(
            meta=meta,
            requests=empty_frame(REQUEST_COLUMNS),
            total=empty_frame(REQUEST_COLUMNS),
            history=empty_frame(HISTORY_COLUMNS),
            failures=empty_frame(FAILURE_COLUMNS),
            exceptions=empty_frame(EXCEPTION_COLUMNS),
            stages=empty_frame(STAGE_COLUMNS),
            intervals=requests,
            iterations=iterations,
            custom=custom,
        )


class Watch:
    """The looks at one run, which remember since when each limit has stood as it does."""

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        self._thresholds = thresholds
        self._since: list[tuple[str, float]] = []

    def look(self, run: Run, now_s: int) -> dict[str, Any]:
        """Return what is said of the run as it is recorded up to a Unix second."""
        elapsed_s = now_s - run.started_unix_s
        states = states_of(self._thresholds, run, now_s)
        if not self._since:
            self._since = [("", 0.0)] * len(states)
        self._since = [
            was if was[0] == each["state"] else (each["state"], elapsed_s)
            for was, each in zip(self._since, states, strict=True)
        ]
        limits = [each | {"since_s": s} for each, (_, s) in zip(states, self._since, strict=True)]
        stage = next((s.name for s in run.meta.stages if s.from_s <= elapsed_s < s.to_s), None)
        return {
            "elapsed_s": round(elapsed_s, 3),
            "stage": stage,
            "limits": limits,
            "abort": abort_by(self._thresholds, run, now_s),
        }


def watch(options: argparse.Namespace) -> tuple[int, str]:
    """Return 0 when no more batches come; each look is printed as it is made.

    Raises ConfigError for bad thresholds, DataError where there is no run.
    """
    place = locate(options.run)
    looks = Watch(read_thresholds(place.folder / THRESHOLDS_FILE))
    recent, looked_s = Recent(), 0
    try:
        for batch in pa.ipc.open_stream(sys.stdin.buffer):
            recent.take(batch)
            if recent.end_s >= looked_s + LOOK_EVERY_S:
                looked_s = recent.end_s
                say(sys.stdout, f"{json.dumps(looks.look(recent.run_of(place), looked_s))}\n")
    except pa.ArrowInvalid:
        pass  # the input has ended: nothing was recorded, or the process that records is gone
    return 0, ""
