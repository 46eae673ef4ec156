"""Refuse, before any load, a run that could only end in a misleading result."""

from __future__ import annotations

from locust import HttpUser, User
from locust.env import Environment

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from plimsoll.loads.schedule import ScheduleError
from plimsoll.loads.scheduled_shape import TICK_S, PlannedShape
from plimsoll.loads.search_shape import SearchShape
from plimsoll.recording.bundled_service import service_faults
from plimsoll.recording.judging import KnownNames, check_thresholds
from plimsoll.recording.options import declare_limits_ms, options_of, starts_by_itself, warm_up_s
from plimsoll.recording.origin import iterations_of, tags_of_tasks
from plimsoll.recording.recording import known_request_names
from plimsoll.recording.run_directory import RESULTS_FOLDER
from plimsoll.recording.task_checks import task_faults, user_count_faults
from plimsoll.redact import redact, redact_name

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4000
"""Of a directory: the paths of the files in it may have 4,095."""
MAX_SHOWN = 100
SOME_HOST = "http://127.0.0.1"
"""Where the bundled service is, and what a form may name later."""


def startup_faults(environment: Environment) -> list[str]:
    """Return everything that is wrong with the options of this process, one fault a line."""
    options = options_of(environment)
    return [
        *_declaration_faults(environment.user_classes),
        *(task_faults(environment, environment.user_classes) if starts_by_itself(environment) else ()),
        *(user_count_faults(environment) if starts_by_itself(environment) else ()),
        *_shape_faults(environment),
        *_warm_up_faults(environment),
        *_host_faults(environment),
        *_setting_faults(environment),
        *(run_dir_faults(options.run_dir) if options.run_dir else folder_faults(RESULTS_FOLDER)),
        *_thresholds_faults(environment),
    ]


def _thresholds_faults(environment: Environment) -> list[str]:
    thresholds = options_of(environment).thresholds
    if not thresholds:
        return []
    checked = check_thresholds(Path(thresholds), names_known_of(environment.user_classes))
    declare_limits_ms(environment, checked.limits_ms)
    return checked.faults


def names_known_of(classes: Sequence[type[User]]) -> KnownNames:
    """Return what these journeys can send, as far as they declare it."""
    return KnownNames(
        known_request_names(classes),
        sorted(declared_names(classes, "metric_names") | declared_names(classes, "client_metric_names")),
        sorted(user_class.__name__ for user_class in classes),
        sorted(declared_names(classes, "tag_names") | tags_of_tasks(classes)),
        sorted(declared_names(classes, "transaction_names")),
        sorted(iterations_of(classes)),
    )


def declared_names(user_classes: Iterable[type[User]], attribute: str) -> set[str]:
    """Return the recorded names that an attribute of the journeys declares, or globs; None declares `*`."""
    names: set[str] = set()
    for user_class in user_classes:
        declared: Iterable[str] | None = getattr(user_class, attribute, ())
        names.update(["*"] if declared is None else map(redact_name, declared))
    return names


def _declaration_faults(user_classes: Iterable[type[User]]) -> list[str]:
    return [
        f"{user_class.__name__}.{attribute} must be a set of names, got {names!r}"
        for user_class in user_classes
        for attribute in ("request_names", "metric_names", "tag_names", "transaction_names")
        if isinstance(names := getattr(user_class, attribute, None), str)
    ]


def _shape_faults(environment: Environment) -> list[str]:
    shapes: Mapping[str, Any] = environment.available_shape_classes or {}
    faults = [fault for _, shape in sorted(shapes.items()) for fault in _schedule_faults(shape)]
    if starts_by_itself(environment) and len(shapes) > 1:
        names = ", ".join(sorted(shapes))
        faults.append(f"several shapes are loaded ({names}): load one, e.g. -f locustfiles,shapes/ramp.py")
    shape = environment.shape_class
    if faults or not isinstance(shape, PlannedShape):
        return faults
    if (
        starts_by_itself(environment)
        and isinstance(shape, SearchShape)
        and not options_of(environment).thresholds
    ):
        return [f"{type(shape).__name__} searches for where limits break: give them with --thresholds FILE"]
    return _scale_faults(shape)


def _schedule_faults(shape: object) -> list[str]:
    """Return what is wrong with the schedule of a shape at full size."""
    try:
        if isinstance(shape, PlannedShape):
            _ = shape.schedule
    except ScheduleError as error:
        return [f"{type(shape).__name__}: {fault}" for fault in str(error).splitlines()]
    return []


def _scale_faults(shape: PlannedShape[Any]) -> list[str]:
    try:
        duration_s = shape.planned().duration_s
    except ScheduleError as error:
        return str(error).splitlines()
    if duration_s >= TICK_S:
        return []
    return [f"--time-scale leaves {duration_s:.3g} s of load; it must leave at least {TICK_S:.0f} s"]


def _warm_up_faults(environment: Environment) -> list[str]:
    run_time_s = options_of(environment).run_time
    try:
        length_s = warm_up_s(options_of(environment).warm_up)
    except ValueError as error:
        return [str(error)]
    if length_s and environment.shape_class and starts_by_itself(environment):
        return ["--warm-up is for runs without a shape: a shape warms up in a first stage named warm_up"]
    if run_time_s and length_s >= run_time_s:
        return [f"--warm-up of {length_s} s leaves nothing of --run-time, {run_time_s} s"]
    return []


def _host_faults(environment: Environment) -> list[str]:
    if environment.host:
        return url_faults(environment.host)
    if options_of(environment).with_service:
        return service_faults()
    if not starts_by_itself(environment):
        return []
    classes = [user_class for user_class in environment.user_classes if _speaks_http(user_class)]
    hostless = sorted(user_class.__name__ for user_class in classes if not user_class.host)
    told = f"{', '.join(hostless)}: no host; give --host URL, or --with-service for the bundled service"
    return ([told] if hostless else []) + [
        fault
        for user_class in classes
        if user_class.host
        for fault in url_faults(user_class.host, f"{user_class.__name__}.host")
    ]


def _setting_faults(environment: Environment) -> list[str]:
    """Return what the clients of user classes, asked by `setting_faults(host)`, would refuse in each user."""
    faults: list[str] = []
    for user_class in environment.user_classes:
        faults_of: Callable[[str], list[str]] | None = getattr(user_class, "setting_faults", None)
        if faults_of is not None:
            host = environment.host or user_class.host or SOME_HOST
            # An invalid host is reported by _host_faults.
            found = faults_of(SOME_HOST if url_faults(host) else host)
            faults += [f"{user_class.__name__}: {fault}" for fault in found]
    return faults


def _speaks_http(user_class: type[User]) -> bool:
    """Tell HttpUser, and FastHttpUser or whatever has its interface, by an attribute that only HTTP needs."""
    return issubclass(user_class, HttpUser) or hasattr(user_class, "max_redirects")


def url_faults(host: str, setting: str = "--host") -> list[str]:
    """Return what is wrong with a base URL that a setting gives."""
    try:
        url = urlsplit(host)
        complete = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        complete = False
    return [] if complete else [f"{setting} {shown(host)} is not a base URL such as http://127.0.0.1:8000"]


def folder_faults(folder: str, setting: str = "--run-dir") -> list[str]:
    """Return why nothing could be written into a folder; it is not made yet, as its run may never start."""
    try:
        path = Path(folder).resolve()
        str(path).encode()  # Arrow's files have names in UTF-8 only
        nearest = next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
    except (OSError, RuntimeError, ValueError):  # links in a circle, NUL, no UTF-8
        return [f"{setting} {shown(folder)} is not a valid path"]
    if (
        max(len(os.fsencode(part)) for part in path.parts) > MAX_NAME_BYTES
        or len(bytes(path)) > MAX_PATH_BYTES
    ):
        reason = "File name too long"
    elif not nearest.is_dir():
        reason = "Not a directory"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        reason = "Permission denied"
    else:
        return []
    return [f"{setting} {shown(folder)} cannot be used: {reason}"]


def shown(value: str) -> str:
    """Return a value for a message: quoted, without secrets, and not too much of it."""
    quoted = repr(redact(value))
    return quoted if len(quoted) <= MAX_SHOWN else f"{quoted[:MAX_SHOWN]}…"


def run_dir_faults(run_dir: str) -> list[str]:
    """Return why a run cannot be recorded into the directory of --run-dir."""
    faults = folder_faults(run_dir)
    if not faults and Path(run_dir).is_dir():
        try:
            is_taken = any(Path(run_dir).iterdir())
        except OSError as error:
            return [f"--run-dir {shown(run_dir)} cannot be used: {error.strerror}"]
        if is_taken:
            return [f"--run-dir {shown(run_dir)} is not empty: give a new or an empty directory"]
    return faults
