"""Rows of a feeder that a query to a database returns."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from plimsoll.data.sources import FeedError, some

DATABASE_VARIABLE = "DATABASE_URL"
CONNECT_LIMIT_S = 10
QUERY_LIMIT_S = 60
MOST_QUERY_CHARS = 60


@dataclass(frozen=True)
class Query:
    """An SQL query to a PostgreSQL database; without a URL, to that of DATABASE_URL."""

    statement: str
    database_url: str | None = None
    is_fixed = False

    @property
    def name(self) -> str:
        """The kind and the beginning of the statement; never the URL, which may hold a password."""
        statement = " ".join(self.statement.split())
        is_long = len(statement) > MOST_QUERY_CHARS
        return f"sql {statement[:MOST_QUERY_CHARS]}{'…' if is_long else ''}"

    def __str__(self) -> str:
        return self.name

    def read(self) -> list[dict[str, Any]]:
        """Return the rows by column names; dates, decimals and whatever JSON lacks become text."""
        try:
            with psycopg.connect(
                self._checked_url(),
                connect_timeout=CONNECT_LIMIT_S,
                options=f"-c statement_timeout={QUERY_LIMIT_S * 1000}",
                row_factory=dict_row,
            ) as connection:
                rows = connection.execute(self.statement.encode()).fetchall()
        except psycopg.Error as error:
            raise FeedError(f"{self}: {str(error).splitlines()[0]}") from None
        plain: list[dict[str, Any]] = json.loads(json.dumps(rows, default=str))
        return some(self, plain)

    def _checked_url(self) -> str:
        url = self.database_url or os.environ.get(DATABASE_VARIABLE)
        if not url:
            raise FeedError(f"{self}: no database; give database_url or set {DATABASE_VARIABLE}")
        try:
            conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # its text may quote a password
            raise FeedError(
                f"{self}: the database must be given as postgresql://USER:PASSWORD@HOST:PORT/NAME"
            ) from None
        return url
