"""Start and stop the bundled service for --with-service."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import NamedTuple

from plimsoll.recording.judging import SUITE_FOLDER, suite_command

START_LIMIT_S = 90.0
STOP_LIMIT_S = 20.0


def service_faults() -> list[str]:
    """Return why there is no bundled service to start: a clone has it, the installed package has not."""
    if (SUITE_FOLDER / "service" / "schema.graphql").is_file():
        return []
    return [
        "--with-service needs a clone of Plimsoll, as its package has no service; give --host URL instead"
    ]


class ServiceError(RuntimeError):
    """The bundled service did not start; its own error text is on the terminal."""


class ReadyLine(NamedTuple):
    """What the service says of itself once it can answer."""

    url: str
    version: str
    database_url: str | None = None


class BundledService:
    """A child process `python -m service` on a free port, with a throwaway database of its own.

    The child stops when its standard input closes, so it cannot outlive this process, however that ends.

    Raises:
        ServiceError: at construction, when there is no service, it ends, or is silent for START_LIMIT_S.
    """

    def __init__(self) -> None:
        if faults := service_faults():
            raise ServiceError(*faults)
        self._process = subprocess.Popen(  # noqa: S603 - our own module, fixed words
            suite_command("service", "--port", "0", "--until-stdin-closes"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C ends the load; the service must answer until it has ended.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        deadline = threading.Timer(START_LIMIT_S, self._process.kill)
        deadline.start()
        try:
            line = self._process.stdout.readline()
        finally:
            deadline.cancel()
        if not line:
            status = self._process.wait()
            raise ServiceError(f"the bundled service ended with status {status}; its error is above")
        said = json.loads(line)
        self.ready = ReadyLine(said["url"], said["version"], said.get("database_url"))

    def stop(self) -> None:
        """Stop the service and its database; kill it if it does not go within STOP_LIMIT_S."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
