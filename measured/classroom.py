"""Two hundred WebSockets of classrooms, under which the bundled service is restarted."""

from __future__ import annotations

import csv
import json
import signal
from contextlib import ExitStack
from pathlib import Path

from measured.measurement import Row, near, told
from plimsoll.run_files.files import LOCUST_PREFIX, STATS_SUFFIX, VERDICT_FILE
from service.embedded_postgres import embedded_postgres
from tests.fix_bundled_service import STOP_TIMEOUT_S, running_service
from tests.fix_runs import ROOT, until
from tests.processes import finish, free_port, start_locust

USERS = 104  # four classes of 1 + 24 × 2 connections, and 1 + 3 × 2 of a fifth: 203
CONNECTIONS = 203
FAIL = 99
LIMITS = """thresholds:
  - p95 of classroom.update < 100 ms
  - p95 of student.progress < 200 ms
  - failures of *.lost < 1
"""


def measure(folder: Path) -> list[Row]:
    """All connect, are lost when the service restarts, and come back; each is counted, with its latencies."""
    directory, port, limits = folder / "run", str(free_port()), folder / "limits.yaml"
    limits.write_text(LIMITS, encoding="utf-8")
    arguments = ["-f", "locustfiles/classroom.py", "--headless", "-u", str(USERS), "-r", str(USERS)]
    arguments += ["--run-dir", str(directory), "--thresholds", str(limits)]
    with ExitStack() as stack:
        database_url = stack.enter_context(embedded_postgres())
        with running_service("--port", port, DATABASE_URL=database_url) as service:
            locust = start_locust([*arguments, "-H", service.url], ROOT)
            stack.callback(locust.kill)
            until(lambda: _counts(directory).get("classroom.update", 0) > 1000)
            until(lambda: _both(directory, "connect") == CONNECTIONS)
            service.process.send_signal(signal.SIGTERM)
            service.process.wait(STOP_TIMEOUT_S)
        with running_service("--port", port, DATABASE_URL=database_url):
            until(lambda: _both(directory, "reconnect") == CONNECTIONS)
            locust.send_signal(signal.SIGINT)
            finish(locust)
    verdict = json.loads((directory / VERDICT_FILE).read_text(encoding="utf-8"))
    requests = {request["name"]: request for request in verdict["requests"]}
    lost = sum(requests[f"{room}.lost"]["failures"] for room in ("classroom", "student"))
    return [
        near("connections lost", lost, CONNECTIONS),
        near("connects", _both(directory, "connect"), 2 * CONNECTIONS),
        near("closes", _both(directory, "close"), CONNECTIONS),
        near("exit status", locust.returncode, FAIL),
        told(
            "classroom.update: p99 beside its p50",
            requests["classroom.update"]["p99"],
            requests["classroom.update"]["p50"],
            "ms",
        ),
        told(
            "student.progress: p99 beside its p50",
            requests["student.progress"]["p99"],
            requests["student.progress"]["p50"],
            "ms",
        ),
    ]


def _counts(directory: Path) -> dict[str, int]:
    """Return how many requests of each name have succeeded so far, as Locust wrote it down last."""
    path = directory / f"{LOCUST_PREFIX}{STATS_SUFFIX}"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("Failure Count")]
    return {row["Name"]: int(row["Request Count"]) - int(row["Failure Count"]) for row in rows}


def _both(directory: Path, event: str) -> int:
    """Return how often an event has succeeded in rooms of both kinds."""
    seen = _counts(directory)
    return seen.get(f"classroom.{event}", 0) + seen.get(f"student.{event}", 0)
