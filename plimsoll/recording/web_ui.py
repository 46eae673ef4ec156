"""What the suite adds to Locust's web UI: refusal of a wrong form, the verdict, and the way to the report.

The form that asks for a load is checked before anything is made or started. Anyone who can reach the port can
send one. So a path must be below the working directory, unless the command line named it, and no answer
quotes a file: for a thresholds file it says where the faults are, and quotes only valid thresholds.
"""

from __future__ import annotations

from locust import LoadTestShape, User
from locust.argument_parser import default_args_dict
from locust.env import Environment
from locust.util.timespan import parse_timespan
from locust.web import WebUI

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

from flask import Blueprint, Response, jsonify, request, send_from_directory
from werkzeug.datastructures import MultiDict

from plimsoll.locust_internals import INDEX_ENDPOINT, SWARM_ENDPOINT
from plimsoll.recording.bundled_service import ServiceError
from plimsoll.recording.declared_names import known_names, stages_of
from plimsoll.recording.judging import ThresholdsCheck, check_thresholds, suite_program
from plimsoll.recording.options import (
    CAN_ABORT_OPTION,
    LIMITS_OPTION,
    declare_limits_ms,
    options_of,
)
from plimsoll.recording.session import Session
from plimsoll.recording.startup_checks import folder_faults, shown, task_faults, url_faults
from plimsoll.run_files.files import REPORT_FILE, threshold_files

# Locust's page is one script with no place for a verdict: this goes to its foot.
_STRIP = Path(__file__).with_name("verdict_strip.html").read_text(encoding="utf-8")
# A report is one file that loads nothing, with script and style in it; names in it come from the service.
CONTENT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)

View = Callable[..., Response]
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


def extend_web_ui(web_ui: WebUI, environment: Environment, session: Session) -> None:
    """Check what is posted to /swarm, show the last verdict on the page, and serve the reports."""
    app = web_ui.app
    assert app is not None
    prefix = f"{options_of(environment).web_base_path or ''}/plimsoll"
    needs_login: Callable[[View], View] = web_ui.auth_required_if_enabled
    app.register_blueprint(verdict_pages(session, prefix, needs_login))
    named = {field: getattr(options_of(environment), field) for field in PATH_FIELDS}
    # A view of Locust's own, as before_request would come before its login.
    swarm = cast(View, app.view_functions[SWARM_ENDPOINT])

    @needs_login
    def checked_swarm() -> Response:
        """Answer a wrong form as Locust does, before any load starts."""
        faults = form_faults(request.form, environment, named)
        if not faults and request.form.get("with_service") == "true":
            try:
                session.start_service()
            except ServiceError as error:
                faults = [str(error)]
        return jsonify({"success": False, "message": "\n".join(faults)}) if faults else swarm()

    app.view_functions[SWARM_ENDPOINT] = checked_swarm

    @app.after_request
    def add_strip(response: Response) -> Response:
        """Put the verdict strip on Locust's page."""
        if request.endpoint == INDEX_ENDPOINT and response.status_code == 200:
            strip = _STRIP.replace("STATUS_URL", f"{prefix}/status")
            response.set_data(response.get_data(as_text=True).replace("</body>", f"{strip}</body>"))
        return response


def verdict_pages(session: Session, prefix: str, needs_login: Callable[[View], View]) -> Blueprint:
    """Return the pages below *prefix*: how far the last run is, and the reports of the runs."""
    pages = Blueprint("plimsoll", __name__, url_prefix=prefix)

    @pages.get("/status")
    @needs_login
    def status() -> Response:
        """Say where the last run is on its way to a verdict, and how its limits stand meanwhile."""
        if session.state != "judged":
            limits = [state._asdict() for state in session.limit_states]
            return jsonify({"state": session.state, "limits": limits})
        assert session.judgement is not None
        run_id = next(reversed(session.judged), None)
        return jsonify(
            {
                "state": session.state,
                "verdict": session.judgement.word,
                "text": session.judgement.text,
                "report": f"{prefix}/runs/{run_id}/report" if session.judgement.has_report else None,
            }
        )

    @pages.get("/runs/<run_id>/report")
    @needs_login
    def report(run_id: str) -> Response:
        """Serve the report of a run of this process."""
        directory = session.judged.get(run_id)
        if directory is None or not (directory / REPORT_FILE).is_file():
            # Not abort: within a login, Locust would answer it with 200 and a page about its own set-up.
            return Response(
                f"no run of this process has a report under {shown(run_id)}", 404, mimetype="text/plain"
            )
        return send_from_directory(directory.resolve(), REPORT_FILE)

    @pages.after_request
    def guard(response: Response) -> Response:
        """Keep our pages to our own page: others may neither read nor frame them, nor load from them."""
        # Locust's pages may be read by any origin; one that is named is left as it is.
        response.headers["Access-Control-Allow-Origin"] = request.host_url.rstrip("/")
        response.headers["Content-Security-Policy"] = CONTENT_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages


def form_faults(form: Form, environment: Environment, named: Mapping[str, str | None]) -> list[str]:
    """Return what is wrong with a form, one fault a line; a good one's limits are those of the next run.

    *named* are the paths of the command line, which a form may name wherever they are.
    """
    available = cast(dict[str, type[User]], environment.available_user_classes or {})
    chosen = [available[name] for name in form.getlist("user_classes") if name in available]
    classes = chosen or list(environment.user_classes)
    faults = []
    for field, value in form.items(multi=True):
        if "\0" in field or "\0" in value:
            faults.append(f"{shown(field)} has a NUL character in it, got {shown(value)}")
        elif len(value) > MAX_FIELD_LENGTH:
            most = f"at most {MAX_FIELD_LENGTH} characters"
            faults.append(f"{shown(field)} must have {most}, got {len(value)}")
    faults = (
        faults
        or [*_value_faults(form, environment), *_choice_faults(form, environment), *_path_faults(form, named)]
        or task_faults(environment, classes)
    )
    if faults or "thresholds" not in form:
        return faults
    checked = ThresholdsCheck([])
    if form["thresholds"]:
        known = known_names(classes)._replace(stages=stages_of(_chosen_shape(form, environment)))
        checked = check_thresholds(form["thresholds"], known, quoting=False)
        if checked.faults:
            command = f"{suite_program()} check --thresholds FILE"
            hint = f"run '{command}' in a terminal for the full message, which quotes the file"
            return [*checked.faults, hint]
    declare_limits_ms(environment, checked.limits_ms, can_abort=checked.can_abort)
    return []


def _value_faults(form: Form, environment: Environment) -> Iterator[str]:
    options = vars(options_of(environment))
    # Locust would set these as well, such as names of files that it writes at its end.
    unsettable = default_args_dict().keys() - PAGE_FIELDS | {LIMITS_OPTION, CAN_ABORT_OPTION}
    for field, value in form.items():
        number = _NUMBERS.get(field) or _NUMBERS_BY_TYPE.get(type(options.get(field)))
        if field in unsettable:
            yield f"{field} cannot be set in the web UI, only on the command line"
        elif number and not number.accepts(value):
            yield f"{field} must be {number.wanted}, got {shown(value)}"
        elif field == "host" and value:
            yield from url_faults(value, "host")


def _has_picker(environment: Environment) -> bool:
    return environment.web_ui is not None and environment.web_ui.userclass_picker_is_active


def _chosen_shape(form: Form, environment: Environment) -> LoadTestShape | None:
    if not _has_picker(environment):
        return environment.shape_class
    shapes: Mapping[str, Any] = environment.available_shape_classes or {}
    shape: LoadTestShape | None = shapes.get(form.get("shape_class", NO_SHAPE))
    return shape


def _choice_faults(form: Form, environment: Environment) -> Iterator[str]:
    """Say what Locust would answer with a traceback, or only when the bundled service has been started."""
    has_picker = _has_picker(environment)
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
        is_below = is_yaml = False
        with suppress(OSError, RuntimeError):  # links in a circle, a name that is too long
            files = [Path(value)] if field == "run_dir" else threshold_files([value])
            paths = [file.resolve() for file in files]
            is_below = all(Path.cwd().resolve() in path.parents for path in paths)
            # A device or a FIFO may have no end; a file of another name is of something else.
            is_yaml = bool(paths) and all(
                path.is_file() and (is_named or path.suffix in YAML_SUFFIXES) for path in paths
            )
        if not value:
            continue
        if not is_named and not is_below:
            yield f"{field} must be a path below Locust's working directory, got {shown(value)}"
        elif field == "run_dir":
            yield from folder_faults(value, field)
        elif not is_yaml:
            yield f"{field} must be an existing file NAME.yaml or NAME.yml, got {shown(value)}"
