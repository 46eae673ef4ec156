"""By how much each worker's clock is behind the master's, seen from the reports that it sends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plimsoll.recording.run_clock import ClockStep, RunClock

# A clock this wrong puts requests into a wrong second.
MAX_OFFSET_S = 0.5


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
