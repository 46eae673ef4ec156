"""The settings of the service: its command line and its environment."""

import argparse
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import ProgrammingError

from service.errors import SettingsError
from service.seeding import SIZES

MIN_SECRET_LENGTH = 32
"""RFC 7518 section 3.2 wants a key of at least the hash's 256 bits for HS256."""


@dataclass(frozen=True)
class Settings:
    """How to run the service; what is secret stays out of its representation."""

    host: str
    port: int
    size: str
    until_stdin_closes: bool
    pod_name: str | None
    database_url: str | None = field(repr=False)
    token_secret: str = field(repr=False)


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings from the command line and the environment.

    Raises:
        SettingsError: one line for every fault, each with what would be valid.
    """
    options = _parser().parse_args(arguments)
    port, size = options.port, options.size
    database_url, token_secret = environment.get("DATABASE_URL"), environment.get("SERVICE_TOKEN_SECRET")
    faults = []
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        faults.append(f"--port must be a whole number from 0 (any free port) to 65535, got {port!r}")
    if size not in SIZES:
        faults.append(f"--size must be one of {', '.join(SIZES)}, got {size!r}")
    try:
        conninfo_to_dict(database_url or "")
    except ProgrammingError:
        # Neither the value nor libpq's message may be quoted: both can hold the password.
        valid = "postgresql://USER:PASSWORD@HOST:PORT/NAME"
        faults.append(f"DATABASE_URL must look like {valid}, got something unreadable")
    if token_secret and len(token_secret) < MIN_SECRET_LENGTH:
        faults.append(
            f"SERVICE_TOKEN_SECRET must have at least {MIN_SECRET_LENGTH} characters, got {len(token_secret)}"
        )
    if faults:
        raise SettingsError("\n".join(faults))
    return Settings(
        host=options.host,
        port=int(port),
        size=size,
        until_stdin_closes=options.until_stdin_closes,
        pod_name=environment.get("POD_NAME") or None,
        database_url=database_url or None,
        token_secret=token_secret or secrets.token_urlsafe(MIN_SECRET_LENGTH),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Plimsoll's bundled service under test, on an embedded PostgreSQL or on DATABASE_URL.",
        epilog="Environment: DATABASE_URL (postgresql://USER:PASSWORD@HOST:PORT/NAME, PostgreSQL 15 or "
        "later), SERVICE_TOKEN_SECRET (signs the tokens; random by default), POD_NAME (sent as X-Pod-Name).",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", default="8000", help="port to listen on, 0 for any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--size", default="small", help=f"seed data: {', '.join(SIZES)} (default: %(default)s)"
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="stop when standard input ends, so as not to outlive its starter",
    )
    return parser
