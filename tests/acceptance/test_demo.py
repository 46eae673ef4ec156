"""The README's first command, as on a busy machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fix_bystander import Bystander, assert_green
from tests.fix_runs import Run
from tests.processes import finish, start_locust

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.alone
@pytest.mark.usefixtures("taken_ports")
def test_two_demos_at_once(tmp_path: Path, bystander: Bystander) -> None:
    """Two demos at once, with all usual ports taken, do not disturb each other: both pass unharmed."""
    directories = [tmp_path / "first", tmp_path / "second"]
    demos = [
        start_locust(["--config", "profiles/demo.conf", "--run-dir", str(directory)], ROOT)
        for directory in directories
    ]
    outputs = [finish(demo, DEMO_LIMIT_S) for demo in demos]

    for demo, output, directory in zip(demos, outputs, directories, strict=True):
        verdict = json.loads((directory / "verdict.json").read_text(encoding="utf-8"))
        assert_green(Run(demo.returncode, output, directory), bystander)
        assert verdict["verdict"] == "PASS"
        assert verdict["run"]["requests"] > 1000, output
        assert verdict["run"]["failures"] == 0, output
