"""The bundled service: GraphQL in batches, classrooms over a restart, two demos at once."""

from __future__ import annotations

import csv
import json
import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

from measured.measurement import Row, at_least, at_most, beside, near
from plimsoll.run_files.files import LOCUST_PREFIX, STATS_SUFFIX, VERDICT_FILE
from service.embedded_postgres import embedded_postgres
from tests.fix_bundled_service import STOP_TIMEOUT_S, running_service
from tests.fix_runs import ROOT, Run, until
from tests.processes import finish, free_port, start_locust

GRAPHQL_USERS = ["locustfiles.graphql", "GraphqlQueriesUser"]


def measure_batching(folder: Path) -> list[Row]:
    """Have one user ask for both in turn, without think time."""
    result = folder / "result.json"
    with running_service("--size", "small") as service:
        settings = {
            "JOURNEYS_USERS": json.dumps([[*GRAPHQL_USERS, service.url, "read_all_posts"]]),
            "JOURNEYS_RESULT": str(result),
            "JOURNEYS_ENOUGH": "[]",
        }
        command = [
            "-f",
            str(ROOT / "tests" / "no_think_time_users.py"),
            "--headless",
            "-t",
            "15s",
            "--only-summary",
        ]
        process = start_locust(command, ROOT, settings)
        output = finish(process)
    assert result.exists(), f"Locust ended with status {process.returncode}:\n{output}"
    medians_ms = json.loads(result.read_text(encoding="utf-8"))["medians_ms"]
    batched_ms, singly_ms = medians_ms["graphql.posts_batched"], medians_ms["graphql.posts_singly"]
    return [at_most("median batched, beside half of it singly", batched_ms, singly_ms / 2, "ms")]


USERS = 104  # four classes of 1 + 24 × 2 connections, and 1 + 3 × 2 of a fifth: 203
CONNECTIONS = 203
FAIL = 99
LIMITS = """thresholds:
  - p95 of classroom.update < 100 ms
  - p95 of student.progress < 200 ms
  - failures of *.lost < 1
"""


def measure_classroom(folder: Path) -> list[Row]:
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
            until(lambda: locust.poll() is not None or _counts(directory).get("classroom.update", 0) > 1000)
            until(lambda: locust.poll() is not None or _both(directory, "connect") == CONNECTIONS)
            assert locust.poll() is None, f"Locust ended with status {locust.returncode}:\n{finish(locust)}"
            service.process.send_signal(signal.SIGTERM)
            service.process.wait(STOP_TIMEOUT_S)
        with running_service("--port", port, DATABASE_URL=database_url):
            until(lambda: locust.poll() is not None or _both(directory, "reconnect") == CONNECTIONS)
            locust.send_signal(signal.SIGINT)
            output = finish(locust)
    verdict = Run(locust.returncode, output, directory).read(VERDICT_FILE)
    requests = {request["name"]: request for request in verdict["requests"]}
    lost = sum(requests[f"{room}.lost"]["failures"] for room in ("classroom", "student"))
    return [
        near("connections lost", lost, CONNECTIONS),
        near("connects", _both(directory, "connect"), 2 * CONNECTIONS),
        near("closes", _both(directory, "close"), CONNECTIONS),
        near("exit status", locust.returncode, FAIL),
        beside(
            "classroom.update: p99 beside its p50",
            requests["classroom.update"]["p99"],
            requests["classroom.update"]["p50"],
            "ms",
        ),
        beside(
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


USUAL_PORTS = (5432, 8000, 8089)
LONGEST_S = 180


def measure_demos(folder: Path) -> list[Row]:
    """Run two demos at once while the usual ports are taken."""
    with ExitStack() as stack:
        for port in USUAL_PORTS:
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):  # another process has it, which is as good
                taken.bind(("127.0.0.1", port))
                taken.listen()
        directories = [folder / "first", folder / "second"]
        demos = [
            start_locust(["--config", "profiles/demo.conf", "--run-dir", str(directory)], ROOT)
            for directory in directories
        ]
        outputs = [finish(demo, LONGEST_S) for demo in demos]
    rows = []
    for demo, output, directory in zip(demos, outputs, directories, strict=True):
        run = Run(demo.returncode, output, directory).read(VERDICT_FILE)["run"]
        rows += [
            near(f"{directory.name}: exit status", demo.returncode, 0),
            at_least(f"{directory.name}: requests", run["requests"], 1000),
            near(f"{directory.name}: failures", run["failures"], 0),
        ]
    return rows
