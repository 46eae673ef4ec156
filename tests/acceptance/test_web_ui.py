"""The web UI in a browser: the way from a run to its report."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import plain_http
from tests.http_service import Shop
from tests.processes import finish, free_port, start_locust

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S, SOON_MS = 120, 120_000


class WebUi:
    """A Locust with its web UI, started as a user would at the root of the suite."""

    def __init__(self, results: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
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


@contextmanager
def web_ui(results: Path, *arguments: str) -> Iterator[WebUi]:
    """Run a web UI."""
    running = WebUi(results, *arguments)
    yield running
    running.process.terminate()
    finish(running.process)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open an empty page."""
    context = browser.new_context()
    context.set_default_timeout(SOON_MS)
    yield context.new_page()
    context.close()


def test_from_start_to_report(tmp_path: Path, page: Page, service: Shop, locustfile: Path) -> None:
    """Each run that is started and stopped on the page ends in a verdict, one click away from its report."""
    with web_ui(tmp_path, "-f", f"{locustfile},shapes", "-H", service.url) as running:
        for directory in ("run", "run-2"):
            page.goto(running.url)
            if directory != "run":
                page.get_by_role("button", name="New", exact=True).click()
            page.get_by_role("button", name="Start", exact=True).click()
            strip = page.locator("#plimsoll")
            expect(strip).to_have_text("Recording the run…", timeout=SOON_MS)
            page.get_by_role("button", name="Stop", exact=True).click()
            expect(strip).to_contain_text("Last run: INCONCLUSIVE", timeout=SOON_MS)
            expect(strip.locator("a")).to_have_attribute("href", f"/plimsoll/runs/{directory}/report")
            with page.expect_popup() as report:
                strip.get_by_role("link", name="open the report").click()
            expect(report.value.locator("body")).to_contain_text("INCONCLUSIVE")
            assert (tmp_path / directory / "verdict.json").exists()
