"""Pages in a real Chromium, driven by a real `locust`, with their vitals in the verdict."""

from __future__ import annotations

import gevent

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from locustfiles.pages import PagesUser, ParentPagesUser
from plimsoll.users.browser_process import BrowserProcess, missing_parts
from tests.fix_liar import Lie, drops_the_connection, said, with_text
from tests.fix_runs import until
from tests.journeys import Hasty, run_hastily
from tests.processes import finish, start_locust

ROOT = Path(__file__).resolve().parents[2]
LIMITS = """thresholds:
  - error_rate of pages.login.weight < 1%
  - max of pages.login.lcp < 2.5 s
  - max of pages.dashboard.lcp < 2.5 s
  - max of pages.careers.lcp < 2.5 s
  - max of pages.career_selected < 20 s
  - error_rate of pages.dashboard.weight < 50%
"""
BUSY_FOR_2_S = "for (const since = performance.now(); performance.now() - since < 2000;);"
NOT_SHOWN = "the page was not there, or did not show what it should, in time"
# host: (journey, lie, the failure it must be counted as)
LIES: dict[str, tuple[type[PagesUser | ParentPagesUser], Lie, str]] = {
    "closed": (PagesUser, Lie("GET /login", said(503)), "pages.login: got status 503"),
    "silent": (
        PagesUser,
        Lie("GET /login", drops_the_connection),
        "pages.login: the browser could not load the page: ERR_EMPTY_RESPONSE",
    ),
    "elsewhere": (
        PagesUser,
        Lie("GET /dashboard", with_text('data-page="dashboard"', 'data-page="news"')),
        f"pages.dashboard: {NOT_SHOWN}",
    ),
    "heavy": (
        PagesUser,
        Lie("GET /careers", with_text("<main>", f"<main><!-- {'x' * 1_000_000} -->")),
        "pages.careers.weight: over budget: total",
    ),
    "forgetful": (
        PagesUser,
        Lie(r"POST /sessions/\d+/answers", said(500)),
        f"pages.session: {NOT_SHOWN}",
    ),
    "childless": (
        ParentPagesUser,
        Lie("GET /parents", with_text("data-child", "data-pet")),
        f"pages.parents: {NOT_SHOWN}",
    ),
    "discreet": (
        ParentPagesUser,
        Lie(r"GET /parents/reports/\d+", said(403)),
        "pages.report: got status 403",
    ),
}
LEFT_PAGES = ("pages.dashboard", "pages.careers", "pages.session", "pages.parents", "pages.report")
SIGN_INS = 5
"""So many that a share that is always 1 is surely over 1 %."""
VITALS = ("ttfb", "fcp", "lcp", "tti", "weight")


@pytest.fixture
def chromium() -> None:
    """Have what browser journeys need; without it the test is skipped, in CI it fails."""
    if faults := missing_parts():
        if os.environ.get("CI"):
            pytest.fail("; ".join(faults))
        pytest.skip("; ".join(faults))


@pytest.mark.usefixtures("chromium")
def test_a_page_over_its_budget_fails_the_run(target_url: str, tmp_path: Path) -> None:
    """All pages have vitals in the verdict; the heavy one fails by its weight and its late picture."""
    directory, limits = tmp_path / "run", tmp_path / "limits.yaml"
    limits.write_text(LIMITS, encoding="utf-8")
    arguments = ["-f", "tests/acceptance/heavy_pages.py", "--headless", "-u", "4", "-r", "4", "-t", "120s"]
    arguments += ["-H", target_url, "--run-dir", str(directory), "--thresholds", str(limits)]

    locust = start_locust(arguments, ROOT)
    until(lambda: has_been_everywhere(directory), limit_s=120)
    locust.terminate()
    output = finish(locust)

    verdict = json.loads((directory / "verdict.json").read_text(encoding="utf-8"))
    judged = {threshold["source"]: threshold["verdict"] for threshold in verdict["thresholds"]}
    requests = {request["name"]: request for request in verdict["requests"]}
    assert locust.returncode == 99, output
    assert judged["error_rate of pages.login.weight < 1%"] == "FAIL", output
    assert judged["max of pages.login.lcp < 2.5 s"] != "PASS", output  # where the machine is busy, undecided
    assert judged["max of pages.dashboard.lcp < 2.5 s"] != "FAIL", output
    for page in ("pages.login", *LEFT_PAGES):
        assert all(requests[f"{page}.{vital}"]["n"] > 0 for vital in VITALS), output
    assert requests["pages.login.inp"]["p50"] >= 8  # real keys were pressed: the API counts in steps of 8 ms
    assert requests["pages.login.lcp"]["p50"] > 2_500 > requests["pages.dashboard.lcp"]["p50"]
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
def test_every_lie_is_counted(start_liar: Callable[[dict[str, Lie]], str], tmp_path: Path) -> None:
    """A page that is not what it should be is a failure under its name, the only one, and crashes no user."""
    port = start_liar({name: lie for name, (_, lie, _) in LIES.items()}).rpartition(":")[2]
    users = [Hasty(journey, f"http://{name}.localhost:{port}") for name, (journey, _, _) in LIES.items()]

    failures = {failure for _, _, failure in LIES.values()}

    result = run_hastily(users, tmp_path, "120s", len(users), enough=failures)

    assert set(result["failures"]) == failures
    assert result["exceptions"] == []


@pytest.mark.usefixtures("chromium")
def test_all_processes_of_the_browser_count(start_liar: Callable[[dict[str, Lie]], str]) -> None:
    """What a page computes, in a process of its own, is soon in the CPU time that is told of the browser."""
    busy = Lie("GET /login", with_text("<main>", f"<script>{BUSY_FOR_2_S}</script><main>"))
    port, browser = start_liar({"busy": busy}).rpartition(":")[2], BrowserProcess()
    tab = browser.open_tab(f"http://busy.localhost:{port}", timeout_s=30.0)
    started_s = browser.cpu_s
    tab.do("goto", "/login", "[data-page=login]")
    with gevent.Timeout(10, exception=False):  # the machine may have had other things to do
        while browser.cpu_s - started_s < 1:
            gevent.sleep(0.1)
    used_s = browser.cpu_s - started_s
    browser.stop()

    assert used_s >= 1


def test_without_a_browser_no_load_is_made(target_url: str, tmp_path: Path) -> None:
    """Where there is no Chromium, the run is refused with status 2 and says what is missing."""
    arguments = ["-f", "locustfiles/pages.py", "--headless", "-t", "5s", "-H", target_url]
    locust = start_locust(arguments, ROOT, {"PATH": str(tmp_path), "PLIMSOLL_RUN_DIR": str(tmp_path / "run")})

    output = finish(locust)

    assert locust.returncode == 2, output
    assert "plimsoll: browser journeys need Chromium: none of chromium, " in output
    assert "Traceback" not in output
    assert not (tmp_path / "run" / "run.json").exists()
