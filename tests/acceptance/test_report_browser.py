"""The report as a reader meets it: a file opened from disk in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

from reports.render.html import write_report
from tests.make_verdicts import demo_run, full_verdict, request

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror="alert(1)">', "{{7*7}}", "'; alert(1); '")
LIMIT_MS = 60_000


class Visit:
    """Open a report and note everything it does besides being read."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.path = path
        self.requests: list[str] = []
        self.troubles: list[str] = []
        page.set_default_timeout(LIMIT_MS)
        page.on("request", self._requested)
        page.on("console", self._said)
        page.on("dialog", self._asked)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.goto(path.as_uri())

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        self.troubles.append(message.text)

    def _asked(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report full of hostile names; return its path."""
    verdict = full_verdict()
    verdict["requests"] += [request(name=name, n=10 + i, p95=1000.0 + i) for i, name in enumerate(HOSTILE)]
    verdict["errors"] += [
        {"type": "GET", "name": name, "error": name, "occurrences": 1, "first_seen": None, "last_seen": None}
        for name in HOSTILE
    ]
    verdict["reasons"] += [{"kind": "check", "subject": text, "text": text} for text in HOSTILE]
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(demo_run(), verdict, path)
    return path


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Visit]:
    """Give the report as opened in a fresh browser window."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    yield Visit(context.new_page(), report)
    context.close()


def names(page: Page) -> list[str]:
    """Return the names of the request table in their order."""
    return page.locator("table.sortable tbody th").all_inner_texts()


def test_no_request_leaves_the_page(visit: Visit) -> None:
    """Reading, pointing and sorting load nothing but the file itself, and the console stays silent."""
    visit.page.locator("svg.plot").first.hover()
    visit.page.get_by_role("button", name="p95").click()
    visit.page.wait_for_load_state("networkidle")

    assert [url for url in visit.requests if not url.startswith("data:")] == [visit.path.as_uri()]
    assert visit.troubles == []


def test_hostile_names_stay_text(visit: Visit) -> None:
    """Names are shown as written; none becomes an element, a dialog or a computed template."""
    text = visit.page.locator("main").inner_text()

    assert all(name in text for name in HOSTILE)
    assert visit.page.locator("img").count() == 0
    assert visit.page.locator("script").count() == 1
    assert visit.page.locator("[onerror]").count() == 0
    assert visit.troubles == []


def test_the_policy_stops_foreign_content(visit: Visit) -> None:
    """Even an image that slipped in could not be loaded from elsewhere."""
    stopped = visit.page.evaluate(
        """() => new Promise((resolve) => {
            const stopped = (event) => resolve(event.effectiveDirective);
            document.addEventListener("securitypolicyviolation", stopped);
            const image = document.createElement("img");
            image.src = "http://127.0.0.1:9/spy.png";
            document.body.append(image);
        })"""
    )

    assert stopped == "img-src"


def test_requests_are_sorted_by_a_click(visit: Visit) -> None:
    """Numbers start with the largest, a second click turns the order round; the heading says which it is."""
    worst_first = names(visit.page)
    visit.page.get_by_role("button", name="p95").click()
    by_p95 = names(visit.page)
    visit.page.get_by_role("button", name="p95").click()

    assert worst_first[0].startswith("orders.create")
    assert by_p95[0].startswith(HOSTILE[-1])
    assert by_p95[-1].startswith("shop.products")
    assert names(visit.page) == by_p95[::-1]
    assert visit.page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"


def test_names_are_sorted_as_text(visit: Visit) -> None:
    """A column of names starts with A."""
    visit.page.get_by_role("button", name="request", exact=True).click()
    found = [name for name in names(visit.page) if name[0].isalpha()]

    assert found == sorted(found)
    assert len(found) == 4


def test_pointing_at_one_chart_reads_all_of_them(visit: Visit) -> None:
    """In the middle of 40 s every chart tells its values at 0:20 and marks the place."""
    visit.page.locator("svg.plot").nth(1).hover()
    readouts = visit.page.locator(".readout").all_inner_texts()

    assert len(readouts) == 3
    assert all(text.startswith("0:20") for text in readouts)
    assert "planned 100" in readouts[0]
    assert visit.page.locator(".cross.shown").count() == 3

    visit.page.mouse.move(1, 1)

    assert visit.page.locator(".cross.shown").count() == 0


def test_charts_have_accessible_names(visit: Visit) -> None:
    """A screen reader hears the question each chart answers."""
    for question in ("Did the test apply the load I planned?", "When did it get slow?"):
        assert visit.page.get_by_role("img", name=question).count() == 1
    assert visit.page.locator("svg:not([aria-hidden]):not([role=img]):not(svg svg)").count() == 0


@pytest.mark.parametrize("width_px", [360, 768, 1600])
def test_the_page_fits_any_width(visit: Visit, width_px: int) -> None:
    """Wide tables scroll in their own box; the page itself never does sideways."""
    visit.page.set_viewport_size({"width": width_px, "height": 800})

    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width_px


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_in_both_schemes(browser: Browser, report: Path, scheme: str) -> None:
    """Verdict, answer, quiet texts and badges reach 4.5 : 1 (WCAG AA) on what lies behind them."""
    dark = scheme == "dark"
    context = browser.new_context(color_scheme="dark" if dark else "light")
    visit = Visit(context.new_page(), report)
    ratios = visit.page.evaluate(
        CONTRASTS, ["h1", ".answer", ".quiet", ".badge", ".why", ".reasons li", ".bad"]
    )
    context.close()

    assert min(ratios) >= 4.5


CONTRASTS = """(selectors) => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => {
        const [r, g, b] = channels(colour).slice(0, 3).map((c) => {
            const s = c / 255;
            return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (channels(colour)[3] !== 0) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    return selectors.flatMap((selector) => [...document.querySelectorAll(selector)].map((element) => {
        const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }));
}"""


def test_everything_is_there_without_scripts(browser: Browser, report: Path) -> None:
    """Verdict, charts, tables and their details need no script."""
    context = browser.new_context(java_script_enabled=False)
    visit = Visit(context.new_page(), report)
    page = visit.page

    assert page.locator("h1").inner_text().endswith("FAIL")
    assert page.locator("svg.plot path.line").count() == 7
    assert page.get_by_role("img", name="When did it get slow?").is_visible()
    assert len(names(page)) == 8

    page.locator("section.chart summary").first.click()

    assert page.locator("table.data").first.is_visible()
    assert visit.troubles == []
    context.close()


def test_paper_is_white(browser: Browser, report: Path) -> None:
    """Printed by a reader who prefers the dark, the report is dark on white, with its charts."""
    context = browser.new_context(color_scheme="dark")
    page = Visit(context.new_page(), report).page
    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("svg.plot").first.is_visible()
    context.close()
