r"""Read one of Locust's CSV files, whole or damaged, into a table.

Ordinary here: no file, no bytes, a header alone, a last line cut off in the middle, NUL bytes after kill -9,
bytes that are not UTF-8, `\r\n` and `\r\r\n` line ends, `N/A`, quoted commas, quotes and newlines.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layout:
    """Map the columns of a file to ours; those in `text` stay text, all others become float.

    With `percentiles` each column like `99.9%` becomes `p99.9_ms` too.
    """

    columns: Mapping[str, str]
    text: frozenset[str] = frozenset()
    percentiles: bool = False


LARGEST = 1e15
"""No count, time or size of a run is as large: such a number is damage, hence unknown."""

PERCENTILE_HEADER = re.compile(r"(\d+(?:\.\d+)?)%")


def read_table(path: Path, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of a CSV file in the columns of `layout`, and what was odd about the file.

    Columns the file lacks are NaN (text: empty); a missing file gives no rows.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        return _shaped(pd.DataFrame(), layout), [f"{path.name}: {error.strerror}"]
    text, notes = _mended(raw)
    if not text:
        return _shaped(pd.DataFrame(), layout), [f"{path.name}: empty"]
    frame, more = _parsed(text, layout)
    return _shaped(frame, layout), [f"{path.name}: {note}" for note in [*notes, *more]]


def _mended(raw: bytes) -> tuple[str, list[str]]:
    notes = []
    if b"\0" in raw:
        raw = raw.replace(b"\0", b"")
        notes.append("NUL bytes dropped")
    # csv would take the two \r of Locust's files from Windows for an empty line each.
    text = re.sub(r"\r+\n?", "\n", raw.decode("utf-8-sig", errors="replace"))
    complete = _complete_records(text)
    if complete.strip() != text.strip():
        notes.append("the last line is cut off and was dropped")
    return complete.lstrip("\n"), notes


def _complete_records(text: str) -> str:
    """Return the text up to the last line end outside of quotes."""
    end = text.rfind("\n")
    quotes = text.count('"', 0, end + 1)
    while end >= 0 and quotes % 2:
        previous = text.rfind("\n", 0, end)
        quotes -= text.count('"', previous + 1, end + 1)
        end = previous
    return text[: end + 1]


def _parsed(text: str, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    header = [name.strip() for name in next(csv.reader(io.StringIO(text[: text.find("\n") + 1])), [])]
    renamed = {column: _ours(column, layout) for column in header}
    wanted = {column: name for column, name in renamed.items() if name}
    if not wanted:
        return pd.DataFrame(), ["no known column"]
    numbers = [column for column, name in wanted.items() if name not in layout.text]
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            names=_unique(header),
            header=0,
            index_col=False,
            usecols=list(wanted),
            dtype={column: "object" for column, name in wanted.items() if name in layout.text},
            na_values={column: ["N/A", ""] for column in numbers},
            keep_default_na=False,
            low_memory=False,
        )
    except pd.errors.ParserError as error:
        return pd.DataFrame(), [f"unreadable: {error}"]
    return frame.rename(columns=wanted), []


def _unique(header: list[str]) -> list[str]:
    """Return the header with later twins of a name made unlike any column we know."""
    return [name if name not in header[:i] else f"\x00{i}" for i, name in enumerate(header)]


def _ours(column: str, layout: Layout) -> str | None:
    if layout.percentiles and (match := PERCENTILE_HEADER.fullmatch(column)):
        return f"p{float(match[1]):g}_ms" if 0 < float(match[1]) < 100 else None
    return layout.columns.get(column)


def _shaped(frame: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    known = tuple(layout.columns.values())
    columns = [*known, *(str(column) for column in frame if column not in known)]
    return pd.DataFrame(
        {
            column: _texts(frame, column) if column in layout.text else _numbers(frame, column)
            for column in columns
        },
        index=range(len(frame)),
    )


def _texts(frame: pd.DataFrame, column: str) -> pd.Series:
    values = frame[column].fillna("").to_numpy() if column in frame else ""
    return pd.Series(values, index=range(len(frame)), dtype=object)


def _numbers(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    if column not in frame:
        return np.full(len(frame), np.nan)
    values = frame[column]
    if values.dtype != np.float64:
        values = pd.to_numeric(values, errors="coerce")
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.abs(numbers) < LARGEST, numbers, np.nan)
