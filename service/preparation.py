"""Makes a database ready to serve: reachable, recent enough, with the schema and its seed data."""

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL

from service.errors import SettingsError
from service.queries import COMMUNITY_KEYS, SCHEMA
from service.seed_size import SeedSize
from service.seeding import seed

CONNECT_TIMEOUT_S = 5
OLDEST_SERVER = 15
SCHEMA_VERSION = "version 2"
"""What the comment on the schema in schema.sql says."""
# Any fixed number: services that start at once on one database take turns on it.
PREPARATION_LOCK = 7_546_110


def prepare_database(conninfo: str, size: SeedSize) -> str:
    """Create and seed the schema where it is missing, all or nothing; return the server's version ("18.4").

    Raises:
        SettingsError: the server cannot be reached, refuses us, or is too old; the password is never quoted.
    """
    try:
        with psycopg.connect(conninfo, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            _check_version(connection)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [PREPARATION_LOCK])
            if not _has_schema(connection):
                connection.execute(SQL(SCHEMA.decode()))
                seed(connection, size)
                connection.execute(SQL(COMMUNITY_KEYS.decode()))
                connection.execute("ANALYZE")
            return _version_text(connection)
    except psycopg.Error as error:
        raise SettingsError(
            f"the database of DATABASE_URL cannot be used: {_without_password(error, conninfo)}"
        ) from None


def _check_version(connection: Connection) -> None:
    if connection.info.server_version < OLDEST_SERVER * 10_000:
        raise SettingsError(
            f"DATABASE_URL must name PostgreSQL {OLDEST_SERVER} or later, got {_version_text(connection)}"
        )


def _version_text(connection: Connection) -> str:
    # Debian appends its package's name: "17.6 (Debian 17.6-1)".
    return str(connection.info.parameter_status("server_version")).split()[0]


def _has_schema(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'plimsoll'"
    ).fetchone()
    if row is not None and row[0] != SCHEMA_VERSION:
        raise SettingsError(
            f"the schema 'plimsoll' in the database of DATABASE_URL must be of {SCHEMA_VERSION}, "
            f"got {row[0]!r}; DROP SCHEMA plimsoll CASCADE lets it be made anew"
        )
    return row is not None


def _without_password(error: psycopg.Error, conninfo: str) -> str:
    text = " ".join(str(error).split())
    password = conninfo_to_dict(conninfo).get("password")
    return text.replace(str(password), "***") if password else text
