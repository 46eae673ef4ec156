"""Headless runs of real Locust processes, and what they leave behind."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import LOCUST_TIMEOUT_S, finish, kill_what_stayed, start_locust

ROOT = Path(__file__).resolve().parents[1]
SOON_S = 120.0
"""Within that much comes what a machine does at once that has other things to do."""

GENEROUS = "thresholds:\n  - error_rate < 50%\n  - p95 of shop.home < 2 s\n"
IMPOSSIBLE = "thresholds:\n  - count of shop.home < 1\n"


class Run:
    """What a run left behind: its exit status, what it printed, and its directory."""

    def __init__(self, status: int, output: str, directory: Path) -> None:
        self.status, self.output, self.directory = status, output, directory

    def read(self, name: str) -> Any:
        """Return a JSON file of the run directory."""
        return json.loads(self._text(name))

    def rows(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file of the run directory."""
        return list(csv.DictReader(io.StringIO(self._text(name), newline="")))

    def _text(self, name: str) -> str:
        """Return the text of a file; AssertionError, with what the run printed, where it wrote none."""
        path = self.directory / name
        assert path.exists(), f"the run ended with status {self.status} and wrote no {name}:\n{self.output}"
        return path.read_text(encoding="utf-8")


class Commands:
    """Makes the commands of headless runs, each with a run directory of its own."""

    def __init__(self, locustfile: Path, folder: Path) -> None:
        self.locustfile, self.folder, self._count = locustfile, folder, 0

    def command(self, *arguments: str, thresholds: str | None = GENEROUS) -> tuple[list[str], Path]:
        """Return the arguments of a run, and its directory."""
        self._count += 1
        directory = self.folder / f"run-{self._count}"
        options = ["-f", str(self.locustfile), "--headless", "--only-summary", "-u", "4", "-r", "4"]
        options += ["--run-dir", str(directory)]
        if thresholds is not None:
            path = self.folder / f"thresholds-{self._count}.yaml"
            path.write_text(thresholds, encoding="utf-8")
            options += ["--thresholds", str(path)]
        return [*options, *arguments], directory


class Runner(Commands):
    """Runs headless Locust processes against a host."""

    def start(self, *arguments: str, thresholds: str | None = GENEROUS) -> tuple[subprocess.Popen[str], Path]:
        """Start a run and return its process and its directory."""
        command, directory = self.command(*arguments, thresholds=thresholds)
        return start_locust(command, ROOT), directory

    def __call__(
        self, *arguments: str, thresholds: str | None = GENEROUS, limit_s: float = LOCUST_TIMEOUT_S
    ) -> Run:
        """Run to the end, which must come within *limit_s*."""
        process, directory = self.start(*arguments, thresholds=thresholds)
        output = finish(process, limit_s)
        return Run(process.returncode, output, directory)


@pytest.fixture(autouse=True)
def no_run_stays() -> Iterator[None]:
    """End the runs that a test has left, so that they do not slow down those after it."""
    yield
    kill_what_stayed()


@pytest.fixture
def run(locustfile: Path, tmp_path: Path) -> Runner:
    """Return a function that runs Locust headless to its end."""
    return Runner(locustfile, tmp_path)


def judge(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
    """Judge a run by the command line."""
    command = [sys.executable, "-m", "reports", "judge", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def assert_undisputed(run: Run) -> None:
    """Require that nothing speaks against a PASS but the health of a generator on a busy machine."""
    verdict = run.read("verdict.json")
    failed = [check["check"] for check in verdict["validity"] if not check["ok"]]

    assert (run.status, verdict["verdict"]) in {(0, "PASS"), (77, "INCONCLUSIVE")}, run.output
    assert all(check.startswith("generator_") for check in failed), run.output


def until(condition: Callable[[], bool], limit_s: float = SOON_S) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true"
        time.sleep(0.05)


def has_history(directory: Path, rows: int = 5) -> bool:
    """Return whether the history of a run has that many lines on disk."""
    history = directory / "locust_stats_history.csv"
    return history.exists() and len(history.read_text(encoding="utf-8").splitlines()) > rows
