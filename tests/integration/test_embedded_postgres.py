"""The embedded PostgreSQL server, interrupted while it starts: nothing of it may stay."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.embedded_postgres import BIN, HOME_PREFIX, embedded_postgres
from tests.fix_bundled_service import STOP_TIMEOUT_S, kill_guard, start_service
from tests.fix_runs import until

INITDB_WORKS = f"{HOME_PREFIX}*/pgdata/postmaster.pid"  # its helper's at first, then the server's

# Not by Python, which the server's user may not be allowed to run, as in a home of mode 700. Nor by `sh`: the
# service stops a shell of that name which starts the server.
BEGIN_LATE = ("bash", "-c", 'read -r && exec "$@"', "bash")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let servers keep their data in a short temporary directory of the test's own, also in this process."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        Path(folder).chmod(0o1777)  # as /tmp
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_a_signal_right_after_the_directory_is_made(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that comes between the making of the directory and the next line leaves no directory."""
    make = os.mkdir

    def make_then_stop(path: Path, mode: int = 0o777) -> None:
        make(path, mode)
        raise SystemExit(0)

    monkeypatch.setattr(os, "mkdir", make_then_stop)

    with pytest.raises(SystemExit), embedded_postgres():
        pass

    assert not list(temporary.iterdir())


def test_a_signal_before_the_first_command_has_begun(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that begins only after the signal, when the directory is gone, does not make it again."""
    begun: list[subprocess.Popen[bytes]] = []
    commands: list[str] = []
    run = subprocess.run

    def begin_late(command: list[str | Path], **options: Any) -> object:
        if Path(command[0]).parent != BIN:  # on a new machine a user is made first
            return run(command, **options)
        commands.append(Path(command[0]).name)
        late = [*BEGIN_LATE, *map(str, command)]
        begun.append(subprocess.Popen(late, user=options["user"], cwd=options["cwd"], stdin=subprocess.PIPE))
        raise SystemExit(0)

    monkeypatch.setattr(subprocess, "run", begin_late)

    with pytest.raises(SystemExit), embedded_postgres():
        pass
    begun[0].communicate(b"now\n", timeout=STOP_TIMEOUT_S)

    assert commands == ["initdb"]
    assert begun[0].returncode > 0  # by itself: where it was to work is gone
    assert not list(temporary.iterdir())


def test_a_signal_while_the_database_is_made(temporary: Path) -> None:
    """A service that is told to stop while initdb works ends with 0, says nothing and leaves no process."""
    with start_service("--port", "0", "--until-stdin-closes") as process:
        until(lambda: any(temporary.glob(INITDB_WORKS)))
        output, errors = process.communicate(timeout=STOP_TIMEOUT_S)

    assert (process.returncode, output, errors) == (0, "", "")
    assert not list(temporary.iterdir())
    assert not processes_below(temporary)


def test_a_kill_while_the_database_is_made(temporary: Path) -> None:
    """Nothing stays of a service that is killed during initdb."""
    with start_service("--port", "0", "--until-stdin-closes") as process:
        until(lambda: any(temporary.glob(INITDB_WORKS)))
        process.kill()
        process.communicate(timeout=STOP_TIMEOUT_S)

    until(lambda: not list(temporary.iterdir()) and not processes_below(temporary))


def test_leftovers_of_a_start(temporary: Path) -> None:
    """What a service killed with its guard during initdb leaves is removed by the next one, which starts."""
    with start_service("--port", "0", "--until-stdin-closes") as process:
        until(lambda: any(temporary.glob(INITDB_WORKS)))
        kill_guard(process.pid)
        process.kill()
        process.communicate()
    (left,) = temporary.iterdir()

    with embedded_postgres():
        assert left not in temporary.iterdir()

    assert not list(temporary.iterdir())
    assert not processes_below(temporary)


def processes_below(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in the folder, or were told to."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if str(folder) in " ".join([process.info["cwd"] or "", *(process.info["cmdline"] or ())])
    ]


def test_a_server_of_another_installation(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is stopped also where its program is found by another path: through a link, or in a clone."""
    link = temporary / "link"
    link.symlink_to(BIN.parent)
    monkeypatch.setattr("service.embedded_postgres.BIN", link / BIN.name)

    with embedded_postgres():
        pass

    assert list(temporary.iterdir()) == [link]
    assert not processes_below(temporary)
