"""Show that a soak's memory is flat: RSS of master and workers over ten minutes at 1,000 requests a second.

    python -m benchmarks.soak_memory [--minutes 10] [--rate 1000]

Prints a Markdown table with the RSS of each process after the first minute and at the end, from health.csv.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from plimsoll.run_files.files import HEALTH_FILE
from tests.fix_bundled_service import running_service

ROOT = Path(__file__).resolve().parents[1]
USERS = 100
LOCUSTFILE = """
from locust import FastHttpUser, constant_throughput, task
from plimsoll import record_run

class Soaker(FastHttpUser):
    wait_time = constant_throughput({per_user})

    @task
    def home(self):
        self.client.get("/health", name="soak.health")

record_run()
"""


def main() -> None:
    """Run the soak and print its table."""
    parser = argparse.ArgumentParser(description="Show that a soak's memory is flat.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=1000, help="requests a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        health = soak(Path(folder), options.minutes, options.rate)
    sys.stdout.write(table(health))


def soak(folder: Path, minutes: float, rate: float) -> pd.DataFrame:
    """Run Locust with two workers against the bundled service and return its health.csv."""
    locustfile = folder / "soaker.py"
    locustfile.write_text(LOCUSTFILE.format(per_user=rate / USERS), encoding="utf-8")
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--processes", "2"]
    command += ["-u", str(USERS), "-r", str(USERS), "-t", f"{minutes * 60:.0f}s"]
    command += ["--run-dir", str(folder / "run"), "--only-summary"]
    with running_service() as service:
        subprocess.run([*command, "-H", service.url], cwd=ROOT, check=False, stdout=sys.stderr)  # noqa: S603 - our own
    return pd.read_csv(folder / "run" / HEALTH_FILE)


def table(health: pd.DataFrame) -> str:
    """Return the growth of each process after its first minute."""
    lines = ["| process | RSS after 1 min, MiB | RSS at the end, MiB | growth |", "|---|---|---|---|"]
    for process, rows in health.groupby("process"):
        elapsed_s = rows["unix_s"] - rows["unix_s"].min()
        first = rows.loc[elapsed_s.between(60, 70), "rss_bytes"].median() / 2**20
        last = rows.loc[elapsed_s > elapsed_s.max() - 10, "rss_bytes"].median() / 2**20
        lines.append(f"| {process} | {first:.1f} | {last:.1f} | {last / first - 1:+.1%} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
