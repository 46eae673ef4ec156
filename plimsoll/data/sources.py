"""Where the rows of a feeder come from: a CSV file, a file of JSON lines, or a query to a database."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

MAX_FAULTS_SHOWN = 10
DATABASE_VARIABLE = "DATABASE_URL"
CONNECT_LIMIT_S = 10
QUERY_LIMIT_S = 60
MAX_QUERY_CHARS = 60


class FeedError(ValueError):
    """Rows that cannot be read; the text names every fault, one a line."""


class Source(Protocol):
    """Whatever has rows."""

    @property
    def name(self) -> str:
        """What it is called on every machine; as text it says where it is on this one."""

    @property
    def is_fixed(self) -> bool:
        """Whether its rows are there before anything is set up, and stay as they are."""

    def read(self) -> Sequence[Any]:
        """Return the rows, in their order.

        Raises:
            FeedError: they cannot be read, or there are none.
        """


@dataclass(frozen=True)
class CsvFile:
    """A file of comma-separated values in UTF-8, with a header."""

    path: str
    is_fixed = True

    @property
    def name(self) -> str:
        """The kind and the name of the file."""
        return f"csv {Path(self.path).name}"

    def __str__(self) -> str:
        return f"csv {self.path}"

    def read(self) -> list[dict[str, str]]:
        """Return each row by its column names; all values are text."""
        reader = csv.reader(io.StringIO(_text_of(self), newline=""), strict=True)
        try:
            columns = next(reader, [])
            faults = []
            for number, column in enumerate(columns, 1):
                if not column.strip():
                    faults.append(f"line 1: column {number} has no name")
                elif column in columns[: number - 1]:
                    faults.append(f"line 1: column {number} is named {column!r} like one before it")
            _refuse(self, faults)
            rows = [(reader.line_num, row) for row in reader if row]
        except csv.Error as error:
            raise FeedError(f"{self}: line {reader.line_num}: {error}") from None
        _refuse(
            self,
            (
                f"line {line}: got {len(row)} values, expected {len(columns)}, as many as there are columns"
                for line, row in rows
                if len(row) != len(columns)
            ),
        )
        return some(self, [dict(zip(columns, row, strict=True)) for _, row in rows])


@dataclass(frozen=True)
class JsonLinesFile:
    """A file in UTF-8 with a JSON object on each line."""

    path: str
    is_fixed = True

    @property
    def name(self) -> str:
        """The kind and the name of the file."""
        return f"json lines {Path(self.path).name}"

    def __str__(self) -> str:
        return f"json lines {self.path}"

    def read(self) -> list[dict[str, Any]]:
        """Return the objects; empty lines are none."""
        faults: list[str] = []
        rows: list[dict[str, Any]] = []
        for number, line in enumerate(_text_of(self).split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if isinstance(row, dict):
                rows.append(row)
            else:
                faults.append(f'line {number}: no JSON object, such as {{"id":1}}')
        _refuse(self, faults)
        return some(self, rows)


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
        is_long = len(statement) > MAX_QUERY_CHARS
        return f"sql {statement[:MAX_QUERY_CHARS]}{'…' if is_long else ''}"

    def __str__(self) -> str:
        return self.name

    def read(self) -> list[dict[str, Any]]:
        """Return the rows by column names; dates, decimals and whatever JSON lacks become text."""
        # Only here: psycopg takes a tenth of the start of every process of the load, and few ask a database.
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
        from psycopg.rows import dict_row

        url = self.database_url or os.environ.get(DATABASE_VARIABLE)
        if not url:
            raise FeedError(f"{self}: no database; give database_url or set {DATABASE_VARIABLE}")
        try:
            conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # its text may quote a password
            raise FeedError(
                f"{self}: the database must be given as postgresql://USER:PASSWORD@HOST:PORT/NAME"
            ) from None
        try:
            with psycopg.connect(
                url,
                connect_timeout=CONNECT_LIMIT_S,
                options=f"-c statement_timeout={QUERY_LIMIT_S * 1000}",
                row_factory=dict_row,
            ) as connection:
                rows = connection.execute(self.statement.encode()).fetchall()
        except psycopg.Error as error:
            raise FeedError(f"{self}: {str(error).splitlines()[0]}") from None
        plain: list[dict[str, Any]] = json.loads(json.dumps(rows, default=str))
        return some(self, plain)


def some(source: Source, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a source.

    Raises:
        FeedError: there are none.
    """
    if not rows:
        raise FeedError(f"{source}: there are no rows")
    return rows


def _text_of(source: CsvFile | JsonLinesFile) -> str:
    try:
        return Path(source.path).read_text(encoding="utf-8-sig")
    except OSError as error:
        where = "" if Path(source.path).is_absolute() else f" (looked for in {Path.cwd()})"
        raise FeedError(f"{source}: {error.strerror}{where}") from None
    except UnicodeDecodeError as error:
        raise FeedError(f"{source}: byte {error.start} is not UTF-8") from None


def _refuse(source: Source, faults: Iterable[str]) -> None:
    lines = [f"{source}: {fault}" for fault in faults]
    if len(lines) > MAX_FAULTS_SHOWN:
        lines[MAX_FAULTS_SHOWN:] = [f"{source}: and {len(lines) - MAX_FAULTS_SHOWN} more"]
    if lines:
        raise FeedError("\n".join(lines))
