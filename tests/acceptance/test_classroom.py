"""Classrooms of real WebSockets against the bundled service, which is restarted under them."""

from __future__ import annotations

import csv
import json
import signal
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from locustfiles.classroom import ClassroomUser
from tests.fix_runs import until
from tests.fix_target import STOP_TIMEOUT_S, running_target
from tests.journeys import Hasty, run_hastily
from tests.lying_rooms import LyingRooms, Talk
from tests.processes import finish, free_port, start_locust

ROOT = Path(__file__).resolve().parents[2]
USERS = 104  # four classes of 1 + 24 × 2 connections, and 1 + 3 × 2 of a fifth: 203
CONNECTIONS = 203
SAID = '{"type": "KIND", "sender": "a", "seq": %d, "sentAt": %d}'
# name: (what is said in each room, what it is counted as)
LIES: dict[str, tuple[Talk, set[str]]] = {
    "nonsense": (Talk(("nonsense",)), {"the message is not JSON"}),
    "other_talk": (
        Talk(('{"type": "quiz"}',)),
        {
            "expected messages of type classroom.update, got another",
            "expected messages of type student.progress, got another",
        },
    ),
    "twice": (Talk((SAID % (1, 0),) * 2), {"came twice, or out of order"}),
    "from_the_future": (
        Talk((SAID % (1, 4_000_000_000),)),
        {"received before it was sent: the clocks differ"},
    ),
    "gap": (Talk((SAID % (1, 0), SAID % (3, 0))), {"a message was dropped on an open connection"}),
    "no_stamp": (Talk(('{"type": "KIND"}',)), {"'sentAt' is missing"}),
    "turned_away": (Talk(status=403), {"the server refused the WebSocket: status 403"}),
    "hung_up": (Talk(stays=False), {"the connection was lost: closed by the server without a word"}),
}
LIMITS = """thresholds:
  - p95 of classroom.update < 100 ms
  - p95 of student.progress < 200 ms
  - failures of *.lost < 1
"""


def counts(directory: Path) -> dict[str, int]:
    """Return how many requests of each name have succeeded so far, as Locust wrote it down last."""
    path = directory / "locust_stats.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("Failure Count")]
    return {row["Name"]: int(row["Request Count"]) - int(row["Failure Count"]) for row in rows}


def both(directory: Path, event: str) -> int:
    """Return how often an event has succeeded in rooms of both kinds."""
    seen = counts(directory)
    return seen.get(f"classroom.{event}", 0) + seen.get(f"student.{event}", 0)


@pytest.mark.alone
def test_200_connections_survive_a_restart(tmp_path: Path, database_url: str) -> None:
    """All connect, are lost when the service restarts, and come back; each is counted, with its latencies."""
    directory, port = tmp_path / "run", str(free_port())
    limits = tmp_path / "limits.yaml"
    limits.write_text(LIMITS, encoding="utf-8")
    arguments = ["-f", "locustfiles/classroom.py", "--headless", "-u", str(USERS), "-r", str(USERS)]
    arguments += ["--run-dir", str(directory), "--thresholds", str(limits)]
    with ExitStack() as stack:
        with running_target("--port", port, DATABASE_URL=database_url) as target:
            locust = start_locust([*arguments, "-H", target.url], ROOT)
            stack.callback(locust.kill)
            until(lambda: counts(directory).get("classroom.update", 0) > 1000)
            until(lambda: both(directory, "connect") == CONNECTIONS)
            target.process.send_signal(signal.SIGTERM)
            target.process.wait(STOP_TIMEOUT_S)
        with running_target("--port", port, DATABASE_URL=database_url):
            until(lambda: both(directory, "reconnect") == CONNECTIONS)
            locust.send_signal(signal.SIGINT)
            output = finish(locust)

    verdict = json.loads((directory / "verdict.json").read_text(encoding="utf-8"))
    requests = {request["name"]: request for request in verdict["requests"]}
    lost = [requests[f"{room}.lost"] for room in ("classroom", "student")]
    assert sum(row["failures"] for row in lost) == CONNECTIONS, output
    assert both(directory, "connect") == 2 * CONNECTIONS
    assert both(directory, "close") == CONNECTIONS, output
    assert 0 < requests["classroom.update"]["p50"] < requests["classroom.update"]["p99"]
    assert requests["student.progress"]["p50"] > 0
    assert locust.returncode == 99, output


def test_every_lie_is_counted(tmp_path: Path) -> None:
    """What a right service would not say is a failure in both kinds of room, and breaks no user off."""
    errors = set().union(*(of_lie for _, of_lie in LIES.values()))
    with closing(LyingRooms({name: talk for name, (talk, _) in LIES.items()})) as rooms:
        users = [Hasty(ClassroomUser, f"{rooms.url}/{name}", "take_part") for name in LIES]
        # The first of all is a teacher, who is in one room only: of two, one is a student.
        result = run_hastily(users, tmp_path, "120s", 2 * len(users), enough=errors)

    assert set(result["errors"]) == errors
    assert result["exceptions"] == []


def test_a_class_hears_each_other_without_a_failure(target_url: str, tmp_path: Path) -> None:
    """With plain `locust -f`, a teacher and four students hear all, and everything has a declared name."""
    arguments = ["-f", "locustfiles/classroom.py", "--headless", "-u", "5", "-r", "5", "-t", "5s"]
    arguments += ["-H", target_url, "--run-dir", str(tmp_path / "run")]

    output = finish(start_locust(arguments, ROOT))

    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text(encoding="utf-8"))
    requests = {request["name"]: request for request in verdict["requests"]}
    assert verdict["run"]["failures"] == 0, output
    assert requests.keys() <= ClassroomUser.request_names
    assert {"classroom.connect", "classroom.update", "student.connect", "student.progress"} <= requests.keys()
    # At least three of a teacher's five seconds, in four students' ears, and of each student's own.
    assert requests["classroom.update"]["n"] >= 3 * 10 * 4
    assert requests["student.progress"]["n"] >= 3 * 4
