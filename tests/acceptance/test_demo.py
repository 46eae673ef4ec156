"""The README's first command, in a few seconds and where all usual ports are taken."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from plimsoll.run_files.exit_status import ExitStatus
from tests.fix_runs import ROOT, Run
from tests.processes import finish, start_locust

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
