"""Find how many users one machine holds: `python -m benchmarks.users [--users 50000 100000] [--rate 2000]`.

Each level is a run of its own: Locust with worker processes, this suite's client, 20 to 60 s of think time,
the run recorded and judged; held for a minute from the moment in which every user has its connection. There
are several workers, as a process may not open more files, and several nginx, each on an address of its own,
as an address has not more ports. Connections and requests are nginx's own count. Prints a table in Markdown.
Needs nginx (Debian: `apt-get install nginx-light`).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import psutil

from benchmarks.http_loads import ROOT, Generator, print_table
from benchmarks.http_server import Counts, Nginx, running_nginx
from plimsoll.run_files.files import HEALTH_FILE, MASTER, THRESHOLDS_FILE, VERDICT_FILE

LEVELS = (50_000, 100_000)
USERS_PER_PROCESS = 17_000  # of 20,000 files that a process may open
# An address has 28,000 ports for connections to it; with 17,000 on each the last of them took far more CPU.
USERS_PER_SERVER = 8_000
MEAN_WAIT_S = 40.0  # of users_locustfile.py
HELD_S = 60.0
SPAWN_LIMIT_S = 240.0
END_LIMIT_S = 240.0
LIMIT = "error_rate < 0.1%"
COLUMNS = (
    "users",
    "workers",
    "spawned in",
    "KB a user",
    "connections, least",
    "users at the end",
    "requests/s",
    "of expected",
    "failures",
    "CPU",
    "loop lag p99",
    "verdict",
)


class Moment(NamedTuple):
    """The servers and the generator at one time."""

    time_s: float
    counts: Counts
    cpu_s: float
    rss_bytes: int


class Held(NamedTuple):
    """What was seen of one level from outside; *first* is the moment in which the first users were there."""

    spawned_s: float
    first: Moment
    start: Moment
    end: Moment
    least_connections: int


class Recorded(NamedTuple):
    """What the run has written of itself."""

    users: int
    failures: int
    lag_p99_ms: float
    verdict: str


def main() -> None:
    """Run all levels and print the table."""
    parser = argparse.ArgumentParser(description="Find how many users one machine holds.")
    parser.add_argument("--users", type=int, nargs="+", default=LEVELS)
    parser.add_argument("--rate", type=int, default=2_000, help="users spawned a second")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended then too
    print_table(COLUMNS, [row_of(users, options.rate) for users in options.users])


def row_of(users: int, users_per_s: int) -> list[str]:
    """Run one level and return its line of the table."""
    processes = max(2, math.ceil(users / USERS_PER_PROCESS))
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running_nginx("0,1", f"127.0.0.{number + 1}"))
            for number in range(math.ceil(users / USERS_PER_SERVER))
        ]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with running_locust(users, users_per_s, processes, servers, folder) as generator:
            held = hold(users, servers, generator)
            await_end(generator)
        recorded = read_run(folder / "run", held)
    elapsed_s = held.end.time_s - held.start.time_s
    rate_per_s = (held.end.counts.requests - held.start.counts.requests) / elapsed_s
    grown_bytes = held.end.rss_bytes - held.first.rss_bytes
    return [
        f"{users:,}",
        str(processes),
        f"{held.spawned_s:.0f} s",
        f"{grown_bytes / (held.end.counts.connections - held.first.counts.connections) / 1000:.1f}",
        f"{held.least_connections:,}",
        f"{recorded.users:,}",
        f"{rate_per_s:,.0f}",
        f"{rate_per_s * MEAN_WAIT_S / users:.1%}",
        str(recorded.failures),
        f"{(held.end.cpu_s - held.start.cpu_s) / elapsed_s:.2f} cores",
        f"{recorded.lag_p99_ms:.1f} ms",
        recorded.verdict,
    ]


@contextmanager
def running_locust(
    users: int, users_per_s: int, processes: int, servers: Sequence[Nginx], folder: Path
) -> Iterator[Generator]:
    """Run Locust with worker processes, whose users take the servers in turn.

    It ends by itself: half as long again as spawning should take, and the time to hold.
    """
    thresholds = folder / THRESHOLDS_FILE
    port = str(free_port())
    run_s = 1.5 * users / users_per_s + HELD_S + 15
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "users_locustfile.py")]
    command += ["--headless", "--only-summary", "--processes", str(processes)]
    command += ["--master-bind-port", port, "--master-port", port, "-H", servers[0].url]
    command += [f"--users={users}", f"--spawn-rate={users_per_s}", f"--run-time={run_s:.0f}s"]
    command += ["--run-dir", str(folder / "run"), "--thresholds", str(thresholds)]
    thresholds.write_text(f"thresholds: ['{LIMIT}']\n", encoding="utf-8")
    environment = os.environ | {"SERVERS": " ".join(server.url for server in servers)}
    log = folder / "log"
    with log.open("wb") as output:
        process = psutil.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, process_group=0
        )
    generator = Generator(process, log)
    try:
        yield generator
    finally:
        generator.kill()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def hold(users: int, servers: Sequence[Nginx], generator: Generator) -> Held:
    """Wait until all users are there, hold them, and return what was seen."""
    first = await_connections(1, servers, generator)
    start = await_connections(users, servers, generator)
    least = end = start
    while end.time_s < start.time_s + HELD_S:
        time.sleep(1)
        end = moment(servers, generator)
        least = min(least, end, key=lambda one: one.counts.connections)
    return Held(start.time_s - first.time_s, first, start, end, least.counts.connections)


def await_connections(users: int, servers: Sequence[Nginx], generator: Generator) -> Moment:
    """Return the moment in which so many are open; raises SystemExit where that takes too long."""
    give_up_at_s = time.monotonic() + SPAWN_LIMIT_S
    while (now := moment(servers, generator)).counts.connections < users:
        if time.monotonic() > give_up_at_s:
            log = generator.log.read_text(encoding="utf-8")
            raise SystemExit(
                f"only {now.counts.connections:,} users after {SPAWN_LIMIT_S:.0f} s:\n{log[-2000:]}"
            )
        time.sleep(0.1)
    return now


def moment(servers: Sequence[Nginx], generator: Generator) -> Moment:
    """Look at all servers and at the generator."""
    counts = [server.counts() for server in servers]
    total = Counts(sum(one.requests for one in counts), sum(one.connections for one in counts))
    return Moment(time.time(), total, generator.cpu_s(), generator.rss_bytes())


def await_end(generator: Generator) -> None:
    """Wait until the run has ended and is judged; raises SystemExit where that takes too long."""
    try:
        generator.process.wait(timeout=END_LIMIT_S)
    except psutil.TimeoutExpired:
        raise SystemExit(f"the run did not end within {END_LIMIT_S:.0f} s") from None


def read_run(folder: Path, held: Held) -> Recorded:
    """Return what the run says of itself, its users and their event loops while they were held."""
    health = pd.read_csv(folder / HEALTH_FILE)
    is_held = health["unix_s"].between(held.start.time_s, held.end.time_s)
    workers = health[is_held & (health["process"] != MASTER)]
    verdict = json.loads((folder / VERDICT_FILE).read_text(encoding="utf-8"))
    return Recorded(
        users=int(workers.groupby("process")["users"].last().sum()),
        failures=verdict["run"]["failures"],
        lag_p99_ms=float(workers["lag_p99_ms"].median()),
        verdict=verdict["verdict"],
    )


if __name__ == "__main__":
    main()
