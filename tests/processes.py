"""Start the commands a user would type, as real processes, and see what became of them."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

LOCUST_TIMEOUT_S = 180
ROOT = Path(__file__).resolve().parents[1]
STARTED: list[subprocess.Popen[str]] = []


def user_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what only pytest's own process needs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return environment | dict(extra or {})


def start_locust(
    arguments: list[str], folder: Path, extra_environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start `locust` with these arguments in a folder; the caller waits for it with `finish`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "locust", *arguments],
        cwd=folder,
        env=user_environment(extra_environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    STARTED.append(process)
    return process


def kill_what_stayed() -> None:
    """Kill what `start_locust` started and a failed test did not wait for, with its workers."""
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def finish(process: subprocess.Popen[str], timeout_s: float = LOCUST_TIMEOUT_S) -> str:
    """Return what a process of `start_locust` printed; one that does not end fails the test.

    It is killed then with its workers, which have the same standard output.
    """
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except BaseException as fault:
        os.killpg(process.pid, signal.SIGKILL)
        if not isinstance(fault, subprocess.TimeoutExpired):
            raise
        output, _ = process.communicate()
        raise AssertionError(f"not ended after {timeout_s} s:\n{output}") from None
    return output


def free_port() -> int:
    """Return a port that nothing listens on, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)  # another process may ask at the same time
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def two_workers() -> list[str]:
    """Return the options for two worker processes on a port of their own: other runs use the usual one."""
    port = str(free_port())
    return ["--processes", "2", "--master-bind-port", port, "--master-port", port]


def shape_names() -> list[str]:
    """Return the names of the suite's shapes, as their files have them."""
    files = [path for path in (ROOT / "shapes").glob("*.py") if not path.name.startswith("_")]
    found = [re.findall(r"^class (\w+Shape)\(", path.read_text(encoding="utf-8"), re.M) for path in files]
    return sorted(name for names in found for name in names)
