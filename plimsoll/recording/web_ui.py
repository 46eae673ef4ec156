"""What the suite adds to Locust's web UI: refusal of a wrong form, the verdict, and the way to the report."""

from __future__ import annotations

from locust.env import Environment
from locust.web import WebUI

from collections.abc import Callable
from pathlib import Path
from typing import cast

from flask import Blueprint, Response, jsonify, request, send_from_directory

from plimsoll.recording.bundled_service import ServiceError
from plimsoll.recording.options import options_of
from plimsoll.recording.session import Session
from plimsoll.recording.startup_checks import shown
from plimsoll.recording.swarm_form import form_faults, paths_named_by
from plimsoll.run_files.files import REPORT_FILE

# Locust's page is one script with no place for a verdict: this goes to its foot.
_STRIP = Path(__file__).with_name("verdict_strip.html").read_text(encoding="utf-8")
_INDEX_ENDPOINT = "locust.index"
_SWARM_ENDPOINT = "locust.swarm"
# A report is one file that loads nothing, with script and style in it; names in it come from the service.
CONTENT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)

View = Callable[..., Response]


def extend_web_ui(web_ui: WebUI, environment: Environment, session: Session) -> None:
    """Check what is posted to /swarm, show the last verdict on the page, and serve the reports."""
    app = web_ui.app
    assert app is not None
    prefix = f"{options_of(environment).web_base_path or ''}/plimsoll"
    needs_login: Callable[[View], View] = web_ui.auth_required_if_enabled
    named = paths_named_by(environment)
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

    # A view of Locust's own, as before_request would come before its login.
    swarm = cast(View, app.view_functions[_SWARM_ENDPOINT])

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

    app.view_functions[_SWARM_ENDPOINT] = checked_swarm

    @app.after_request
    def add_strip(response: Response) -> Response:
        """Put the verdict strip on Locust's page."""
        if request.endpoint == _INDEX_ENDPOINT and response.status_code == 200:
            strip = _STRIP.replace("STATUS_URL", f"{prefix}/status")
            response.set_data(response.get_data(as_text=True).replace("</body>", f"{strip}</body>"))
        return response

    app.register_blueprint(pages)


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
