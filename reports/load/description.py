"""Read run.json without trusting it: a value of the wrong type is unknown."""

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plimsoll.run_files.files import (
    DIGESTS_SINCE,
    RUN_SCHEMA_VERSION,
    SCHEDULE_FILE,
    SCHEDULE_FILE_UNTIL_2,
)
from reports.errors import DataError
from reports.files import read_regular
from reports.load.run import Arrivals, ClockStep, RunMeta, Stage

TEXTS = (
    "profile",
    "load_model",
    "shape",
    "host",
    "git_commit",
    "started",
    "ended",
    "end_reason",
    "aborted",
    "recording_fault",
)
LISTS = ("journeys", "command", "steps", "workers")
SCALES = ("user_scale", "time_scale")


def read_description(path: Path, run_id: str) -> tuple[RunMeta, list[str]]:
    """Return what run.json says, with `run_id` for a missing id, and what was odd about it.

    Raises DataError for a schema version that is not known yet.
    """
    try:
        content = json.loads(read_regular(path), parse_constant=lambda _: None)
    except OSError as error:
        return RunMeta(run_id), [f"{path.name}: {error.strerror}"]
    except (ValueError, RecursionError):
        return RunMeta(run_id), [f"{path.name}: not valid JSON"]
    if not isinstance(content, dict):
        return RunMeta(run_id), [f"{path.name}: not a JSON object"]
    version = _positive(content.get("schema_version")) or 1
    if version > RUN_SCHEMA_VERSION:
        raise DataError(
            f"{str(path)!r} has schema_version {content['schema_version']}, of a later release of Plimsoll;"
            f" this one reads versions 1 to {RUN_SCHEMA_VERSION}: update it"
        )
    return _meta(content, run_id, version), []


def _meta(content: dict[str, Any], run_id: str, version: float) -> RunMeta:
    known: dict[str, Any] = {key: _text(content.get(key)) for key in TEXTS}
    known |= {key: _texts(content.get(key)) or () for key in LISTS}
    known |= {key: _positive(content.get(key)) or 1.0 for key in SCALES}
    return RunMeta(
        id=_text(content.get("id")) or run_id,
        request_names=_texts(content.get("request_names")),
        stages=_stages(content.get("stages")),
        is_search=content.get("is_search") is True,
        arrivals=_arrivals(content.get("arrivals")),
        planned_duration_s=_positive(content.get("planned_duration_s")),
        set_up_s=_positive(content.get("set_up_s")) or 0.0,
        warm_up_s=_positive(content.get("warm_up_s")) or 0.0,
        versions={key: str(value) for key, value in _mapping(content.get("versions")).items()},
        environment=_mapping(content.get("environment")),
        recorded=True,
        has_intervals="lost_workers" in content,
        lost_workers=_lost(content.get("lost_workers")),
        clock_offsets_s=_numbers(content.get("clock_offsets_s")),
        clock_steps=_clock_steps(content.get("clock_steps")),
        stats_reset=content.get("stats_reset") is True,
        recording_errors=int(_positive(content.get("recording_errors")) or 0),
        locust_totals=_totals(content.get("locust_totals")),
        schedule_file=SCHEDULE_FILE_UNTIL_2 if version <= 2 else SCHEDULE_FILE,
        has_digests="sha256" in content or version >= DIGESTS_SINCE,
        is_as_written=_is_as_written(content),
        file_digests={key: str(value) for key, value in _mapping(content.get("file_digests")).items()},
        **known,
    )


def _is_as_written(content: dict[str, Any]) -> bool:
    """Tell whether the facts have the digest that was written with them."""
    facts = {key: value for key, value in content.items() if key != "sha256"}
    return content.get("sha256") == hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _stages(value: object) -> Sequence[Stage]:
    stages = []
    for item in value if isinstance(value, list) else []:
        try:
            stages.append(
                Stage(
                    str(item["name"]),
                    float(item["from_s"]),
                    float(item["to_s"]),
                    *(_load(item, end) for end in ("from", "to")),
                )
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return tuple(stages)


def _load(item: dict[str, Any], end: str) -> float:
    """Return the load at one end of a stage: users, or iterations a second."""
    load = float(item[f"{end}_rate" if f"{end}_rate" in item else f"{end}_users"])
    if not math.isfinite(load):
        raise ValueError(f"{end} {load!r} is no load, valid is any finite number")
    return load


def _arrivals(value: object) -> Arrivals | None:
    found = _mapping(value)
    planned = _number(found.get("planned"))
    return None if planned is None else Arrivals(int(planned), _text(found.get("spacing")))


def _lost(value: object) -> tuple[str, ...]:
    workers = [_mapping(item) for item in value] if isinstance(value, list) else []
    return tuple(_text(str(worker.get("id"))) or "" for worker in workers)


def _clock_steps(value: object) -> Sequence[ClockStep]:
    steps = []
    for item in map(_mapping, value if isinstance(value, list) else []):
        at_s, forward_s = _number(item.get("at_s")), _number(item.get("forward_s"))
        if at_s is not None and forward_s is not None:
            process, suspended_s = _text(item.get("process")) or "", _number(item.get("suspended_s"))
            steps.append(ClockStep(process, at_s, forward_s, suspended_s))
    return tuple(steps)


def _numbers(value: object) -> dict[str, float]:
    known = {key: _number(number) for key, number in _mapping(value).items()}
    return {key: number for key, number in known.items() if number is not None}


def _totals(value: object) -> tuple[int, int] | None:
    counts = [_number(_mapping(value).get(key)) for key in ("requests", "failures")]
    known = [int(count) for count in counts if count is not None]
    return (known[0], known[1]) if len(known) == len(counts) else None


def _text(value: object) -> str | None:
    # A lone surrogate, which JSON can spell, could not be written to any file.
    return value.encode(errors="replace").decode() if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...] | None:
    return tuple(_text(str(item)) or "" for item in value) if isinstance(value, list) else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < sys.float_info.max else None
