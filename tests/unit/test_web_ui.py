"""The doors of the web UI: the login is first, and a form reads, makes and starts nothing it may not."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from gevent.event import Event
from locust import User, task
from locust.argument_parser import default_args_dict
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile
from locust.web import WebUI

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_login import login_user  # type: ignore[import-untyped] # it carries no types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.data.preparation import StartGuard
from plimsoll.data.set_up import SetUpError
from plimsoll.recording import session as session_module
from plimsoll.recording.options import declared_limits_ms
from plimsoll.recording.session import Session
from plimsoll.recording.web_ui import extend_web_ui
from shapes.ramp import RampShape

GOOD = {"user_count": "1", "spawn_rate": "1", "user_classes": "Visitor", "shape_class": "Default"}
SECRET = "hunter2sEcret"
OWN_OPTIONS = {"run_dir": None, "thresholds": None, "with_service": False, "warm_up": None}
OWN_OPTIONS |= {"database_url": None}


class Visitor(User):
    """A user of one request name."""

    request_names = frozenset({"shop.home"})

    @task
    def visit(self) -> None:
        """Do nothing."""


class Someone:
    """A user who has logged in."""

    is_active = is_authenticated = True

    def get_id(self) -> str:
        """Return what the session knows a user by."""
        return "1"


class Page:
    """A web UI in the middle of a process, and what it has started."""

    def __init__(self, *, web_login: bool, **options: Any) -> None:
        given_options = {
            **default_args_dict(),
            **OWN_OPTIONS,
            "user_scale": 1.0,
            "time_scale": 1.0,
            "seed": 1,
        }
        self.environment = Environment(
            user_classes=[Visitor],
            available_user_classes={"Visitor": Visitor},  # type: ignore[dict-item] # they are classes
            available_shape_classes={"RampShape": RampShape()},
            parsed_options=Namespace(**given_options | options),
        )
        self.loads: list[tuple[Any, ...]] = []
        runner: Any = self.environment.create_local_runner()
        self.runner = runner
        runner.start = lambda *arguments, **_: self.loads.append(arguments)
        runner.start_shape = lambda: self.loads.append(("shape",))
        web_ui = self.web_ui = WebUI(
            self.environment,
            "127.0.0.1",
            0,
            web_login=web_login,
            delayed_start=True,
            userclass_picker_is_active=True,
        )
        self.session = Session(self.environment, lambda: None)
        extend_web_ui(web_ui, self.environment, self.session)
        assert web_ui.app is not None
        self.app = web_ui.app
        self.app.secret_key = "of this test"
        self.client: FlaskClient = self.app.test_client()
        if web_login:
            web_ui.login_manager.user_loader(lambda _: Someone())
            self.app.add_url_rule("/let-me-in", "let_me_in", lambda: str(login_user(Someone())))

    def swarm(self, **fields: str) -> Any:
        """Post a form that is good but for these fields, and return the answer."""
        answer = self.client.post("/swarm", data=GOOD | fields)
        gevent.sleep(0)
        return answer

    def refusal(self, **fields: str) -> str:
        """Post a form that is to be refused, and return why it is."""
        answer = self.swarm(**fields)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.json["success"] is False, answer.json
        assert self.loads == []
        return str(answer.json["message"])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder beside which there is one with secrets in it."""
    working, outside = tmp_path / "working", tmp_path / "outside"
    working.mkdir()
    outside.mkdir()
    (outside / "limits.yaml").write_text("thresholds: [p95 < 1 s]")
    (outside / "passwd").write_text(f"root:{SECRET}:0:0\n")
    monkeypatch.chdir(working)
    monkeypatch.setattr(sys, "argv", ["locust"])
    return working


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows when the bundled service is started, which it is not here."""
    started: list[str] = []

    class Service:
        def __init__(self) -> None:
            """Start nothing."""
            started.append("service")
            self.ready = Namespace(url="http://127.0.0.1:1", version="1", database_url=None)

    monkeypatch.setattr(session_module, "BundledService", Service)
    return started


@pytest.fixture
def page() -> Page:
    """Return a web UI without a login."""
    return Page(web_login=False)


FORMS: list[dict[str, str]] = [
    {"thresholds": "../outside/passwd"},
    {"thresholds": "/etc/passwd"},
    {"run_dir": "made"},
    {"with_service": "true"},
    {"user_count": "none"},
    {},
]


@pytest.mark.parametrize("form", FORMS)
def test_the_login_is_first(form: dict[str, str], folder: Path, services: list[str]) -> None:
    """Who has not logged in is sent to the login, whatever the form; nothing is read, made or started."""
    page = Page(web_login=True)
    answer = page.swarm(**form)

    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/login")
    assert (page.loads, services, list(folder.iterdir())) == ([], [], [])


def test_every_route_needs_the_login(folder: Path) -> None:
    """No page but the login, its scripts and pictures is for somebody who has not logged in."""
    page = Page(web_login=True)
    page.session.judged["run"] = folder
    (folder / "report.html").write_text(SECRET)
    asked = {
        (method, rule.rule.replace("<run_id>", "run"))
        for rule in page.app.url_map.iter_rules()
        if rule.endpoint not in {"locust.login", "locust.send_assets", "static", "let_me_in"}
        for method in (rule.methods or set()) - {"OPTIONS"}
    }
    answers = {(method, path): page.client.open(path, method=method) for method, path in sorted(asked)}

    assert {"/swarm", "/stop", "/plimsoll/status", "/plimsoll/runs/run/report"} <= {path for _, path in asked}
    assert {answer.status_code for answer in answers.values()} == {302}


def test_after_the_login(folder: Path) -> None:
    """Who has logged in is told of a fault, starts a load, and sees the reports."""
    page = Page(web_login=True)
    page.client.get("/let-me-in")
    page.session.judged["run"] = folder
    (folder / "report.html").write_text("the report")

    assert page.refusal(run_dir="/made") == (
        "run_dir must be a path below Locust's working directory, got '/made'"
    )
    assert page.swarm().json["success"] is True
    assert page.loads == [(1, 1.0)]
    assert page.client.get("/plimsoll/runs/run/report", buffered=True).get_data(as_text=True) == "the report"
    assert page.client.get("/plimsoll/runs/other/report").status_code == 404


def test_a_stranger_takes_no_answer_of_another() -> None:
    """Who has not logged in neither waits for the preparation of a load nor hears how it ends."""
    page, release = Page(web_login=True), Event()

    def prepare() -> None:
        release.wait()
        raise SetUpError("the school cannot be set up")

    StartGuard(page.web_ui, page.runner, prepare)
    page.client.get("/let-me-in")
    known = gevent.spawn(page.client.post, "/swarm", data=GOOD)
    gevent.sleep(0)
    stranger = page.app.test_client().post("/swarm", data=GOOD)
    release.set()

    assert stranger.status_code == 302
    assert known.get(timeout=30).json == {"success": False, "message": "the school cannot be set up"}


def make_link(folder: Path) -> str:
    """Return a file below the folder that is a link to one that is not."""
    (folder / "link.yaml").symlink_to("../outside/limits.yaml")
    return "link.yaml"


def make_circle(folder: Path) -> str:
    """Return a link to itself."""
    (folder / "circle.yaml").symlink_to("circle.yaml")
    return "circle.yaml"


def make_fifo(folder: Path) -> str:
    """Return a FIFO that nobody writes into."""
    os.mkfifo(folder / "fifo.yaml")
    return "fifo.yaml"


def make_folder(folder: Path) -> str:
    """Return a folder that is called like a file."""
    (folder / "folder.yaml").mkdir()
    return "folder.yaml"


def make_text(folder: Path) -> str:
    """Return a file that is none of limits."""
    (folder / "notes.txt").write_text("thresholds: [p95 < 1 s]")
    return "notes.txt"


BELOW = "must be a path below Locust's working directory"
YAML = "must be an existing file NAME.yaml or NAME.yml"


@pytest.mark.parametrize(
    ("field", "path", "fault"),
    [
        ("thresholds", "/etc/passwd", BELOW),
        ("thresholds", "/dev/zero", BELOW),
        ("thresholds", "../outside/limits.yaml", BELOW),
        ("thresholds", "sub/../../outside/limits.yaml", BELOW),
        ("thresholds", make_link, BELOW),
        ("thresholds", make_circle, BELOW),
        ("thresholds", ".", BELOW),
        ("thresholds", make_fifo, YAML),
        ("thresholds", make_folder, YAML),
        ("thresholds", make_text, YAML),
        ("thresholds", "nowhere.yaml", YAML),
        ("thresholds", f"{'x' * 300}.yaml", YAML),
        ("thresholds", "a\0b.yaml", "has a NUL character"),
        ("thresholds", "x" * 20_000, "must have at most 10000 characters, got 20000"),
        ("run_dir", "/made", BELOW),
        ("run_dir", "../made", BELOW),
        ("run_dir", ".", BELOW),
        ("run_dir", "sub/..", BELOW),
        ("run_dir", make_circle, BELOW),
        ("run_dir", make_fifo, "cannot be used: Not a directory"),
        ("run_dir", make_text, "cannot be used: Not a directory"),
        ("run_dir", "a" * 300, "cannot be used: File name too long"),
        ("run_dir", f"made/{'a' * 300}", "cannot be used: File name too long"),
        ("run_dir", "a\0b", "has a NUL character"),
    ],
)
def test_a_path_that_is_not_to_be_used(
    page: Page, folder: Path, field: str, path: str | Callable[[Path], str], fault: str
) -> None:
    """Thresholds and run directories elsewhere, of another kind, or that cannot be are refused in a line."""
    message = page.refusal(**{field: path if isinstance(path, str) else path(folder)})

    assert fault in message
    assert len(message) < 300
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (f"root:{SECRET}:0:0\n", "must be a mapping with the key 'thresholds'"),
        (f"password: {SECRET}\n", "'thresholds' must be a list of at least one statement such as"),
        (f"{SECRET}: 1\nthresholds: [p95 < 1 s]\n", "has keys other than 'thresholds'"),
        (f"thresholds: {SECRET}\n", "'thresholds' must be a list"),
        (f"thresholds: [{SECRET}, p95 < 1 s]\n", "threshold 1 is not valid, or appears twice"),
        (f"thresholds: [p95 < 1 s, p95 < 1 {SECRET}]\n", "threshold 2 is not valid"),
        (f"thresholds: [{{expr: p95 < 1 s, {SECRET}: 1}}]\n", "threshold 1 is not valid"),
        (f"{SECRET}: 1\n{SECRET}: 2\n", "is not valid YAML in line 1"),
        (f"a: 1\n  {SECRET}: [\n", "is not valid YAML in line 2"),
        (f"- !{SECRET} x\n", "is not valid YAML"),
        (f"*{SECRET}\n", "is not valid YAML"),
    ],
)
def test_no_file_is_quoted(page: Page, folder: Path, content: str, fault: str) -> None:
    """An answer says where a file's faults are, and nothing of what is in it."""
    (folder / "limits.yaml").write_text(content)
    message = page.refusal(thresholds="limits.yaml")

    assert f"limits.yaml: {fault}" in message
    assert SECRET not in message
    assert str(folder) not in message


def test_a_threshold_of_an_unknown_name(page: Page, folder: Path) -> None:
    """What reads as a threshold is of no other file, and may be told with the nearest name."""
    (folder / "limits.yml").write_text("thresholds: [p95 of shop.hom < 1 s]")

    assert "'p95 of shop.hom < 1 s': no request is named 'shop.hom'" in page.refusal(thresholds="limits.yml")


def test_a_threshold_of_a_stage_that_the_chosen_shape_has_not(page: Page, folder: Path) -> None:
    """Stages are those of the shape that the form chooses; without one there are none."""
    (folder / "limits.yaml").write_text("thresholds: [p95 during hld < 1 s]")

    assert "no stage is named 'hld'; did you mean 'hold'?" in page.refusal(
        thresholds="limits.yaml", shape_class="RampShape"
    )
    assert "the load of this run has no stages" in page.refusal(thresholds="limits.yaml")


def test_a_form_may_name_several_files(page: Page, folder: Path) -> None:
    """Each of them must be one that a form may name; the limits are those of all."""
    (folder / "a.yaml").write_text("thresholds: [p95 < 1 s]")
    (folder / "b.yaml").write_text("thresholds: [p99 < 2 s]")

    assert BELOW in page.refusal(thresholds="a.yaml,../outside/limits.yaml")
    assert YAML in page.refusal(thresholds="a.yaml,c.yaml")
    assert YAML in page.refusal(thresholds=",")
    page.swarm(thresholds="a.yaml,b.yaml")
    assert declared_limits_ms(page.environment) == [1000.0, 2000.0]


def test_limits_of_a_good_form(page: Page, folder: Path) -> None:
    """The limits of a run are those of the last form that was good."""
    (folder / "limits.yaml").write_text("thresholds: [p95 < 1 s]")
    page.refusal(thresholds="limits.yaml", user_count="none")
    before = declared_limits_ms(page.environment)
    page.swarm(thresholds="limits.yaml")

    assert (before, declared_limits_ms(page.environment)) == ([], [1000.0])


def test_a_check_makes_and_starts_nothing(page: Page, folder: Path, services: list[str]) -> None:
    """A form with a fault leaves no directory and no service behind, also where Locust would refuse it."""
    wrong = [{"user_count": "none"}, {"spawn_rate": "0"}, {"shape_class": "Other"}, {"user_classes": "Other"}]
    for field in [*wrong, {"time_scale": "0"}, {"host": "nonsense"}]:
        page.refusal(run_dir="made/here", with_service="true", **field)

    assert (services, list(folder.iterdir())) == ([], [])
    assert page.swarm(run_dir="made/here", with_service="true").json["success"] is True
    assert services == ["service"]


def test_paths_of_the_command_line(folder: Path) -> None:
    """What the command line named is valid wherever it is, as the page sends it back."""
    outside = folder.parent / "outside"
    limits, runs = str(outside / "limits.yaml"), str(outside / "runs")
    page = Page(web_login=False, thresholds=limits, run_dir=runs)

    assert page.swarm(thresholds=limits, run_dir=runs).json["success"] is True
    assert not Path(runs).exists()


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("user_count", "-1", "user_count must be a whole number of 0 or more, got '-1'"),
        ("spawn_rate", "nan", "spawn_rate must be a number above 0, got 'nan'"),
        ("user_scale", "-1", "user_scale must be a number above 0, got '-1'"),
        ("time_scale", "fast", "time_scale must be a number above 0, got 'fast'"),
        ("time_scale", "1e999", "time_scale must be a number above 0, got '1e999'"),
        ("run_time", "9" * 400, f"run_time must be a time such as 30s or 2m, got '{'9' * 99}…"),
        ("warm_up", "soon", "warm_up must be a time such as 30s or 2m, got 'soon'"),
        ("seed", "1.5", "seed must be a whole number, got '1.5'"),
        ("host", "nonsense", "host 'nonsense' is not a base URL such as http://127.0.0.1:8000"),
        ("host", f"ann:{SECRET}@shop", "host 'ann:***@shop' is not a base URL such as http://127.0.0.1:8000"),
        ("shape_class", "Other", "shape_class must be one of Default, RampShape, got 'Other'"),
        ("user_classes", "Other", "user_classes must be among Visitor, got 'Other'"),
        ("html_file", "/etc/x", "html_file cannot be set in the web UI, only on the command line"),
        ("headless", "true", "headless cannot be set in the web UI, only on the command line"),
        (
            "plimsoll_limits_ms",
            "x",
            "plimsoll_limits_ms cannot be set in the web UI, only on the command line",
        ),
    ],
)
def test_wrong_fields(page: Page, field: str, value: str, fault: str) -> None:
    """A field that cannot be is refused with what would be valid."""
    assert page.refusal(**{field: value}) == fault


def test_what_is_missing(page: Page) -> None:
    """A load without a shape needs users and a spawn rate; a shape brings its own."""
    picked = {"user_classes": "Visitor", "shape_class": "Default"}
    answer: Any = page.client.post("/swarm", data=picked).json

    assert answer["message"] == "user_count is missing\nspawn_rate is missing"
    assert page.client.post("/swarm", data=picked | {"shape_class": "RampShape"}).json["success"]  # type: ignore[index] # it is a mapping
    assert page.loads == [("shape",)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(
        [*GOOD, "run_time", "host", "profile", "warm_up", "seed", "run_dir", "thresholds", "other"]
    ),
    st.text()
    | st.text("\0/.-~x", max_size=5)
    | st.sampled_from(["9" * 5000, "/" * 5000, "x" * 9000, "1e309"]),
)
def test_no_field_ends_in_a_traceback(page: Page, field: str, value: str) -> None:
    """Whatever is in a field, the answer says whether a load starts."""
    answer = page.swarm(**{field: value})

    assert answer.status_code == 200
    assert answer.json["success"] in {True, False}


@pytest.mark.parametrize(
    "path",
    [
        "/plimsoll/runs/../report",
        "/plimsoll/runs/..%2f..%2foutside/report",
        "/plimsoll/runs/%2e%2e/report",
        "/plimsoll/runs//report",
        "/plimsoll/runs/other/report",
        "/plimsoll/runs/run/../../../outside/passwd",
        "/plimsoll/runs/run/run.json",
    ],
)
def test_only_reports_are_served(page: Page, folder: Path, path: str) -> None:
    """Of all files only the reports of runs of this process are served."""
    page.session.judged["run"] = folder
    (folder / "run.json").write_text(SECRET)
    answer = page.client.get(path)

    assert answer.status_code in {308, 404}
    assert SECRET not in answer.get_data(as_text=True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/swarm", "/stop", "/plimsoll/status", "/plimsoll/runs/run/report"])
def test_other_methods(page: Page, method: str, path: str) -> None:
    """A load is started and stopped by a POST only, and what is to be read is read by a GET only."""
    if method == "GET" and path.startswith("/plimsoll"):
        return
    assert page.client.open(path, method=method, data=GOOD).status_code == 405
    assert page.loads == []


def test_other_sites_see_no_report(page: Page, folder: Path) -> None:
    """A page of another site that is open in the same browser can neither read a report nor frame it."""
    page.session.judged["run"] = folder
    (folder / "report.html").write_text("the report")
    for path in ("/plimsoll/status", "/plimsoll/runs/run/report"):
        answer = page.client.get(path, headers={"Origin": "http://other.example"}, buffered=True)
        headers = answer.headers

        assert headers.getlist("Access-Control-Allow-Origin") == ["http://localhost"]
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_user_class_without_tasks(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that would only fail is refused when it is picked, and does not keep others from their load."""
    (tmp_path / "idle_users.py").write_text("from locust import User\nclass Idle(User): pass\n")
    monkeypatch.setattr(sys, "path", sys.path[:])
    found, _ = load_locustfile(str(tmp_path / "idle_users.py"))
    page.environment.available_user_classes = {"Visitor": Visitor, **found}  # type: ignore[dict-item] # likewise

    assert page.swarm().json["success"] is True
    page.loads.clear()
    assert "Idle has no task: decorate methods with @task" in page.refusal(user_classes="Idle")
