"""How good the machine itself is: how late it wakes a process that only sleeps, and what its host takes away.

No load generator can be better than that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import psutil

LATE_MS = 10.0
DISTURBED_RATIO = 0.005
"""On a machine whose cores are its own less is late, and less of what they do is taken away.

Twice that, and a generator on it has more late wakes than its verdict allows.
"""

# It sleeps as the generator's own watch on its event loop does, until standard input ends.
SLEEPER = """
import json, select, sys, time
late_ms, began_s = [], time.perf_counter()
while not (select.select([sys.stdin], [], [], 0.02)[0] and late_ms):
    ended_s = time.perf_counter()
    late_ms.append((ended_s - began_s - 0.02) * 1000)
    began_s = time.perf_counter()
print(json.dumps(late_ms))
"""


class Lateness(NamedTuple):
    """How late the sleeping process was woken, and the shares of late wakes and of CPU time taken away."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    late_ratio: float
    steal_ratio: float

    @property
    def was_disturbed(self) -> bool:
        """Whether the machine had other things to do."""
        return max(self.late_ratio, self.steal_ratio) >= DISTURBED_RATIO


class Sleeper:
    """The sleeping process, from the moment it is made."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._before = psutil.cpu_times()
        self._process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdin=pipe, stdout=pipe, text=True)

    def end(self) -> Lateness:
        """End it, and return how late it was."""
        output, _ = self._process.communicate("")
        late_ms = np.array(json.loads(output))
        now, before = psutil.cpu_times(), self._before
        taken_s = now.steal - before.steal
        used_s = now.user + now.system - before.user - before.system
        p50_ms, p99_ms, max_ms = (float(value) for value in np.percentile(late_ms, (50, 99, 100)))
        return Lateness(
            p50_ms,
            p99_ms,
            max_ms,
            late_ratio=float(np.mean(late_ms > LATE_MS)),
            steal_ratio=taken_s / (used_s + taken_s) if used_s + taken_s else 0.0,
        )
