"""The run directory: the only thing that is handed from a run to its judgement."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

RESULTS_FOLDER = "results"
MAX_PROFILE_LENGTH = 100
FACTS_FILE = "run.json"
STAGES_FILE = "stages.csv"
HEALTH_FILE = "health.csv"
INTERVALS_FILE = "intervals.arrow"
THRESHOLDS_FILE = "thresholds.yaml"
# Prefix of the files that Locust itself defines: locust_stats.csv and so on.
LOCUST_CSV_PREFIX = "locust"
CSV_FILES = f"{LOCUST_CSV_PREFIX}_*.csv"
# What the judge would believe if it were damaged after the run.
JUDGED_FILES = (
    INTERVALS_FILE,
    STAGES_FILE,
    HEALTH_FILE,
    f"{LOCUST_CSV_PREFIX}_exceptions.csv",
    THRESHOLDS_FILE,
)


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
    temporary = directory / f".{FACTS_FILE}.new"
    own = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    text = json.dumps({**facts, "sha256": own}, indent=2, ensure_ascii=False)
    # Paths and arguments that are no UTF-8 hold characters that JSON can write as escapes only.
    temporary.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
    os.replace(temporary, directory / FACTS_FILE)  # noqa: PTH105 - the atomic call, by its own name


def file_digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each of JUDGED_FILES that is there, by its name; "" where it is unreadable."""
    digests = {}
    for path in (directory / name for name in JUDGED_FILES):
        if path.exists():
            digests[path.name] = ""  # no file has that
            with suppress(OSError), path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
