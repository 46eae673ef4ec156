"""Runs of Locust in this process, under virtual time, against a service in greenlets of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fix_runs import GENEROUS, ROOT, Commands, Run
from tests.greenlet_service import GreenletService
from tests.in_process import Live, run_locust


class VirtualRun(Run):
    """A run that took *elapsed_s* by the virtual clock."""

    elapsed_s = 0.0


class VirtualRunner(Commands):
    """Runs Locust headless to its end, *meanwhile* beside it."""

    def __call__(
        self,
        *arguments: str,
        thresholds: str | None = GENEROUS,
        folder: Path = ROOT,
        meanwhile: Callable[[Live], object] | None = None,
    ) -> VirtualRun:
        """Run to the end."""
        command, directory = self.command(*arguments, thresholds=thresholds)
        ended = run_locust(command, folder, meanwhile)
        run = VirtualRun(ended.status, ended.output, directory)
        run.elapsed_s = ended.elapsed_s
        return run


@pytest.fixture
def virtual_run(locustfile: Path, tmp_path: Path) -> VirtualRunner:
    """Return a function that runs Locust headless to its end."""
    return VirtualRunner(locustfile, tmp_path)


@pytest.fixture
def virtual_service() -> Iterator[GreenletService]:
    """Run a service for one test."""
    running = GreenletService()
    yield running
    running.close()
