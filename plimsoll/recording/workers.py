"""The workers of a run as their master sees them: which take part, which are lost, whose clock is wrong.

With a worker that is gone while the load lasts, its users and its last samples are gone too.
"""

from __future__ import annotations

import gevent
from locust.rpc import Message
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, Runner

import logging
import time
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from plimsoll.locust_internals import answering_workers
from plimsoll.recording.run_clock import ClockStep, RunClock

# On top of the time that Locust gives users to end.
LAST_REPORT_LIMIT_S = 30.0
_LOOK_INTERVAL_S = 0.05
MAX_OFFSET_S = 0.5
"""A clock that is more wrong puts requests into a wrong second."""

logger = logging.getLogger("plimsoll")


class LostWorker(NamedTuple):
    """A worker that was lost, and when, in seconds since the start of the run."""

    id: str
    at_s: float


class WorkerWatch:
    """Compares the workers of now with those of a second ago; idle in a single process."""

    def __init__(self, runner: Runner | None) -> None:
        self._runner = runner if isinstance(runner, MasterRunner) else None
        self._present = answering_workers(self._runner)
        self.lost: list[LostWorker] = []
        self.took_part: set[str] = set()
        """The workers that had users to start or to run in this run; Locust forgets none that ever came."""

    @property
    def is_watching(self) -> bool:
        """Whether this process is a master."""
        return self._runner is not None

    def look(self, elapsed_s: float) -> bool:
        """Note who has gone since the last look, say so on the terminal, and return whether anybody has."""
        present = answering_workers(self._runner)
        self._note_loaded()
        gone = sorted(self._present - present)
        self._present = present
        for worker in gone:
            self.lost.append(LostWorker(worker, round(elapsed_s, 1)))
            logger.error("%.0f s: worker %s is lost; this run cannot pass", elapsed_s, worker)
        return bool(gone)

    def await_last_reports(self, complete: AbstractSet[str]) -> None:
        """Have all workers stop and wait until each is in *complete*, which grows meanwhile, or is gone.

        Locust's master waits half a second after it has sent quit to its workers, and then stops listening: a
        worker needs longer than that to stop thousands of users, and its last samples would be lost.
        """
        if self._runner is None:
            return
        stopped = answering_workers(self._runner) - complete
        for worker in stopped:
            self._runner.server.send_to_client(Message("stop", None, worker))
        deadline_s = time.monotonic() + self._runner.environment.stop_timeout + LAST_REPORT_LIMIT_S
        while answering_workers(self._runner) - complete and time.monotonic() < deadline_s:
            gevent.sleep(_LOOK_INTERVAL_S)
        # With a stop timeout one that has stopped says only after that time that it is there again. Until
        # then Locust knows nothing of it, does not tell it to quit, and it stays for a minute.
        for worker in stopped - set(self._runner.clients):
            self._runner.server.send_to_client(Message("quit", None, worker))

    def close(self, elapsed_s: float, complete: AbstractSet[str]) -> list[LostWorker]:
        """Return all that were lost, with those that were there to the end and sent no last report."""
        self._note_loaded()
        self.lost += [LostWorker(worker, round(elapsed_s, 1)) for worker in sorted(self._present - complete)]
        return self.lost

    def _note_loaded(self) -> None:
        if self._runner is not None:
            loaded = {STATE_SPAWNING, STATE_RUNNING}
            self.took_part |= {client.id for client in self._runner.clients.all if client.state in loaded}


class WorkerClocks:
    """The clocks of the workers of one run, beside that of this process."""

    def __init__(self, clock: RunClock, process: str) -> None:
        self.clock, self._process = clock, process
        self._offsets_s: dict[str, float] = {}
        self._steps: dict[str, list[ClockStep]] = {}

    def note(self, worker: str, sent_s: float, steps: Iterable[Iterable[Any]]) -> None:
        """Take note of a report that has just arrived: when it was sent, and steps, by the worker's clock."""
        self._steps[worker] = [ClockStep(*step) for step in steps]
        # The message was some time on its way, so the least difference seen is nearest to that of the clocks.
        offset_s = self.clock.now_unix_s - sent_s
        self._offsets_s[worker] = min(offset_s, self._offsets_s.get(worker, offset_s))

    def shift_s(self, worker: str) -> int:
        """Return by how many whole seconds a worker's times must be moved; 0 where its clock is right."""
        offset_s = self._offsets_s.get(worker, 0.0)
        return round(offset_s) if abs(offset_s) > MAX_OFFSET_S else 0

    def step_facts(self) -> list[dict[str, Any]]:
        """Return when the wall clock was set or the machine suspended, at which process, and by how much."""
        steps = {self._process: self.clock.steps, **self._steps}
        return [
            {
                "process": process,
                "at_s": round(step.unix_s + self.shift_s(process) - self.clock.started_unix_s, 3),
                "forward_s": step.forward_s,
                "suspended_s": step.suspended_s,
            }
            for process, seen in sorted(steps.items())
            for step in seen
        ]

    def facts(self) -> dict[str, float]:
        """Return the offset of each worker in seconds."""
        return {worker: round(offset_s, 3) for worker, offset_s in sorted(self._offsets_s.items())}
