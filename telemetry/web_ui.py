"""What the suite adds to Locust's web UI: refusal of a wrong form, the verdict, and the way to the report."""

from __future__ import annotations

from locust import User
from locust.env import Environment
from locust.web import WebUI

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from flask import Blueprint, Response, abort, jsonify, request, send_from_directory

from telemetry.bundled_target import TargetError
from telemetry.options import options_of, warm_up_s
from telemetry.session import REPORT_FILE, Session
from telemetry.startup_checks import folder_faults, thresholds_faults, url_faults

# Locust's page is one script with no place for a verdict: this goes to its foot.
_STRIP = Path(__file__).with_name("verdict_strip.html").read_text(encoding="utf-8")
_INDEX_ENDPOINT = "locust.index"
_SWARM_ENDPOINT = "locust.swarm"

View = Callable[..., Response]


def extend_web_ui(web_ui: WebUI, environment: Environment, session: Session) -> None:
    """Check what is posted to /swarm, show the last verdict on the page, and serve the reports."""
    assert web_ui.app is not None
    prefix = f"{options_of(environment).web_base_path or ''}/plimsoll"
    needs_login: Callable[[View], View] = web_ui.auth_required_if_enabled
    pages = Blueprint("plimsoll", __name__, url_prefix=prefix)

    @pages.get("/status")
    @needs_login
    def status() -> Response:
        """Say where the last run is on its way to a verdict."""
        return jsonify(_status(session, prefix))

    @pages.get("/runs/<run_id>/report")
    @needs_login
    def report(run_id: str) -> Response:
        """Serve the report of a run of this process."""
        if run_id not in session.judged:
            abort(404)
        return send_from_directory(session.judged[run_id].resolve(), REPORT_FILE)

    @web_ui.app.before_request
    def refuse_wrong_form() -> Response | None:
        """Answer a wrong form as Locust does, before any load starts."""
        if request.endpoint != _SWARM_ENDPOINT:
            return None
        faults = _form_faults(request.form, environment, session)
        return jsonify({"success": False, "message": "\n".join(faults)}) if faults else None

    @web_ui.app.after_request
    def add_strip(response: Response) -> Response:
        """Put the verdict strip on Locust's page."""
        if request.endpoint == _INDEX_ENDPOINT and response.status_code == 200:
            strip = _STRIP.replace("STATUS_URL", f"{prefix}/status")
            response.set_data(response.get_data(as_text=True).replace("</body>", f"{strip}</body>"))
        return response

    web_ui.app.register_blueprint(pages)


def _status(session: Session, prefix: str) -> dict[str, str | None]:
    if session.state != "judged":
        return {"state": session.state}
    assert session.judgement is not None
    run_id = next(reversed(session.judged), None)
    return {
        "state": session.state,
        "verdict": session.judgement.word,
        "text": session.judgement.text,
        "report": f"{prefix}/runs/{run_id}/report" if session.judgement.has_report else None,
    }


def _chosen_classes(environment: Environment) -> list[type[User]]:
    chosen = request.form.getlist("user_classes")
    available = cast(dict[str, type[User]], environment.available_user_classes or {})
    return [available[name] for name in chosen if name in available] or list(environment.user_classes)


def _form_faults(form: Mapping[str, str], environment: Environment, session: Session) -> list[str]:
    faults = [
        f"{field} must be a number above 0, got {form[field]!r}"
        for field in ("user_scale", "time_scale")
        if field in form and not _is_positive(form[field])
    ]
    try:
        warm_up_s(form.get("warm_up"))
    except ValueError as error:
        faults.append(str(error))
    if form.get("host"):
        faults += url_faults(form["host"])
    if form.get("run_dir"):
        faults += folder_faults(form["run_dir"])
    if "thresholds" in form:
        faults += thresholds_faults(environment, _chosen_classes(environment), form["thresholds"])
    if not faults and form.get("with_target") == "true":
        try:
            session.start_target()
        except TargetError as error:
            faults.append(str(error))
    return faults


def _is_positive(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and number > 0
