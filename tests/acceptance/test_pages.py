"""Pages in a real Chromium, driven by a real `locust`, with their vitals in the verdict."""

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.exception import RescheduleTask

import csv
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from locustfiles import pages
from locustfiles.pages import PagesUser, ParentPagesUser
from plimsoll.users.browser_process import BrowserProcess
from tests.fix_browser import Tampering, drops_the_connection, said, with_text
from tests.fix_runs import until
from tests.processes import finish, start_locust

ROOT = Path(__file__).resolve().parents[2]
LIMITS = """thresholds:
  - error_rate of pages.login.weight < 1%
  - max of pages.login.lcp < 2.5 s
  - error_rate of pages.dashboard.weight < 50%
"""
# The journeys with a login page that breaks its budgets.
HEAVY_PAGES = """
from locustfiles import pages
pages.LOGIN_PATH = "/login?heavy=1"
pages.THINK_TIME_S = (0.1, 0.2)
PagesUser, ParentPagesUser = pages.PagesUser, pages.ParentPagesUser
"""
BUSY_FOR_2_S = "for (const since = performance.now(); performance.now() - since < 2000;);"
NOT_SHOWN_AFTER_S, SLOWEST_S = 8.0, 120.0
NOT_SHOWN = "the page was not there, or did not show what it should, in time"
# host: (journey, tampering, the failure it must be counted as)
TAMPERINGS: dict[str, tuple[type[PagesUser | ParentPagesUser], Tampering, str]] = {
    "closed": (PagesUser, Tampering("GET /login", said(503)), "pages.login: got status 503"),
    "silent": (
        PagesUser,
        Tampering("GET /login", drops_the_connection),
        "pages.login: the browser could not load the page: ERR_EMPTY_RESPONSE",
    ),
    "elsewhere": (
        PagesUser,
        Tampering("GET /dashboard", with_text('data-page="dashboard"', 'data-page="news"')),
        f"pages.dashboard: {NOT_SHOWN}",
    ),
    "heavy": (
        PagesUser,
        Tampering("GET /careers", with_text("<main>", f"<main><!-- {'x' * 1_000_000} -->")),
        "pages.careers.weight: over budget: total",
    ),
    "forgetful": (
        PagesUser,
        Tampering(r"POST /sessions/\d+/answers", said(500)),
        f"pages.session: {NOT_SHOWN}",
    ),
    "childless": (
        ParentPagesUser,
        Tampering("GET /parents", with_text("data-child", "data-pet")),
        f"pages.parents: {NOT_SHOWN}",
    ),
    "discreet": (
        ParentPagesUser,
        Tampering(r"GET /parents/reports/\d+", said(403)),
        "pages.report: got status 403",
    ),
}
LEFT_PAGES = ("pages.dashboard", "pages.careers", "pages.session", "pages.parents", "pages.report")
SIGN_INS = 5
"""So many that a share that is always 1 is surely over 1 %."""
VITALS = ("ttfb", "fcp", "lcp", "tti", "weight")


@pytest.mark.usefixtures("chromium")
def test_a_page_over_its_budget_fails_the_run(service_url: str, tmp_path: Path) -> None:
    """All pages have vitals in the verdict; the heavy one fails by its weight and its late picture."""
    directory, limits = tmp_path / "run", tmp_path / "limits.yaml"
    limits.write_text(LIMITS, encoding="utf-8")
    locustfile = tmp_path / "heavy.py"
    locustfile.write_text(HEAVY_PAGES, encoding="utf-8")
    arguments = ["-f", str(locustfile), "--headless", "-u", "4", "-r", "4", "-t", "240s"]
    arguments += ["-H", service_url, "--run-dir", str(directory), "--thresholds", str(limits)]

    locust = start_locust(arguments, ROOT)
    until(lambda: has_been_everywhere(directory), limit_s=240)
    locust.terminate()
    output = finish(locust)

    verdict = json.loads((directory / "verdict.json").read_text(encoding="utf-8"))
    judged = {threshold["source"]: threshold["verdict"] for threshold in verdict["thresholds"]}
    requests = {request["name"]: request for request in verdict["requests"]}
    assert locust.returncode == 99, output
    assert judged["error_rate of pages.login.weight < 1%"] == "FAIL", output
    assert judged["max of pages.login.lcp < 2.5 s"] != "PASS", output  # where the machine is busy, undecided
    for page in ("pages.login", *LEFT_PAGES):
        assert all(requests[f"{page}.{vital}"]["n"] > 0 for vital in VITALS), output
    assert requests["pages.login.inp"]["p50"] >= 8  # real keys were pressed: the API counts in steps of 8 ms
    assert requests["pages.login.lcp"]["p50"] > 2_500  # the picture comes so late, on any machine
    assert requests["pages.login.weight"]["failures"] == requests["pages.login.weight"]["n"]
    for page in LEFT_PAGES:
        assert requests[f"{page}.weight"]["failures"] == 0
    assert requests["pages.career_selected"]["n"] > 0
    assert "over budget: font, image, script, style, total" in (directory / "locust_failures.csv").read_text()


def has_been_everywhere(directory: Path) -> bool:
    """Return whether each page, its vitals and the choice of a career have been counted, sign-in often."""
    path = directory / "locust_stats.csv"
    if not path.exists():
        return False
    with path.open(newline="", encoding="utf-8") as file:
        counts = {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(file)}
    wanted = {f"{page}.{vital}" for page in ("pages.login", *LEFT_PAGES) for vital in VITALS}
    wanted |= {"pages.login.inp", "pages.career_selected"}
    return wanted <= counts.keys() and counts["pages.login.weight"] >= SIGN_INS


@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize("host", TAMPERINGS)
def test_every_wrong_page_is_counted(
    start_proxy: Callable[[dict[str, Tampering]], str], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A page that is not what it should be is a failure under its name, the only one, and crashes no user."""
    monkeypatch.setattr(pages, "THINK_TIME_S", (0.01, 0.02))
    journey, tampering, failure = TAMPERINGS[host]
    port = start_proxy({host: tampering}).rpartition(":")[2]
    failures: list[str] = []
    environment = Environment()
    environment.events.request.add_listener(  # type: ignore[no-untyped-call] # Locust's events carry no types
        lambda name, exception, **_: failures.extend([f"{name}: {exception}"] if exception else [])
    )
    timeout_s = NOT_SHOWN_AFTER_S if failure.endswith(NOT_SHOWN) else SLOWEST_S
    attributes = {"host": f"http://{host}.localhost:{port}", "page_timeout": timeout_s}
    user: Any = type("Visitor", (journey,), attributes)(environment)
    (task,) = user.tasks
    with suppress(RescheduleTask):
        task(user)
    user.on_stop()

    assert failures == [failure]


@pytest.mark.usefixtures("chromium")
def test_all_processes_of_the_browser_count(start_proxy: Callable[[dict[str, Tampering]], str]) -> None:
    """What a page computes, in a process of its own, is soon in the CPU time that is told of the browser."""
    busy = Tampering("GET /login", with_text("<main>", f"<script>{BUSY_FOR_2_S}</script><main>"))
    port, browser = start_proxy({"busy": busy}).rpartition(":")[2], BrowserProcess()
    tab = browser.open_tab(f"http://busy.localhost:{port}", timeout_s=SLOWEST_S)
    started_s = browser.cpu_s
    tab.do("goto", "/login", "[data-page=login]")
    with gevent.Timeout(SLOWEST_S, exception=False):  # the machine may have had other things to do
        while browser.cpu_s - started_s < 1:
            gevent.sleep(0.1)
    used_s = browser.cpu_s - started_s
    browser.stop()

    assert used_s >= 1
