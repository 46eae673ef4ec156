"""The README's first command twice at once, with all usual ports taken: neither disturbs the other."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path

from measured.measurement import Row, at_least, near
from plimsoll.run_files.files import VERDICT_FILE
from tests.fix_runs import ROOT
from tests.processes import finish, start_locust

USUAL_PORTS = (5432, 8000, 8089)
LONGEST_S = 180


def measure(folder: Path) -> list[Row]:
    """Run both."""
    with ExitStack() as stack:
        for port in USUAL_PORTS:
            _take(stack.enter_context(socket.socket()), port)
        directories = [folder / "first", folder / "second"]
        demos = [
            start_locust(["--config", "profiles/demo.conf", "--run-dir", str(directory)], ROOT)
            for directory in directories
        ]
        for demo in demos:
            finish(demo, LONGEST_S)
    rows = []
    for demo, directory in zip(demos, directories, strict=True):
        run = json.loads((directory / VERDICT_FILE).read_text(encoding="utf-8"))["run"]
        rows += [
            near(f"{directory.name}: exit status", demo.returncode, 0),
            at_least(f"{directory.name}: requests", run["requests"], 1000),
            near(f"{directory.name}: failures", run["failures"], 0),
        ]
    return rows


def _take(taken: socket.socket, port: int) -> None:
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        return  # somebody else has it, which is as good
    taken.listen()
