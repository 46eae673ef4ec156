"""By how much each worker's clock is behind the master's, seen from the reports that it sends."""

from __future__ import annotations

import time

# A clock this wrong puts requests into a wrong second.
MAX_OFFSET_S = 0.5


class WorkerClocks:
    """The clocks of the workers of one run."""

    def __init__(self) -> None:
        self._offsets_s: dict[str, float] = {}

    def note(self, worker: str, sent_s: float) -> None:
        """Take note of a report that has just arrived and was sent at *sent_s* of the worker's clock."""
        # The message was some time on its way, so the least difference seen is nearest to that of the clocks.
        offset_s = time.time() - sent_s
        self._offsets_s[worker] = min(offset_s, self._offsets_s.get(worker, offset_s))

    def shift_s(self, worker: str) -> int:
        """Return by how many whole seconds a worker's times must be moved; 0 where its clock is right."""
        offset_s = self._offsets_s.get(worker, 0.0)
        return round(offset_s) if abs(offset_s) > MAX_OFFSET_S else 0

    def facts(self) -> dict[str, float]:
        """Return the offset of each worker in seconds."""
        return {worker: round(offset_s, 3) for worker, offset_s in sorted(self._offsets_s.items())}
