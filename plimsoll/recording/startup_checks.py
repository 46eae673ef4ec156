"""Refuse, before any load, a run that could only end in a misleading result."""

from __future__ import annotations

from locust import HttpUser, User
from locust.env import Environment
from locust.user.task import is_markov_taskset

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from plimsoll.loads.schedule import ScheduleError
from plimsoll.loads.scheduled_shape import TICK_S, PlannedShape
from plimsoll.recording.bundled_service import service_faults
from plimsoll.recording.declared_names import declaration_faults, known_names, stages_of, tags_of_tasks
from plimsoll.recording.judging import ThresholdsCheck, check_thresholds
from plimsoll.recording.options import declare_limits_ms, options_of, starts_by_itself, warm_up_s
from plimsoll.recording.planned_load import planned_load
from plimsoll.redact import redact
from plimsoll.run_files.files import RESULTS_FOLDER

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4000
"""Of a directory: the paths of the files in it may have 4,095."""
MAX_SHOWN = 100
SOME_HOST = "http://127.0.0.1"
"""Where the bundled service is, and what a form may name later."""
_SETS_TASKS = re.compile(r"""\.tasks\b|["']tasks["']""")


def check_startup(environment: Environment) -> ThresholdsCheck:
    """Return everything that is wrong with the options of this process, and what its thresholds say.

    A run that starts by itself has a plan, by which the latter is also what will decide them.
    """
    options, classes = options_of(environment), environment.user_classes
    faults = declaration_faults(classes)
    if starts_by_itself(environment):
        faults += [*task_faults(environment, classes), *user_count_faults(environment)]
    faults += _shape_faults(environment)
    faults += _warm_up_faults(environment)
    faults += _host_faults(environment)
    faults += _setting_faults(environment)
    faults += _database_faults(options.database_url)
    faults += run_dir_faults(options.run_dir) if options.run_dir else folder_faults(RESULTS_FOLDER)
    if not options.thresholds:
        return ThresholdsCheck(faults)
    planned = planned_load(environment) if starts_by_itself(environment) and not faults else None
    known = known_names(classes)
    if starts_by_itself(environment):
        known = known._replace(stages=stages_of(environment.shape_class))
    checked = check_thresholds(options.thresholds, known, planned)
    declare_limits_ms(environment, checked.limits_ms, can_abort=checked.can_abort)
    return checked._replace(faults=[*faults, *checked.faults])


def task_faults(environment: Environment, user_classes: Iterable[type[User]]) -> list[str]:
    """Return which user classes have nothing to do: their users would only fail, again and again."""
    options = options_of(environment)
    tags, excluded = set(options.tags or ()), set(options.exclude_tags or ())
    given = {"--tags": tags, "--exclude-tags": excluded}
    cause = " and ".join(
        f"{option} {' '.join(map(repr, sorted(each)))}" for option, each in given.items() if each
    )
    faults = []
    for user_class in user_classes:
        if _has_task(user_class, tags, excluded) or _may_get_tasks(user_class):
            continue
        if _has_task(user_class, set(), set()):
            known = ", ".join(sorted(tags_of_tasks([user_class]))) or "none"
            fault = f"{cause}: no task of {user_class.__name__} is left (tags of its tasks: {known});"
            faults.append(f"{fault} give tags that leave one, or do not run this class")
        else:
            fault = f"{user_class.__name__} has no task: decorate methods with @task, set its tasks,"
            faults.append(f"{fault} or make it abstract = True")
    return faults


def _has_task(task: Any, tags: set[str], excluded: set[str]) -> bool:
    """Tell whether a task, or one within it if it holds tasks, is left by tags, as Locust filters them."""
    if hasattr(task, "tasks"):
        return is_markov_taskset(task) or any(_has_task(inner, tags, excluded) for inner in task.tasks)
    own: set[str] = getattr(task, "locust_tag_set", set())
    return (not tags or bool(own & tags)) and not own & excluded


def _may_get_tasks(user_class: type[User]) -> bool:
    """Tell whether users of a class do without tasks of the class, or some code may set them later."""
    if user_class.run is not User.run:
        return True
    modules = {each.__module__ for each in user_class.__mro__}
    own = [name for name in modules if name != "builtins" and not name.startswith("locust.")]
    try:
        return any(_SETS_TASKS.search(inspect.getsource(sys.modules[name])) for name in own)
    except (KeyError, OSError, TypeError):
        return True  # unknown


def user_count_faults(environment: Environment) -> list[str]:
    """Return why a run that starts by itself would have no users; a shape has a number of its own."""
    users = options_of(environment).num_users
    if environment.shape_class or users is None or users >= 1:
        return []
    return [f"--users must be at least 1, got {users}"]


def _shape_faults(environment: Environment) -> list[str]:
    shapes: Mapping[str, Any] = environment.available_shape_classes or {}
    faults = []
    for _, shape in sorted(shapes.items()):
        try:
            _ = shape.schedule if isinstance(shape, PlannedShape) else None  # at full size
        except ScheduleError as error:
            faults += [f"{type(shape).__name__}: {fault}" for fault in str(error).splitlines()]
    if starts_by_itself(environment) and len(shapes) > 1:
        names = ", ".join(sorted(shapes))
        faults.append(f"several shapes are loaded ({names}): load one, e.g. -f locustfiles,shapes/ramp.py")
    shape = environment.shape_class
    if faults or not isinstance(shape, PlannedShape):
        return faults
    has_thresholds = bool(options_of(environment).thresholds)
    if starts_by_itself(environment) and shape.is_search and not has_thresholds:
        return [f"{type(shape).__name__} searches for where limits break: give them with --thresholds FILE"]
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
    # FastHttpUser, and whatever has its interface, is known by an attribute that only HTTP needs.
    classes = [
        user_class
        for user_class in environment.user_classes
        if issubclass(user_class, HttpUser) or hasattr(user_class, "max_redirects")
    ]
    faults = [
        fault
        for user_class in classes
        if user_class.host
        for fault in url_faults(user_class.host, f"{user_class.__name__}.host")
    ]
    if hostless := sorted(user_class.__name__ for user_class in classes if not user_class.host):
        fault = f"{', '.join(hostless)}: no host; give --host URL, or --with-service for the bundled service"
        faults.insert(0, fault)
    return faults


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


def _database_faults(database_url: str | None) -> list[str]:
    if not database_url:
        return []
    # Only here: psycopg takes a tenth of the start of every process of the load.
    from plimsoll.branches import url_faults as faults_of

    return faults_of(database_url, "--database-url")


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


def shown(value: str) -> str:
    """Return a value for a message: quoted, without secrets, and not too much of it."""
    quoted = repr(redact(value))
    return quoted if len(quoted) <= MAX_SHOWN else f"{quoted[:MAX_SHOWN]}…"
