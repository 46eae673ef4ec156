"""Measure what a request costs in several load generators, side by side: `make bench`.

    python -m benchmarks.http_generators [--users 32 400] [--rounds 5] [--seconds 3]

All load the same nginx, which has the first core; the generator has the second. In each round each generator
has its turn: so many users without think time, each with one request and one check of its answer at a time.
Nginx counts the requests, the kernel the CPU time, both between two moments under load. Then, what an idle
user with an open connection takes in memory: the growth from few to IDLE_USERS users. Prints tables in
Markdown, medians with min–max. Needs two cores, nginx and wrk (Debian: `apt-get install nginx-light wrk`),
and k6 (the extra `bench`).
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.http_loads import Generator, Load, k6, locust, print_table, running, wrk
from benchmarks.http_server import Nginx, running_nginx

USERS = (32, 400)
WARM_UP_S = 2.0
FEW_USERS, IDLE_USERS = 100, 5_000
SETTLE_S = 4.0  # an interval of Locust's and one of the recorder's, with the memory they take once
START_LIMIT_S = 60.0
LONGEST_MOMENT_S = 0.02  # 1 % of what is measured
MOMENT_TRIES = 50
SERVER_CORE, GENERATOR_CORE = sorted(os.sched_getaffinity(0))[:2]

OURS = Load("LeanHttpUser, recorded", locust("Lean", is_recorded=True))
LOADS = (
    Load("HttpUser", locust("Requests")),
    Load("FastHttpUser", locust("Fast")),
    Load("FastHttpUser, recorded", locust("Fast", is_recorded=True)),
    Load("k6", k6()),
    Load("LeanHttpUser", locust("Lean")),
    OURS,
    Load("wrk (status only)", wrk),
)
IDLE_LOADS = (
    Load("FastHttpUser", locust("FastIdle")),
    Load("k6", k6(idle_s=3600)),
    Load("LeanHttpUser", locust("LeanIdle")),
    Load("LeanHttpUser, recorded", locust("LeanIdle", is_recorded=True)),
)


class Window(NamedTuple):
    """What was seen between two moments under load."""

    requests: int
    elapsed_s: float
    cpu_s: float

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU time a request."""
        return self.cpu_s * 1e6 / self.requests

    @property
    def rate_per_s(self) -> float:
        """Requests a second of the core that the generator had."""
        return self.requests / self.elapsed_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what a request costs in several load generators.")
    parser.add_argument("--users", type=int, nargs="+", default=USERS, help="a table for each number")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="measured in each round, of each generator")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended then too
    with running_nginx(str(SERVER_CORE)) as nginx:
        for users in options.users:
            print_costs(nginx, users, options.rounds, options.seconds)
        print_memory(nginx)


def print_costs(nginx: Nginx, users: int, rounds: int, measured_s: float) -> None:
    """Print CPU time a request and requests a second of all generators."""
    windows: dict[str, list[Window]] = {load.name: [] for load in LOADS}
    for _ in range(rounds):
        for load in LOADS:
            windows[load.name].append(measure(load, nginx, users, measured_s))
    costs = {name: [window.cpu_us for window in each] for name, each in windows.items()}
    ours_us = statistics.median(costs[OURS.name])
    rows = [
        (
            name,
            spread(costs[name], ".1f"),
            spread([window.rate_per_s for window in windows[name]], ",.0f"),
            f"{statistics.median(costs[name]) / ours_us:.2f}",
        )
        for name in windows
    ]
    print_table(
        (f"generator, {users} users", "CPU µs a request", "requests/s on one core", "times ours"), rows
    )


def measure(load: Load, nginx: Nginx, users: int, measured_s: float) -> Window:
    """Return what one generator did in a time under load, its start and warm-up left out."""
    with running(load, nginx.url, users, str(GENERATOR_CORE)) as generator:
        await_connections(nginx, generator, users)
        time.sleep(WARM_UP_S)
        first = moment(nginx, generator)
        time.sleep(measured_s)
        last = moment(nginx, generator)
    return Window(last[0] - first[0], last[1] - first[1], last[2] - first[2])


def moment(nginx: Nginx, generator: Generator) -> tuple[int, float, float]:
    """Return requests so far, the time, and the CPU time so far; raises SystemExit where that takes long."""
    for _ in range(MOMENT_TRIES):
        began_s = time.perf_counter()
        requests, cpu_s = nginx.counts().requests, generator.cpu_s()
        if (now_s := time.perf_counter()) < began_s + LONGEST_MOMENT_S:
            return requests, now_s, cpu_s
    raise SystemExit("the machine is too busy to measure: no moment is short enough")


def await_connections(nginx: Nginx, generator: Generator, connections: int) -> None:
    """Wait until so many users have connected; raises SystemExit where they do not, or the generator ends."""
    give_up_at_s = time.monotonic() + START_LIMIT_S
    while nginx.counts().connections < connections:
        generator.cpu_s()
        if time.monotonic() > give_up_at_s:
            raise SystemExit(
                f"after {START_LIMIT_S:.0f} s there are {nginx.counts().connections} connections"
            )
        time.sleep(0.05)


def print_memory(nginx: Nginx) -> None:
    """Print what an idle user takes in each generator."""
    rows = []
    for load in IDLE_LOADS:
        few_bytes, many_bytes = (idle_rss_bytes(load, nginx, users) for users in (FEW_USERS, IDLE_USERS))
        user_kb = (many_bytes - few_bytes) / (IDLE_USERS - FEW_USERS) / 1000
        rows.append((load.name, f"{user_kb:.1f}", f"{many_bytes / 1e6:.0f}"))
    print_table(("generator", "KB an idle user", f"MB with {IDLE_USERS:,} users"), rows)


def idle_rss_bytes(load: Load, nginx: Nginx, users: int) -> int:
    """Return the memory of a generator all of whose users have made a request and wait."""
    with running(load, nginx.url, users, str(GENERATOR_CORE)) as generator:
        await_connections(nginx, generator, users)
        time.sleep(SETTLE_S)
        return generator.rss_bytes()


def spread(values: Sequence[float], form: str) -> str:
    """Return the median with the least and the greatest value."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


if __name__ == "__main__":
    main()
