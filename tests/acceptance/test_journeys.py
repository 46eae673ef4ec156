"""The bundled service in real processes: the README's first command, and all journeys without a fault."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from plimsoll.run_files.exit_status import ExitStatus
from plimsoll.users.websocket import websocket_request_names
from tests.fix_bundled_service import ServiceProcess
from tests.fix_runs import ROOT, Run
from tests.journeys import JOURNEYS, ROOMS, LoadedHost, run_without_think_time
from tests.processes import finish, start_locust

# Those who registered by themselves have no prefix of their run.
ENROLLED = "SELECT count(*) FROM plimsoll.users WHERE email ~ '^new-[0-9a-f]{12}-'"


def test_every_declared_request_is_sent_and_right(
    open_service: ServiceProcess, database_url: str, tmp_path: Path
) -> None:
    """Without think time, and from elsewhere than the root, the journeys make all that they declare.

    All of it is right, and of the students who were enrolled none is left.
    """
    journeys = [journey for of_file in (JOURNEYS | ROOMS).values() for journey in of_file]
    users = [LoadedHost(journey, open_service.url) for journey in journeys]
    requests = set().union(*(journey.request_names for journey in journeys))
    # Of a WebSocket only the connect is sure to come.
    of_sockets = websocket_request_names("classroom") | websocket_request_names("student")
    requests -= of_sockets - {"classroom.connect", "student.connect"}
    declared = {name for journey in journeys for name in journey.transaction_names or ()}

    result = run_without_think_time(users, tmp_path, "240s", number=36, enough=requests | declared)
    with psycopg.connect(database_url) as connection:
        enrolled = connection.execute(ENROLLED).fetchone()

    assert result["errors"] == []
    assert result["exceptions"] == []
    assert set(result["requests"]) >= requests
    (verdict,) = tmp_path.glob("results/*/verdict.json")
    made = {each["name"] for each in json.loads(verdict.read_text(encoding="utf-8"))["transactions"]}
    assert made == declared
    assert enrolled == (0,)


USUAL_PORTS = (5432, 8000, 8089)
DEMO_LIMIT_S = 180


@pytest.fixture
def taken_ports() -> Iterator[None]:
    """Keep the usual ports of a database, a service and a web UI taken."""
    with ExitStack() as stack:
        for port in USUAL_PORTS:
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue  # somebody else has it, which is as good
            taken.listen()
        yield


@pytest.mark.usefixtures("taken_ports")
def test_the_demo(tmp_path: Path) -> None:
    """The bundled service is started and answers without a failure; the demo's limits are judged on data."""
    # The first stage of the ramp is enough: the last value of an option counts.
    options = ["--run-dir", str(tmp_path / "run"), "--time-scale", "0.006"]
    demo = start_locust(["--config", "profiles/demo.conf", *options], ROOT)
    output = finish(demo, DEMO_LIMIT_S)
    run = Run(demo.returncode, output, tmp_path / "run")
    verdict = run.read("verdict.json")

    assert demo.returncode == ExitStatus[verdict["verdict"]], output
    assert run.read("run.json")["end_reason"] == "schedule ended"
    assert verdict["run"]["requests"] > 100, output
    assert verdict["run"]["failures"] == 0, output
    assert "report.html" in output
