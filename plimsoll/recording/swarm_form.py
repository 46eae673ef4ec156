"""Check the form that asks for a load in the web UI, before anything is made or started.

Anyone who can reach the port can send one. So a path must be below the working directory, unless the command
line named it, and no answer quotes a file: for a thresholds file it says where the faults are, and quotes
only valid thresholds.
"""

from __future__ import annotations

from locust import User
from locust.argument_parser import default_args_dict
from locust.env import Environment
from locust.util.timespan import parse_timespan

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from werkzeug.datastructures import MultiDict

from plimsoll.recording.judging import check_thresholds, suite_program
from plimsoll.recording.options import LIMITS_OPTION, declare_limits_ms, options_of
from plimsoll.recording.startup_checks import folder_faults, names_known_of, shown, url_faults
from plimsoll.recording.task_checks import task_faults

Form = MultiDict[str, str]

# What Locust's page sends, beside the options of locustfiles.
PAGE_FIELDS = {"user_count", "spawn_rate", "run_time", "host", "profile", "user_classes", "shape_class"}
PATH_FIELDS = ("run_dir", "thresholds")
MAX_FIELD_LENGTH = 10_000
YAML_SUFFIXES = {".yaml", ".yml"}
NO_SHAPE = "Default"


class _Number(NamedTuple):
    """A number that a field holds, as text."""

    convert: Callable[[str], float]
    wanted: str
    least: float = math.nextafter(0, 1)
    most: float = sys.float_info.max

    def accepts(self, text: str) -> bool:
        """Return whether a text is such a number."""
        try:
            return self.least <= self.convert(text) <= self.most
        except (ValueError, OverflowError):
            return False


_POSITIVE = _Number(float, "a number above 0")
_TIME = _Number(lambda text: parse_timespan(text) if text else 0, "a time such as 30s or 2m", 0, 1e9)
_NUMBERS = {
    "user_count": _Number(int, "a whole number of 0 or more", 0),
    "spawn_rate": _POSITIVE,
    "user_scale": _POSITIVE,
    "time_scale": _POSITIVE,
    "run_time": _TIME,
    "warm_up": _TIME,
}
# Of options of locustfiles: Locust converts a text to the type of the value before.
_NUMBERS_BY_TYPE: dict[type, _Number] = {
    int: _Number(int, "a whole number", -sys.float_info.max),
    float: _Number(float, "a number", -sys.float_info.max),
}


def paths_named_by(environment: Environment) -> dict[str, str | None]:
    """Return the paths of the command line: those that a form may name wherever they are."""
    return {field: getattr(options_of(environment), field) for field in PATH_FIELDS}


def form_faults(form: Form, environment: Environment, named: Mapping[str, str | None]) -> list[str]:
    """Return what is wrong with a form, one fault a line; a good one's limits are those of the next run."""
    return (
        list(_text_faults(form))
        or [*_value_faults(form, environment), *_choice_faults(form, environment), *_path_faults(form, named)]
        or task_faults(environment, _user_classes(form, environment))
        or _thresholds_faults(form, environment)
    )


def _text_faults(form: Form) -> Iterator[str]:
    for field, value in form.items(multi=True):
        if "\0" in field or "\0" in value:
            yield f"{shown(field)} has a NUL character in it, got {shown(value)}"
        elif len(value) > MAX_FIELD_LENGTH:
            yield f"{shown(field)} must have at most {MAX_FIELD_LENGTH} characters, got {len(value)}"


def _value_faults(form: Form, environment: Environment) -> Iterator[str]:
    options = vars(options_of(environment))
    for field, value in form.items():
        number = _NUMBERS.get(field) or _NUMBERS_BY_TYPE.get(type(options.get(field)))
        if field in _options_of_no_page():
            yield f"{field} cannot be set in the web UI, only on the command line"
        elif number and not number.accepts(value):
            yield f"{field} must be {number.wanted}, got {shown(value)}"
        elif field == "host" and value:
            yield from url_faults(value, "host")


@cache
def _options_of_no_page() -> set[str]:
    """Return the options that Locust would set as well, such as names of files that it writes at its end."""
    return default_args_dict().keys() - PAGE_FIELDS | {LIMITS_OPTION}


def _choice_faults(form: Form, environment: Environment) -> Iterator[str]:
    """Say what Locust would answer with a traceback, or only when the bundled service has been started."""
    has_picker = environment.web_ui is not None and environment.web_ui.userclass_picker_is_active
    shape = form.get("shape_class", NO_SHAPE)
    if has_picker:
        shapes = [NO_SHAPE, *(environment.available_shape_classes or {})]
        if shape not in shapes:
            yield f"shape_class must be one of {', '.join(shapes)}, got {shown(shape)}"
        available = environment.available_user_classes or {}
        for name in form.getlist("user_classes"):
            if name not in available:
                yield f"user_classes must be among {', '.join(sorted(available))}, got {shown(name)}"
    if shape == NO_SHAPE if has_picker else environment.shape_class is None:
        yield from (f"{field} is missing" for field in ("user_count", "spawn_rate") if field not in form)


def _path_faults(form: Form, named: Mapping[str, str | None]) -> Iterator[str]:
    for field in PATH_FIELDS:
        value = form.get(field, "")
        is_named = value == named[field]
        if not value:
            continue
        if not is_named and not _is_below_working_directory(value):
            yield f"{field} must be a path below Locust's working directory, got {shown(value)}"
        elif field == "run_dir":
            yield from folder_faults(value, field)
        # A device or a FIFO may have no end; a file of another name is of something else.
        elif not (_is_file(value) and (is_named or Path(value).resolve().suffix in YAML_SUFFIXES)):
            yield f"{field} must be an existing file NAME.yaml or NAME.yml, got {shown(value)}"


def _is_below_working_directory(path: str) -> bool:
    try:
        return Path.cwd().resolve() in Path(path).resolve().parents
    except (OSError, RuntimeError):  # links in a circle
        return False


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # its name is too long
        return False


def _thresholds_faults(form: Form, environment: Environment) -> list[str]:
    if "thresholds" not in form:
        return []
    limits_ms: list[float] = []
    if form["thresholds"]:
        known = names_known_of(_user_classes(form, environment))
        faults, limits_ms = check_thresholds(Path(form["thresholds"]), known, quoting=False)
        if faults:
            command = f"{suite_program()} check --thresholds FILE"
            return [*faults, f"run '{command}' in a terminal for the full message, which quotes the file"]
    declare_limits_ms(environment, limits_ms)
    return []


def _user_classes(form: Form, environment: Environment) -> list[type[User]]:
    available = cast(dict[str, type[User]], environment.available_user_classes or {})
    chosen = [available[name] for name in form.getlist("user_classes") if name in available]
    return chosen or list(environment.user_classes)
