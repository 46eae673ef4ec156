"""How good the machine itself is: how late it wakes a process that only sleeps, and what its host takes away.

No load generator can be better than that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:  # pytest wants to load the modules of fixtures itself
    from tests.fix_runs import Run

LATE_MS = 10.0
CALM_RATIO = 0.005
STEAL_RATIO = 0.005
"""On a machine whose cores are its own less is late, and less of what they do is taken away.

Twice the first, and a generator on it has more late wakes than its verdict allows.
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


class Bystander:
    """The sleeping process; the first question about it ends it, and is answered for the time until then."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._before = psutil.cpu_times()
        self._process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdin=pipe, stdout=pipe, text=True)

    @cached_property
    def late_ms(self) -> NDArray[np.float64]:
        """How late it was woken each time."""
        output, _ = self._process.communicate("")
        return np.array(json.loads(output))

    @cached_property
    def was_calm(self) -> bool:
        """Whether hardly ever it was woken too late, and the machine had its cores for itself."""
        now, before = psutil.cpu_times(), self._before
        taken_s = now.steal - before.steal
        used_s = now.user + now.system - before.user - before.system
        late_ratio = np.mean(self.late_ms > LATE_MS)
        return bool(late_ratio < CALM_RATIO and taken_s < STEAL_RATIO * (used_s + taken_s))

    def end(self) -> None:
        """End it, if nobody has asked."""
        if self._process.poll() is None:
            self._process.communicate("")


class DisturbedMachineError(AssertionError):
    """The machine kept a test from showing anything."""


@contextmanager
def blaming(bystander: Bystander) -> Iterator[None]:
    """Say of a failed assertion on how fast the machine was that the machine was disturbed, if it was."""
    try:
        yield
    except AssertionError as error:
        if bystander.was_calm:
            raise
        raise DisturbedMachineError(str(error)) from error


def assert_green(run: Run, bystander: Bystander) -> None:
    """Require a PASS; only what the verdict says of its generator can be the machine's fault."""
    failed = {check["check"] for check in run.read("verdict.json")["validity"] if not check["ok"]}
    is_the_generators = run.status == 77 and all(check.startswith("generator_") for check in failed)
    with blaming(bystander) if is_the_generators else nullcontext():
        assert run.status == 0, run.output


@pytest.fixture
def bystander() -> Iterator[Bystander]:
    """Have a process sleep beside a test."""
    sleeper = Bystander()
    yield sleeper
    sleeper.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Repeat what a disturbed machine kept from showing anything; the third time it has failed."""
    again = pytest.mark.flaky(reruns=2, only_rerun=[DisturbedMachineError.__name__])
    for item in items:
        if "bystander" in getattr(item, "fixturenames", ()):
            item.add_marker(again)
