"""Notice a worker that is gone while the load lasts: its users and its last samples are gone with it."""

from __future__ import annotations

from locust.runners import STATE_MISSING, MasterRunner, Runner

import logging
from typing import NamedTuple

logger = logging.getLogger("plimsoll")


class LostWorker(NamedTuple):
    """A worker that was lost, and when, in seconds since the start of the run."""

    id: str
    at_s: float


class WorkerWatch:
    """Compares the workers of now with those of a second ago; idle in a single process."""

    def __init__(self, runner: Runner | None) -> None:
        self._runner = runner if isinstance(runner, MasterRunner) else None
        self._present = self._answering()
        self.lost: list[LostWorker] = []

    @property
    def is_watching(self) -> bool:
        """Whether this process is a master."""
        return self._runner is not None

    def look(self, elapsed_s: float) -> bool:
        """Note who has gone since the last look, say so on the terminal, and return whether anybody has."""
        present = self._answering()
        gone = sorted(self._present - present)
        self._present = present
        for worker in gone:
            self.lost.append(LostWorker(worker, round(elapsed_s, 1)))
            logger.error("%.0f s: worker %s is lost; this run cannot pass", elapsed_s, worker)
        return bool(gone)

    def close(self, elapsed_s: float, complete: set[str]) -> list[LostWorker]:
        """Return all that were lost, with those that were there to the end and sent no last report."""
        self.lost += [LostWorker(worker, round(elapsed_s, 1)) for worker in sorted(self._present - complete)]
        return self.lost

    def _answering(self) -> set[str]:
        if self._runner is None:
            return set()
        return {client.id for client in self._runner.clients.all if client.state != STATE_MISSING}
