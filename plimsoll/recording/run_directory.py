"""The run directory: the only thing that is handed from a run to its judgement."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from plimsoll.run_files.files import JUDGED_FILES, RUN_FILE

RESULTS_FOLDER = "results"
MAX_PROFILE_LENGTH = 100


def directory_name(started: datetime, profile: str) -> str:
    """Return `<UTC start>-<profile>`, with nothing in it that a file system or shell dislikes."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", profile)[:MAX_PROFILE_LENGTH].strip("-.")
    return f"{started:%Y%m%dT%H%M%SZ}-{words or 'run'}"


def create_run_directory(wanted: Path) -> Path:
    """Create *wanted*, or *wanted*-2, -3, … where it is taken, and return it.

    An empty directory counts as free; one with anything in it is never written to.
    """
    for number in itertools.count(1):
        candidate = wanted if number == 1 else Path(f"{wanted}-{number}")
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            if not candidate.is_dir() or any(candidate.iterdir()):
                continue
        return candidate
    raise AssertionError("unreachable: the count above has no end")


def write_facts(directory: Path, facts: Mapping[str, object]) -> None:
    """Write run.json in one step, so that no reader ever sees half of it, with the digest of its facts."""
    temporary = directory / f".{RUN_FILE}.new"
    own = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    text = json.dumps({**facts, "sha256": own}, indent=2, ensure_ascii=False)
    # Paths and arguments that are no UTF-8 hold characters that JSON can write as escapes only.
    temporary.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
    os.replace(temporary, directory / RUN_FILE)  # noqa: PTH105 - the atomic call, by its own name


def file_digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each of JUDGED_FILES that is there, by its name; "" where it is unreadable."""
    digests = {}
    for path in (directory / name for name in JUDGED_FILES):
        if path.exists():
            digests[path.name] = ""  # no file has that
            with suppress(OSError), path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


class CsvLog:
    """A CSV file that grows, each row with the operating system as soon as it is written."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self._file = path.open("w", newline="", encoding="utf-8", buffering=1)
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def write(self, row: Iterable[object]) -> None:
        """Append a row."""
        self._writer.writerow(row)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
