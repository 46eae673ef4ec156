"""The run directory: the only thing that is handed from a run to its judgement."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Mapping
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
    """Write run.json in one step, so that no reader ever sees half of it."""
    temporary = directory / f".{FACTS_FILE}.new"
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    # Paths and arguments that are no UTF-8 hold characters that JSON can write as escapes only.
    temporary.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
    os.replace(temporary, directory / FACTS_FILE)  # noqa: PTH105 - the atomic call, by its own name
