"""Measure what a select by key costs in SQL load generators: `python -m benchmarks.sql_generators`.

All ask the same embedded PostgreSQL, which has the first core, for a row of pgbench's accounts by its key,
with 10 connections without think time; the generator has the second core. In each round each generator has
its turn. The server counts the statements, the kernel the CPU time, both between two moments under load.
Prints a Markdown table, medians with min-max. Needs two idle cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg

from service.embedded_postgres import BIN, embedded_postgres

SERVER_CORE, GENERATOR_CORE = sorted(os.sched_getaffinity(0))[:2]
CONNECTIONS, SCALE = 10, 10
WARM_UP_S = 2.0
LOCUSTFILE = Path(__file__).with_name("sql_users.py")
PGBENCH = "pgbench -S -M prepared"


class Window(NamedTuple):
    """What was seen between two moments under load."""

    statements: int
    elapsed_s: float
    cpu_s: float

    @property
    def cpu_us(self) -> float:
        """Microseconds of the generator's CPU time a statement."""
        return self.cpu_s * 1e6 / self.statements

    @property
    def rate_per_s(self) -> float:
        """Statements a second."""
        return self.statements / self.elapsed_s


def commands(url: str, folder: str) -> dict[str, list[str]]:
    """Return how each generator is started."""
    threads = ["-c", str(CONNECTIONS), "-j", "1", "-T", "3600"]
    locust = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    locust += ["-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "-t", "3600s"]
    return {
        PGBENCH: [str(BIN / "pgbench"), "-S", "-M", "prepared", "-n", *threads, url],
        "SqlUser": [*locust, "Keys"],
        "SqlUser, recorded": [*locust, "--run-dir", f"{folder}/{time.monotonic_ns()}", "Keys"],
        "psycopg as it is, under Locust": [*locust, "PlainKeys"],
    }


@contextmanager
def loading(name: str, command: list[str], url: str) -> Iterator[psutil.Process]:
    """Have a generator load the server on its core."""
    settings = {"DATABASE_URL": url, "RECORDED": "yes" if "recorded" in name else ""}
    process = subprocess.Popen(  # noqa: S603 - our own commands
        ["taskset", "-c", str(GENERATOR_CORE), *command],  # noqa: S607 - of util-linux
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def measured(name: str, url: str, folder: str, seconds: float) -> Window:
    """Return what a generator does in so many seconds."""
    count = "SELECT sum(xact_commit) FROM pg_stat_database WHERE datname = current_database()"
    with (
        loading(name, commands(url, folder)[name], url) as process,
        psycopg.connect(url, autocommit=True) as server,
    ):

        def moment() -> tuple[int, float, float]:
            row = server.execute(count).fetchone()
            assert row is not None
            times = process.cpu_times()
            return int(row[0]), time.perf_counter(), times.user + times.system

        before = moment()[0]
        while moment()[0] < before + 1000:
            time.sleep(0.1)
        time.sleep(WARM_UP_S)
        first = moment()
        time.sleep(seconds)
        last = moment()
    return Window(last[0] - first[0], last[1] - first[1], last[2] - first[2])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what a select by key costs in SQL load generators.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="measured in each round, of each generator")
    options = parser.parse_args()
    os.sched_setaffinity(0, {SERVER_CORE})  # of the server, which is started by this process
    with embedded_postgres() as url, tempfile.TemporaryDirectory() as folder:
        start = [str(BIN / "pgbench"), "-i", "-q", "-s", str(SCALE), url]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - as above
        names = list(commands(url, folder))
        found: dict[str, list[Window]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                found[name].append(measured(name, url, folder, options.seconds))
    write = sys.stdout.write
    write("| generator | statements/s | × pgbench | CPU µs a statement | × pgbench |\n")
    write("|---|---:|---:|---:|---:|\n")
    for name, windows in found.items():
        rates, costs = [w.rate_per_s for w in windows], [w.cpu_us for w in windows]
        pairs = list(zip(windows, found[PGBENCH], strict=True))
        rate = statistics.median(w.rate_per_s / own.rate_per_s for w, own in pairs)
        cost = statistics.median(w.cpu_us / own.cpu_us for w, own in pairs)
        spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f})"
        cpu = f"{statistics.median(costs):.1f} ({min(costs):.1f}–{max(costs):.1f})"
        write(f"| {name} | {spread} | {rate:.2f} | {cpu} | {cost:.2f} |\n")


if __name__ == "__main__":
    main()
