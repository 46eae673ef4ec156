"""The web UI: everything in the class picker, a wrong form refused, and the way from a run to its report."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import plain_http
from tests.fix_runs import until
from tests.fix_service import Service
from tests.processes import finish, free_port, shape_names, start_locust

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 30


class WebUi:
    """A Locust with its web UI, started as a user would at the root of the suite."""

    def __init__(self, results: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.results = results
        options = ["--web-port", str(self.port), "--run-dir", str(results / "run"), *arguments]
        self.process: subprocess.Popen[str] = start_locust(options, ROOT)
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            assert self.process.poll() is None, finish(self.process)
            assert time.monotonic() < deadline, "the web UI did not come up"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return plain_http.get(self.url).is_success
        except httpx.TransportError:
            return False

    def post(self, path: str, **form: str) -> dict[str, object]:
        """Post a form as the page does and return the answer."""
        return dict(plain_http.post(f"{self.url}{path}", data=form, timeout=30).json())


@pytest.fixture
def web_ui(service: Service, locustfile: Path, tmp_path: Path) -> Iterator[WebUi]:
    """Run the web UI over the visitor's locustfile and the suite's shapes."""
    running = WebUi(tmp_path, "-f", f"{locustfile},shapes", "-H", service.url)
    yield running
    running.process.terminate()
    finish(running.process)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open an empty page."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_every_journey_and_shape_can_be_picked(tmp_path: Path, page: Page) -> None:
    """`locust` at the root shows all of them, and listens on loopback only."""
    running = WebUi(tmp_path)
    try:
        page.goto(running.url)
        for journey in ("AuthUser", "CareersUser", "OrdersUser"):
            expect(page.get_by_text(journey, exact=True)).to_be_visible()
        shapes = page.get_by_label("Shape Class").locator("option")
        expect(shapes).to_have_text(["Default", *shape_names()])
        sockets = psutil.Process(running.process.pid).net_connections("tcp")
        assert {tuple(one.laddr) for one in sockets if one.status == "LISTEN"} == {
            ("127.0.0.1", running.port)
        }
    finally:
        running.process.terminate()
        finish(running.process)


def test_from_start_to_report(web_ui: WebUi, page: Page) -> None:
    """A run that is started and stopped on the page ends in a verdict, one click away from its report."""
    page.goto(web_ui.url)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#plimsoll")).to_have_text("Recording the run…")
    page.get_by_role("button", name="Stop", exact=True).click()
    strip = page.locator("#plimsoll")
    expect(strip).to_contain_text("Last run: INCONCLUSIVE", timeout=30_000)
    with page.expect_popup() as report:
        strip.get_by_role("link", name="open the report").click()

    expect(report.value.locator("body")).to_contain_text("INCONCLUSIVE")
    assert (web_ui.results / "run" / "verdict.json").exists()


def test_a_second_run_has_a_directory_of_its_own(web_ui: WebUi, page: Page) -> None:
    """Runs of one web UI never write into each other."""
    page.goto(web_ui.url)
    for directory in ("run", "run-2"):
        web_ui.post("/swarm", user_count="1", spawn_rate="1", user_classes="Visitor")
        expect(page.locator("#plimsoll")).to_have_text("Recording the run…")
        web_ui.post("/stop")
        expect(page.locator("#plimsoll")).to_contain_text("Last run:", timeout=30_000)
        expect(page.locator("#plimsoll a")).to_have_attribute("href", f"/plimsoll/runs/{directory}/report")


def test_a_wrong_form_starts_nothing(web_ui: WebUi, service: Service) -> None:
    """A form that cannot be run is answered with its fault, and no user starts."""
    for field, value in (("time_scale", "fast"), ("thresholds", "nowhere.yaml"), ("run_dir", "/proc/x")):
        form = {"user_count": "1", "spawn_rate": "1", "user_classes": "Visitor", field: value}
        answer = web_ui.post("/swarm", **form)

        assert answer["success"] is False
        assert str(answer["message"]).endswith(f"got {value!r}")
    assert service.answered == 0
    assert not (web_ui.results / "run" / "run.json").exists()


def test_a_quick_restart_loses_no_run(web_ui: WebUi) -> None:
    """A run that starts while the one before it is being judged leaves both with a verdict."""
    for _ in range(2):
        web_ui.post("/swarm", user_count="1", spawn_rate="1", user_classes="Visitor")
        until(lambda: plain_http.get(f"{web_ui.url}/plimsoll/status").json()["state"] == "recording")
        web_ui.post("/stop")
    until(lambda: (web_ui.results / "run-2" / "verdict.json").exists())

    assert (web_ui.results / "run" / "verdict.json").exists()
