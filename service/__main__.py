"""Run the service as a process: `python -m service --help`."""

import gc
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib.metadata import version
from types import FrameType

import uvicorn
from psycopg.conninfo import make_conninfo

from service.app import create_app
from service.database import prepare_database
from service.embedded_postgres import embedded_postgres
from service.errors import SettingsError, StartError
from service.protocols import BoundedHttp, FairWebSockets
from service.seeding import SIZES
from service.settings import Settings, read_settings

STDIN = 0
GRACE_S = 5
BACKLOG = 4096
# Longer than users think: a request sent just as the server closes an idle connection is lost.
KEEP_ALIVE_S = 75
MAX_MESSAGE_BYTES = 64 * 1024


class AnnouncingServer(uvicorn.Server):
    """Prints one line of JSON when requests are answered, for the process that started it."""

    def __init__(self, config: uvicorn.Config, announcement: dict[str, object]) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets)
        # These objects stay: to look through them at every collection would cost 5 %.
        gc.collect()
        gc.freeze()
        print(json.dumps(self._announcement), flush=True)  # noqa: T201 - the contract with the starter


def main(arguments: Sequence[str]) -> int:
    """Serve until asked to stop; return the exit status: 0 stopped, 2 bad options, 1 could not start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        settings = read_settings(arguments, os.environ)
        if settings.until_stdin_closes:
            threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
        if settings.database_url:
            # From a database without an encoding (SQL_ASCII), psycopg would return bytes instead of texts.
            database: AbstractContextManager[str] = nullcontext(
                make_conninfo(settings.database_url, client_encoding="utf8")
            )
        else:
            database = embedded_postgres(STDIN if settings.until_stdin_closes else None)
        with _listening(settings) as listener, database as conninfo:
            _serve(settings, listener, conninfo)
    except StartError as error:
        for line in str(error).splitlines():
            print(f"service: {line}", file=sys.stderr)  # noqa: T201 - for the user
        return 2 if isinstance(error, SettingsError) else 1
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Unwind the process, so that PostgreSQL stops and its data are removed; ignore further signals."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)


def _stop_at_end_of_input() -> None:
    with suppress(OSError):  # closed from the start
        while os.read(STDIN, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(BACKLOG)
        except (OSError, TypeError) as error:  # TypeError: the host cannot be encoded
            address, why = f"{settings.host}:{settings.port}", getattr(error, "strerror", None) or error
            raise SettingsError(f"cannot listen on {address}: {why}; --port 0 takes any free port") from error
        yield listener


def _serve(settings: Settings, listener: socket.socket, conninfo: str) -> None:
    server_version = prepare_database(conninfo, SIZES[settings.size])
    own_version = version("plimsoll")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    announcement: dict[str, object] = {
        "url": f"http://{host}:{listener.getsockname()[1]}",
        "version": own_version,
        "pid": os.getpid(),
        "size": settings.size,
        "database": f"PostgreSQL {server_version}",
    }
    if settings.database_url is None:  # the embedded server's has no password; another may
        announcement["database_url"] = conninfo
    config = uvicorn.Config(
        create_app(conninfo, settings.token_secret, own_version),
        loop="uvloop",
        http=BoundedHttp,
        ws=FairWebSockets,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # compressing a message for every receiver costs more than sending it
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        headers=[("X-Pod-Name", settings.pod_name)] if settings.pod_name else [],
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    AnnouncingServer(config, announcement).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
