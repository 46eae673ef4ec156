"""Show that an open load starts what it is asked for: 500/s and 0.5/s, in one process and on two workers.

    python -m benchmarks.arrival_rates [--seconds 30]

The users write down their own starts (tests/acceptance/arriving_users.py); prints a Markdown table of these,
with a service that answers in 50 ms, and with one that stands still for 4 s in between.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.arrivals import Seen, run_arrivals
from tests.processes import two_workers

HEADER = (
    "| rate | service | workers | asked for | started | dropped | late | rate, % off "
    "| delay ms p50 | p99 | max |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def main() -> None:
    """Run all loads and print their table."""
    parser = argparse.ArgumentParser(description="Show that an open load starts what it is asked for.")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    sys.stdout.write(HEADER)
    for rate in (500, 0.5):
        for workers in (1, 2):
            for freeze_s in ([0.0, 0.0], [8.0, 12.0]):
                sys.stdout.write(row(rate, options.seconds, workers, freeze_s))
                sys.stdout.flush()


def row(rate: float, duration_s: float, workers: int, freeze_s: list[float]) -> str:
    """Run one load and return its row."""
    with tempfile.TemporaryDirectory() as folder:
        seen = run_arrivals(
            Path(folder),
            *(two_workers() if workers == 2 else []),
            rate=rate,
            duration_s=duration_s,
            max_users=6000,
            service_s=0.05,
            freeze_s=freeze_s,
        )
    delays_ms = np.percentile(seen.delays_ms, (50, 99, 100))
    service = "50 ms" if freeze_s == [0, 0] else "50 ms, 4 s frozen"
    return (
        f"| {rate}/s | {service} | {workers} | {rate * duration_s:.0f} | {len(seen.starts_s)} "
        f"| {seen.count('dropped')} | {seen.count('late')} | {100 * (started_rate(seen) / rate - 1):.2f} "
        f"| {delays_ms[0]:.2f} | {delays_ms[1]:.2f} | {delays_ms[2]:.1f} |\n"
    )


def started_rate(seen: Seen) -> float:
    """Return the iterations a second between the first start and the last, by their own record."""
    return (len(seen.starts_s) - 1) / seen.starts_s[-1]


if __name__ == "__main__":
    main()
