"""Load a run: a run directory, or the files of a plain `locust --csv PREFIX`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from plimsoll.run_files.advice import ADVICE_FILE
from plimsoll.run_files.files import (
    EXCEPTIONS_SUFFIX,
    FAILURES_SUFFIX,
    HEALTH_FILE,
    HISTORY_SUFFIX,
    INTERVALS_FILE,
    LOCUST_PREFIX,
    LOCUST_SUFFIXES,
    POSTGRES_FILE,
    RUN_FILE,
    SCHEDULE_FILE,
    SCHEDULE_FILE_UNTIL_2,
    STATS_SUFFIX,
    THRESHOLDS_FILE,
)
from reports.errors import DataError
from reports.files import sha256_of
from reports.load.advice import read_advice
from reports.load.description import read_description
from reports.load.interval_file import parted, read_intervals
from reports.load.locust_csv import (
    EXCEPTIONS,
    FAILURES,
    read_history,
    read_stats,
    total_of,
    totals_from_history,
    with_last_count,
)
from reports.load.run import (
    HEALTH_COLUMNS,
    HISTORY_COLUMNS,
    POSTGRES_COLUMNS,
    STAGE_COLUMNS,
    Run,
    RunMeta,
    empty_frame,
)
from reports.load.table import Layout, read_table

STAGES = Layout(columns={column: column for column in STAGE_COLUMNS}, text=frozenset({"stage"}))
POSTGRES = Layout(columns={column: column for column in POSTGRES_COLUMNS})
HEALTH = Layout(columns={column: column for column in HEALTH_COLUMNS}, text=frozenset({"process"}))


@dataclass(frozen=True)
class Place:
    """Say where a run's files are and where its views go."""

    folder: Path
    prefix: str
    is_run_directory: bool

    def csv(self, suffix: str) -> Path:
        """Return the path of one of Locust's files, such as `_stats.csv`."""
        return self.folder / f"{self.prefix}{suffix}"

    def view(self, name: str) -> Path:
        """Return where a view such as `report.html` is written."""
        return self.folder / (name if self.is_run_directory else f"{self.prefix}_{name}")


def locate(path: Path) -> Place:
    """Find the run that a path names: a run directory, a prefix, one of its files, a folder with one prefix.

    Raises DataError when there is none, or more than one, saying what was looked for.
    """
    if (path / RUN_FILE).exists():
        return Place(path, LOCUST_PREFIX, is_run_directory=True)
    if path.is_dir():
        prefixes = _prefixes(path)
        if len(prefixes) == 1:
            return Place(path, prefixes[0], is_run_directory=prefixes[0] == LOCUST_PREFIX)
        found = f"those of {', '.join(map(repr, prefixes))}; name one" if prefixes else "none"
        raise DataError(
            f"no single run in {str(path)!r}: looked for {RUN_FILE} or files ending in"
            f" {' or '.join(LOCUST_SUFFIXES[:2])}, found {found}"
        )
    folder, prefix = path.parent, path.name
    for suffix in sorted(LOCUST_SUFFIXES, key=len, reverse=True):
        prefix = prefix.removesuffix(suffix) if prefix == path.name else prefix
    if not prefix or prefix not in _prefixes(folder):
        raise DataError(
            f"no run at {str(path)!r}: it is no folder, and none of"
            f" {', '.join(f'{prefix}{suffix}' for suffix in LOCUST_SUFFIXES)} exists beside it"
        )
    recorded = (RUN_FILE, INTERVALS_FILE, HEALTH_FILE, SCHEDULE_FILE, SCHEDULE_FILE_UNTIL_2)
    own = prefix == LOCUST_PREFIX and any((folder / name).exists() for name in recorded)
    return Place(folder, prefix, is_run_directory=own)


def _prefixes(folder: Path) -> list[str]:
    """Return the prefixes of Locust's statistics and history files in a folder."""
    files = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    ours = {
        name.removesuffix(suffix) for name in files for suffix in LOCUST_SUFFIXES[:2] if name.endswith(suffix)
    }
    return sorted(ours)


def load(place: Place, *, with_thresholds: bool = False) -> Run:
    """Read everything of a run that can be read; `warnings` say what could not, `damage` what forbids a pass.

    With `with_thresholds` the run is to be judged by the thresholds.yaml of its directory.

    Raises DataError when there are neither requests nor an undamaged file to say so, nor a run.json, and for
    a run.json of a later release.
    """
    requests, total, stats_notes, faults = read_stats(place.csv(STATS_SUFFIX))
    failures, failure_notes = read_table(place.csv(FAILURES_SUFFIX), FAILURES)
    exceptions, exception_notes = read_table(place.csv(EXCEPTIONS_SUFFIX), EXCEPTIONS)
    recorded, own_notes = _own_files(place)
    meta: RunMeta = recorded["meta"]
    history, history_notes = empty_frame(HISTORY_COLUMNS), list[str]()
    # Locust's history is by far the longest file, and tells what was recorded anyway.
    if not recorded.get("intervals") or recorded["stages"].empty or meta.started is None:
        history, history_notes, history_faults = read_history(place.csv(HISTORY_SUFFIX))
        faults += history_faults
    if not meta.recorded and stats_notes and requests.empty and total.empty and history.empty:
        raise DataError(
            f"nothing to judge in {str(place.folder)!r}: {'; '.join(stats_notes + history_notes)}"
        )
    if meta.started is None and len(history):
        recorded["meta"] = replace(meta, started=_began(history))
    notes = [*own_notes, *stats_notes, *history_notes, *failure_notes, *exception_notes]
    if requests.empty and total.empty and not history.empty:
        requests, total = totals_from_history(history)
        notes.append("totals are those of the last history row, without percentiles, minima and maxima")
        faults.append("Locust's statistics are missing, and its history lacks the last seconds of a run")
    if total.empty and not requests.empty:
        total = total_of(requests)
        notes.append("Locust's row over all requests is missing: counts are added up, percentiles unknown")
        faults.append("Locust's statistics are cut off: requests of some names may be missing")
    run = Run(
        requests=requests,
        total=total,
        history=history,
        failures=with_last_count(failures, total),
        exceptions=exceptions,
        warnings=tuple(notes),
        **recorded,
    )
    return replace(run, damage=tuple(_damage(place, run, faults, with_thresholds=with_thresholds)))


def _began(history: pd.DataFrame) -> str | None:
    """Return the moment of the first row in UTC; None where it is damaged and beyond any calendar."""
    try:
        began = datetime.fromtimestamp(float(history["unix_s"].iloc[0]), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return began.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _own_files(place: Place) -> tuple[dict[str, Any], list[str]]:
    """Read what only our own runs have, as fields of a run; plain and older runs lack these files."""
    if not place.is_run_directory:
        return {"meta": RunMeta(place.prefix), "stages": empty_frame(STAGE_COLUMNS)}, []
    folder, health_path = place.folder, place.folder / HEALTH_FILE
    meta, notes = read_description(folder / RUN_FILE, folder.resolve().name)
    stages, stage_notes = read_table(folder / meta.schedule_file, STAGES)
    health, health_notes = read_table(health_path, HEALTH)
    has_postgres = (folder / POSTGRES_FILE).exists()
    postgres, postgres_notes = read_table(folder / POSTGRES_FILE, POSTGRES)
    if not health_path.exists():
        health_notes = []
    intervals, interval_notes = read_intervals(folder / INTERVALS_FILE)
    requests, iterations, custom = parted(intervals)
    advice, advice_notes = read_advice(folder / ADVICE_FILE)
    fields: dict[str, Any] = {
        "advice": advice,
        "meta": meta,
        "stages": stages,
        "health": health.dropna(subset=["unix_s"]),
        "postgres": postgres.dropna(subset=["unix_s"]),
    }
    fields |= {"intervals": requests, "iterations": iterations, "custom": custom}
    return fields, [
        *notes,
        *stage_notes,
        *interval_notes,
        *health_notes,
        *(postgres_notes if has_postgres else ()),
        *advice_notes,
    ]


def _damage(place: Place, run: Run, wrong: Sequence[str], *, with_thresholds: bool) -> Iterator[str]:
    """Yield what a pass needs and the files lack; what is wrong with Locust's matters where it is judged."""
    meta = run.meta
    if place.is_run_directory and not meta.recorded:
        yield f"{RUN_FILE}, which says what was planned and how the run ended, is missing or damaged"
    if not run.intervals:
        yield from wrong
    if meta.has_intervals and not run.intervals and run.total["n"].sum() > 0:
        yield f"{INTERVALS_FILE}, which holds the requests second by second, is missing or damaged"
    if meta.has_intervals and (run.health.empty or run.stages.empty):
        files = f"{HEALTH_FILE} or {meta.schedule_file}"
        yield f"{files}, which say what the generator did, is missing or damaged"
    if meta.has_digests:
        yield from _changed(place, meta, with_thresholds=with_thresholds)


def _changed(place: Place, meta: RunMeta, *, with_thresholds: bool) -> Iterator[str]:
    """Yield which of the judged files are not as they were written, by their digests."""
    if not meta.is_as_written:
        yield f"{RUN_FILE} does not match its own checksum: it was damaged or changed after the run"
    elif meta.ended is not None and not meta.file_digests:
        yield f"{RUN_FILE} has no digests of the other files: its process died before all was written"
    for name in sorted(meta.file_digests):
        if name == THRESHOLDS_FILE and not with_thresholds:
            continue
        hint = "; other thresholds are judged by --thresholds FILE" if name == THRESHOLDS_FILE else ""
        try:
            digest = sha256_of(place.folder / Path(name).name)
        except OSError as error:
            yield f"{name} cannot be read: {error.strerror}{hint}"
            continue
        if digest != meta.file_digests[name]:
            changed = f"does not match its checksum in {RUN_FILE}: it was damaged or changed after the run"
            yield f"{name} {changed}{hint}"
