r"""Read one of Locust's CSV files, whole or damaged, into a table.

Ordinary here: no file, no bytes, a header alone, a last line cut off in the middle, NUL bytes after kill -9,
bytes that are not UTF-8, `\r\n` and `\r\r\n` line ends, `N/A`, quoted commas, quotes and newlines.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from plimsoll.redact import redact_log, redact_name
from reports.files import read_regular


@dataclass(frozen=True)
class Layout:
    """Map the columns of a file to ours; those in `text` stay text, all others become float.

    With `percentiles` each column like `99.9%` becomes `p99.9_ms` too. A file that lacks one of the `needed`
    columns is not read. The last line of `unterminated` files may lack its line end, as in those of Locust
    1.x; in any other file such a line is cut off.
    """

    columns: Mapping[str, str]
    text: frozenset[str] = frozenset()
    percentiles: bool = False
    needed: tuple[str, ...] = ()
    unterminated: bool = False


MASKED = {"request_type": redact_name, "name": redact_name} | dict.fromkeys(
    ("error", "message", "traceback"), redact_log
)
"""How secrets are kept out of texts; those of a run that Plimsoll recorded have none."""
LARGEST = 1e15
"""No count, time or size of a run is as large: such a number is damage, hence unknown."""

LONGEST_QUOTE = 300
PERCENTILE_HEADER = re.compile(r"(\d+(?:\.\d+)?)%")


def read_table(path: Path, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of a CSV file in the columns of `layout`, and what was odd about the file.

    Columns the file lacks are NaN (text: empty); a missing file gives no rows. Of the columns that it has
    `attrs["columns"]` gives their names in the file; in those of `attrs["whole"]` no number has a point.
    """
    try:
        raw = read_regular(path)
    except OSError as error:
        return _shaped(pd.DataFrame(), layout), [f"{path.name}: {error.strerror}"]
    text, notes = _mended(raw, layout)
    if not text:
        return _shaped(pd.DataFrame(), layout), [f"{path.name}: empty"]
    frame, more = _parsed(text, layout)
    return _shaped(frame, layout), [f"{path.name}: {note}" for note in [*notes, *more]]


def _mended(raw: bytes, layout: Layout) -> tuple[str, list[str]]:
    """Return the text of a file up to its last complete line, and what was odd about it."""
    notes = []
    if b"\0" in raw:
        raw = raw.replace(b"\0", b"")
        notes.append("NUL bytes dropped")
    # csv would take the two \r of Locust's files from Windows for an empty line each.
    text = re.sub(r"\r+\n?", "\n", raw.decode("utf-8-sig", errors="replace")).lstrip("\n")
    # The last line end outside of quotes.
    end = text.rfind("\n")
    quotes = text.count('"', 0, end + 1)
    while end >= 0 and quotes % 2:
        previous = text.rfind("\n", 0, end)
        quotes -= text.count('"', previous + 1, end + 1)
        end = previous
    complete, rest = text[: end + 1], text[end + 1 :].rstrip()
    if rest:
        last = _last_record(complete, rest, layout) if layout.unterminated else ""
        if not last:
            notes.append("the last line is cut off and was dropped")
        complete += last
    return complete, notes


def _last_record(complete: str, rest: str, layout: Layout) -> str:
    """Return the last line with a line end if it has all of its fields, otherwise nothing.

    Its last number, of which digits may be missing, is left out.
    """
    if not complete:
        return f"{rest}\n"
    try:
        header, fields = (next(csv.reader(io.StringIO(part))) for part in (complete, rest))
    except csv.Error:  # a field of over 128 KiB
        return ""
    if rest.count('"') % 2 or len(fields) != len(header):
        return ""
    last = _ours(header[-1].strip(), layout)
    return f"{rest}\n" if last is None or last in layout.text else f"{rest[: rest.rfind(',') + 1]}\n"


def _parsed(text: str, layout: Layout) -> tuple[pd.DataFrame, list[str]]:
    header = [name.strip() for name in next(csv.reader(io.StringIO(text[: text.find("\n") + 1])), [])]
    renamed = {column: _ours(column, layout) for column in header}
    wanted = {column: name for column, name in renamed.items() if name}
    missing = [column for column in layout.needed if column not in wanted]
    if missing or not wanted:
        fault = f"lacks {_quoted(missing)}, which Locust writes since 1.0" if missing else "no known column"
        return pd.DataFrame(), [f"{fault}; its columns are {_quoted(header)}"]
    numbers = [column for column, name in wanted.items() if name not in layout.text]
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            # A later twin of a name must be unlike any column we know.
            names=[name if name not in header[:i] else f"\x00{i}" for i, name in enumerate(header)],
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
    known = frame.rename(columns=wanted)
    known.attrs["columns"] = {name: column for column, name in wanted.items()}
    known.attrs["whole"] = list(known.select_dtypes("integer"))
    return known, []


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(map(repr, columns))[:LONGEST_QUOTE]


def _ours(column: str, layout: Layout) -> str | None:
    if layout.percentiles and (match := PERCENTILE_HEADER.fullmatch(column)):
        return f"p{float(match[1]):g}_ms" if 0 < float(match[1]) < 100 else None
    return layout.columns.get(column)


def _shaped(frame: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Return a table in the columns of a layout: unknown numbers are NaN, missing texts empty."""
    known = tuple(layout.columns.values())
    shaped = pd.DataFrame(index=range(len(frame)))
    for column in (*known, *(str(column) for column in frame if column not in known)):
        if column in layout.text:
            texts = frame[column].fillna("").to_numpy() if column in frame else ""
            shaped[column] = pd.Series(texts, index=shaped.index, dtype=object)
            if column in MASKED:
                shaped[column] = shaped[column].map({t: MASKED[column](t) for t in shaped[column].unique()})
        elif column in frame:
            values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
            shaped[column] = np.where(np.abs(values) < LARGEST, values, np.nan)
        else:
            shaped[column] = np.nan
    shaped.attrs = {"columns": {}, "whole": []} | frame.attrs
    return shaped
