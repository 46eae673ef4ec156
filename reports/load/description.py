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
    Invariant,
)
from reports.errors import DataError
from reports.files import read_regular
from reports.load.run import Arrivals, ClockStep, LimitAbort, RunMeta, Stage

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
    planned, totals = _mapping(content.get("arrivals")), _mapping(content.get("locust_totals"))
    arrivals, requests, failures = map(
        _number, (planned.get("planned"), totals.get("requests"), totals.get("failures"))
    )
    facts = {key: value for key, value in content.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    offsets_s = {key: _number(value) for key, value in _mapping(content.get("clock_offsets_s")).items()}
    lost = [_mapping(worker).get("id") for worker in _list(content.get("lost_workers"))]
    abort = _mapping(content.get("aborted_by"))
    source, text, at_s = _text(abort.get("source")), _text(abort.get("text")), _number(abort.get("at_s"))
    known: dict[str, Any] = {key: _text(content.get(key)) for key in TEXTS}
    known |= {key: _texts(content.get(key)) or () for key in LISTS}
    known |= {key: _positive(content.get(key)) or 1.0 for key in SCALES}
    return RunMeta(
        id=_text(content.get("id")) or run_id,
        request_names=_texts(content.get("request_names")),
        stages=_stages(content.get("stages")),
        is_search=content.get("is_search") is True,
        arrivals=None if arrivals is None else Arrivals(int(arrivals), _text(planned.get("spacing"))),
        planned_duration_s=_positive(content.get("planned_duration_s")),
        set_up_s=_positive(content.get("set_up_s")) or 0.0,
        warm_up_s=_positive(content.get("warm_up_s")) or 0.0,
        versions={key: str(value) for key, value in _mapping(content.get("versions")).items()},
        environment=_mapping(content.get("environment")),
        recorded=True,
        has_intervals="lost_workers" in content,
        lost_workers=_texts(lost) or (),
        clock_offsets_s={key: offset_s for key, offset_s in offsets_s.items() if offset_s is not None},
        clock_steps=_clock_steps(content),
        invariants=_invariants(content),
        aborted_by=None if source is None else LimitAbort(source, text or "", at_s or 0.0),
        stats_reset=content.get("stats_reset") is True,
        recording_errors=int(_positive(content.get("recording_errors")) or 0),
        locust_totals=None if requests is None or failures is None else (int(requests), int(failures)),
        schedule_file=SCHEDULE_FILE_UNTIL_2 if version <= 2 else SCHEDULE_FILE,
        has_digests="sha256" in content or version >= DIGESTS_SINCE,
        is_as_written=content.get("sha256") == digest,
        file_digests={key: str(value) for key, value in _mapping(content.get("file_digests")).items()},
        **known,
    )


def _clock_steps(content: dict[str, Any]) -> tuple[ClockStep, ...]:
    steps = []
    for step in map(_mapping, _list(content.get("clock_steps"))):
        at_s, forward_s = _number(step.get("at_s")), _number(step.get("forward_s"))
        if at_s is not None and forward_s is not None:
            process, suspended_s = _text(step.get("process")) or "", _number(step.get("suspended_s"))
            steps.append(ClockStep(process, at_s, forward_s, suspended_s))
    return tuple(steps)


def _invariants(content: dict[str, Any]) -> tuple[Invariant, ...]:
    found = []
    for each in map(_mapping, _list(content.get("invariants"))):
        holds, name, text = each.get("holds"), _text(each.get("name")), _text(each.get("text"))
        found.append(Invariant(name or "", holds if isinstance(holds, bool) else None, text or ""))
    return tuple(found)


def _stages(value: object) -> Sequence[Stage]:
    """Return the stages that are whole, with their loads: users, or iterations a second."""
    stages = []
    for item in _list(value):
        try:
            loads = [
                float(item[f"{end}_rate" if f"{end}_rate" in item else f"{end}_users"])
                for end in ("from", "to")
            ]
            stage = Stage(str(item["name"]), float(item["from_s"]), float(item["to_s"]), *loads)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if all(map(math.isfinite, loads)):
            stages.append(stage)
    return tuple(stages)


def _text(value: object) -> str | None:
    # A lone surrogate, which JSON can spell, could not be written to any file.
    return value.encode(errors="replace").decode() if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...] | None:
    return tuple(_text(str(item)) or "" for item in value) if isinstance(value, list) else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < sys.float_info.max else None
