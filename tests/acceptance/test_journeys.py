"""All journeys in a real `locust` process against the bundled service: faultless, nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from plimsoll.users.websocket import websocket_request_names
from tests.fix_bundled_service import ServiceProcess
from tests.journeys import JOURNEYS, ROOMS, Hasty, run_hastily

# Those who registered by themselves have no prefix of their run.
ENROLLED = "SELECT count(*) FROM plimsoll.users WHERE email ~ '^new-[0-9a-f]{12}-'"


def test_every_declared_request_is_sent_and_right(
    open_service: ServiceProcess, database_url: str, tmp_path: Path
) -> None:
    """Without think time, and from elsewhere than the root, the journeys make all that they declare.

    All of it is right, and of the students who were enrolled none is left.
    """
    journeys = [journey for of_file in (JOURNEYS | ROOMS).values() for journey in of_file]
    users = [Hasty(journey, open_service.url) for journey in journeys]
    requests = set().union(*(journey.request_names for journey in journeys))
    # Of a WebSocket only the connect is sure to come.
    of_sockets = websocket_request_names("classroom") | websocket_request_names("student")
    requests -= of_sockets - {"classroom.connect", "student.connect"}
    declared = {name for journey in journeys for name in journey.transaction_names or ()}

    result = run_hastily(users, tmp_path, "240s", number=36, enough=requests | declared)
    with psycopg.connect(database_url) as connection:
        enrolled = connection.execute(ENROLLED).fetchone()

    assert result["errors"] == []
    assert result["exceptions"] == []
    assert set(result["requests"]) >= requests
    (verdict,) = tmp_path.glob("results/*/verdict.json")
    made = {each["name"] for each in json.loads(verdict.read_text(encoding="utf-8"))["transactions"]}
    assert made == declared
    assert enrolled == (0,)
