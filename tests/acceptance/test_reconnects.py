"""How many connections the server had closed while they were idle is told in the verdict and the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fix_runs import Run, Runner
from tests.processes import two_workers
from tests.scripted_server import Ending, ScriptedServer, answer

VISITOR = """
import os
from locust import constant, task
from plimsoll.users.http import LeanHttpUser
from telemetry.switch import record_run

record_run()

class Visitor(LeanHttpUser):
    wait_time = constant(0.3)
    request_names = {"shop.home"}
    reconnects = 0

    def _count_reconnect(self, by=1):
        super()._count_reconnect(by)
        self.reconnects += by

    @task
    def home(self):
        self.client.get("PATH", name="shop.home")

    def on_stop(self):
        with open(os.path.join("FOLDER", f"{os.getpid()}.seen"), "a") as file:
            print(self.reconnects, file=file)
"""


def run_of(server: ScriptedServer, path: str, folder: Path, *options: str) -> Run:
    """Run four users who ask every 0.3 s."""
    locustfile = folder / "visitor.py"
    locustfile.write_text(VISITOR.replace("PATH", path).replace("FOLDER", str(folder)), encoding="utf-8")
    return Runner(locustfile, folder)(
        "-H", server.url, "-t", "4s", *options, thresholds="thresholds: [count of http.reconnects < 5]"
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_reconnects_are_counted(server: ScriptedServer, tmp_path: Path, workers: int) -> None:
    """What the clients of all users saw adds up, also over workers, and a limit can be set on it."""
    path = server.script([answer(), 0.02, Ending.CLOSE])
    run = run_of(server, path, tmp_path, *(two_workers() if workers == 2 else []))
    verdict = run.read("verdict.json")
    seen = [path.read_text(encoding="utf-8").split() for path in tmp_path.glob("*.seen")]
    reconnects = sum(int(count) for counts in seen for count in counts)

    assert (len(seen), sum(map(len, seen))) == (workers, 4), run.output
    assert reconnects >= 20
    assert {each["name"]: each["value"] for each in verdict["metrics"]} == {"http.reconnects": reconnects}
    assert verdict["run"]["failures"] == 0
    assert verdict["thresholds"][0]["value"] == reconnects
    assert run.status == 99
    assert "http.reconnects" in (run.directory / "report.html").read_text(encoding="utf-8")


def test_no_reconnects_are_told_too(server: ScriptedServer, tmp_path: Path) -> None:
    """Where every connection lasted it is 0, by which a limit is judged."""
    run = run_of(server, server.script([answer()]), tmp_path)
    verdict = run.read("verdict.json")

    assert [(each["name"], each["value"]) for each in verdict["metrics"]] == [("http.reconnects", 0)], (
        run.output
    )
    assert verdict["thresholds"][0]["value"] == 0
