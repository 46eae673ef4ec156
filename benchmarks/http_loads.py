"""The load generators that are measured side by side: how each is started, and what its processes take."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.http_server import BODY, program

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
_LOG_CHARS = 2_000


class Load(NamedTuple):
    """A generator with its name in the table; *command* takes the URL, the users and a folder to write to."""

    name: str
    command: Callable[[str, int, Path], list[str]]


class Generator(NamedTuple):
    """A running generator, its processes taken together; they are a process group."""

    process: psutil.Popen
    log: Path

    def cpu_s(self) -> float:
        """Return the CPU seconds taken so far, user and system; raises SystemExit where it has ended."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(one.user + one.system for one in times)

    def rss_bytes(self) -> int:
        """Return the resident memory; raises SystemExit where it has ended."""
        return sum(process.memory_info().rss for process in self._processes())

    def kill(self) -> None:
        """End it at once: what it would report is of no interest."""
        # Workers stay behind where their master has ended.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _processes(self) -> list[psutil.Process]:
        if self.process.poll() is not None:
            log = self.log.read_text(encoding="utf-8", errors="replace")
            raise SystemExit(
                f"{self.process.args!r} ended with {self.process.returncode}:\n{log[-_LOG_CHARS:]}"
            )
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def running(load: Load, url: str, users: int, cores: str) -> Iterator[Generator]:
    """Run a generator on these cores (as taskset writes them)."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = ["taskset", "-c", cores, *load.command(url, users, Path(folder, "run"))]
        with log.open("wb") as output:
            process = psutil.Popen(command, cwd=ROOT, stdout=output, stderr=output, process_group=0)
        generator = Generator(process, log)
        try:
            yield generator
        finally:
            generator.kill()


def locust(user_class: str, *, is_recorded: bool = False, users_per_s: int = 500) -> Callable[..., list[str]]:
    """Return how Locust is started with a user class of http_users.py, its run recorded and judged or not."""

    def command(url: str, users: int, folder: Path) -> list[str]:
        options = ["--headless", "--only-summary", "-u", str(users), "-r", str(users_per_s), "-H", url]
        start = [sys.executable, "-m", "locust"]
        if is_recorded:
            start = [str(Path(sys.executable).with_name("plimsoll")), "run", "--run-dir", str(folder)]
        return [*start, "-f", str(FOLDER / "http_users.py"), user_class, *options]

    return command


def k6(*, idle_s: int = 0) -> Callable[..., list[str]]:
    """Return how k6 is started; *idle_s*: what each user waits after a request."""

    def command(url: str, users: int, _: Path) -> list[str]:
        variables = {"URL": f"{url}/", "BODY": BODY, "USERS": str(users), "IDLE_S": str(idle_s or "")}
        start = [str(Path(sys.executable).with_name("k6")), "run", "--quiet", "--no-usage-report"]
        settings = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        return [*start, "--address", "", *settings, str(FOLDER / "http_k6.js")]

    return command


def wrk(url: str, users: int, _: Path) -> list[str]:
    """Return how wrk is started: it looks at the status only."""
    return [program("wrk"), "--threads", "1", "--connections", str(users), "--duration", "1h", f"{url}/"]


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown: its first column is text, the others are figures."""
    for cells in (head, ["---", *["---:"] * (len(head) - 1)], *rows):
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.write("\n")
    sys.stdout.flush()
