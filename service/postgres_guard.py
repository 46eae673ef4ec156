"""Stop an embedded PostgreSQL server and remove its data: by its owner, or by a process that outlives that.

As a process, `postgres_guard.py HOME OWNER_PID [STARTER]` waits until its standard input has no writer left,
which is when its owner has ended, however that happened, and cleans up. STARTER is the number of a pipe's
descriptor: once that has no writer left either, an owner that does not end by itself is killed.
"""

import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

STOP_TIMEOUT_S = 10
OWNER_TIMEOUT_S = 8
PROGRAMS = {"postgres", "initdb", "pg_ctl"}
OWNER_PIPE = 0


def clean_up(home: Path) -> None:
    """Kill the server whose data are in *home*, or what is to start it, and remove the directory.

    Killed, not stopped cleanly: what a clean stop would save is removed anyway.
    """
    data = home / "pgdata"
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    is_late = False
    while not is_late and (processes := _processes_of(data)):
        is_late = time.monotonic() > deadline_s
        for process in processes:
            # The server gives its shared memory back when it receives SIGQUIT; the others have none.
            is_server = process.info["name"] == "postgres" and str(data) in (process.info["cmdline"] or ())
            with suppress(psutil.Error):
                process.send_signal(signal.SIGQUIT if is_server and not is_late else signal.SIGKILL)
        if not is_late:
            time.sleep(0.02)
    # Once more for every file that a server's last process writes meanwhile.
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while home.exists() and time.monotonic() < deadline_s:
        shutil.rmtree(home, ignore_errors=True)
        time.sleep(0.01)


def _processes_of(data: Path) -> list[psutil.Process]:
    """Find PostgreSQL's processes on *data*, of any installation; a zombie is not counted.

    Their working directories cannot be read by everybody; commands can. A shell may start the server.
    """
    found = []
    for process in psutil.process_iter(["name", "cmdline", "cwd"]):
        name, command = process.info["name"], " ".join(process.info["cmdline"] or ())
        is_postgres = name in PROGRAMS or (name == "sh" and "/postgres" in command)
        if is_postgres and str(data) in f"{process.info['cwd']} {command}":
            found.append(process)
    return found


def _await_end(owner_pid: int, starter: int | None) -> None:
    """Return when the owner has ended; kill it if it has not OWNER_TIMEOUT_S after its starter."""
    pipes = select.poll()
    pipes.register(OWNER_PIPE, 0)  # poll always reports the end of the last writer
    if starter is not None:
        pipes.register(starter, 0)
        if all(pipe != OWNER_PIPE for pipe, _ in pipes.poll()):
            pipes.unregister(starter)
            if not pipes.poll(OWNER_TIMEOUT_S * 1000):
                with suppress(ProcessLookupError):
                    os.kill(owner_pid, signal.SIGKILL)
    pipes.poll()


if __name__ == "__main__":
    home, owner_pid, *starter = sys.argv[1:]
    _await_end(int(owner_pid), int(starter[0]) if starter else None)
    clean_up(Path(home))
