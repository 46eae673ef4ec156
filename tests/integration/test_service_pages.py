"""The pages of the bundled service: what a browser gets, without one and in a real one."""

import re
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests import plain_http
from tests.fix_bundled_service import PASSWORD, Visitor

BUDGETS = {"script": 200_000, "style": 50_000, "image": 500_000, "font": 100_000}
TOTAL_BUDGET = 1_000_000
KINDS = {"text/javascript": "script", "text/css": "style", "image/svg+xml": "image", "font/woff2": "font"}
LIMIT_MS = 60_000
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) window.shifted += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def pages(service_url: str) -> Iterator[httpx.Client]:
    """Visit the pages as somebody who is not logged in, and follows where he is sent."""
    with plain_http.Client(base_url=service_url, follow_redirects=True) as client:
        yield client


@pytest.fixture
def page(browser: Browser, service_url: str) -> Iterator[Page]:
    """Open a tab that starts at the service."""
    context = browser.new_context(base_url=service_url)
    context.set_default_timeout(LIMIT_MS)
    context.add_init_script(SHIFTS)
    yield context.new_page()
    context.close()


def log_in(pages: httpx.Client, email: str) -> httpx.Response:
    """Send the login form."""
    return pages.post("/login", data={"email": email, "password": PASSWORD})


def weights(pages: httpx.Client, path: str) -> Counter[str]:
    """Load a page with all it refers to; return the bytes by kind."""
    page = pages.get(path)
    found = Counter(page=len(page.content))
    links = re.findall(r'(?:src|href)="(/(?:static|heavy)/[^"]+)"', page.text)
    while links:
        answer = pages.get(links.pop())
        kind = KINDS[answer.headers["Content-Type"].partition(";")[0]]
        found[kind] += len(answer.content)
        links += re.findall(r'url\("([^"]+)"\)', answer.text) if kind == "style" else []
    return found


@pytest.mark.parametrize(
    "path", ["/", "/dashboard", "/careers", "/sessions/1", "/parents", "/parents/reports/1"]
)
def test_without_a_session_every_page_leads_to_the_login(pages: httpx.Client, path: str) -> None:
    """Nobody known, and somebody with a made-up cookie, gets the login form."""
    for cookie in ({}, {"session": "not.a.token"}):
        pages.cookies = httpx.Cookies(cookie)
        answer = pages.get(path)

        assert (answer.status_code, answer.url.path) == (200, "/login")
        assert 'data-page="login"' in answer.text


def test_login_opens_a_session_that_scripts_cannot_read(pages: httpx.Client, student: Visitor) -> None:
    """The cookie is for HTTP only and not sent by other sites' forms; logging out ends it."""
    answer = log_in(pages, student.email)
    cookie = answer.history[0].headers["Set-Cookie"]
    pages.post("/logout")

    assert answer.url.path == "/dashboard"
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert pages.get("/dashboard").url.path == "/login"


def test_wrong_login_shows_the_form_again(pages: httpx.Client) -> None:
    """A wrong password is 401, told, and what was typed as the address stays, escaped."""
    answer = pages.post("/login", data={"email": '"><script>alert(1)</script>', "password": "wrong"})

    assert answer.status_code == 401
    assert "email or password is wrong" in answer.text
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_forms_work_without_scripts(pages: httpx.Client, student: Visitor) -> None:
    """Choosing leads to a session of that career, an answer back to it, and both are stored."""
    log_in(pages, student.email)
    career_id = re.findall(r'name="careerId" value="(\d+)"', pages.get("/careers").text)[0]
    session = pages.post("/careers/select", data={"careerId": career_id})
    question_id = re.findall(r'name="questionId" value="(\d+)"', session.text)[0]
    answered = pages.post(f"{session.url.path}/answers", data={"questionId": question_id, "answer": "north"})

    recent = student.client.get("/api/v1/students/dashboard").json()["recentSessions"]
    assert session.url.path == answered.url.path == f"/sessions/{recent[0]['sessionId']}"
    assert recent[0]["careerId"] == int(career_id)
    assert student.client.get(f"/api/v1/students/{student.student_id}/flow-state").json()["answers"] == 1
    assert pages.post("/careers/select", data={"careerId": career_id}).status_code == 409


@pytest.mark.parametrize(
    "body", [b"careerId=x", b"careerId=", b"", b"careerId=" + b"9" * 30, b"\xff=1", b"&a=1" * 30]
)
def test_what_is_no_form_is_422(pages: httpx.Client, student: Visitor, body: bytes) -> None:
    """A form without an id, or no form at all, is told on a page."""
    log_in(pages, student.email)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = pages.post("/careers/select", content=body, headers=headers)

    assert answer.status_code == 422
    assert 'data-page="error"' in answer.text


def test_names_are_escaped(pages: httpx.Client, student: Visitor) -> None:
    """What a student calls himself is text on every page."""
    student.client.put("/api/users/profile", json={"name": "<img src=x onerror=alert(1)>"})
    log_in(pages, student.email)

    assert "&lt;img src=x onerror=alert(1)&gt;" in pages.get("/dashboard").text


def test_parents_see_children_and_a_report(pages: httpx.Client) -> None:
    """A parent's page has both children, and the report's months; another's child is 403, on a page."""
    children = log_in(pages, "parent-000001@plimsoll.test").text
    report = pages.get("/parents/reports/2").text
    refused = pages.get("/parents/reports/3")

    assert len(re.findall("data-child=", children)) == 2
    assert "4 careers chosen" in report
    assert (refused.status_code, 'data-page="error"' in refused.text) == (403, True)


def test_roles_have_their_own_pages(pages: httpx.Client) -> None:
    """An admin has no pages here, and a parent has no careers to choose: both are told so."""
    admin = log_in(pages, "admin-000001@plimsoll.test")
    log_in(pages, "parent-000001@plimsoll.test")
    parent = pages.get("/careers")

    assert (admin.status_code, parent.status_code) == (403, 403)
    assert "there are no pages for the role admin" in admin.text


def test_pages_keep_their_budgets(pages: httpx.Client, student: Visitor) -> None:
    """Every page of a student stays far within the budgets, and asks no other host for anything."""
    log_in(pages, student.email)
    career_id = re.findall(r'name="careerId" value="(\d+)"', pages.get("/careers").text)[0]
    session = pages.post("/careers/select", data={"careerId": career_id})
    for path in ("/dashboard", "/careers", session.url.path):
        found = weights(pages, path)
        answer = pages.get(path)

        assert all(found[kind] < budget / 10 for kind, budget in BUDGETS.items())
        assert found.total() < TOTAL_BUDGET / 10
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")


def test_heavy_pages_break_every_budget(pages: httpx.Client) -> None:
    """With ?heavy=1 scripts, styles, images, fonts and the whole are over what a page may weigh."""
    found = weights(pages, "/login?heavy=1")

    assert all(found[kind] > budget for kind, budget in BUDGETS.items())
    assert found.total() > TOTAL_BUDGET


def test_a_browser_logs_in_chooses_and_answers(page: Page, student: Visitor, service_url: str) -> None:
    """In a real browser a student gets from the login to three answers without a fault or a shift."""
    requested: list[str] = []
    faults: list[str] = []

    def note_request(request: Request) -> None:
        requested.append(request.url)

    def note_message(message: ConsoleMessage) -> None:
        faults.append(message.text)

    page.on("request", note_request)
    page.on("console", note_message)
    page.goto("/login")
    page.fill("#email", student.email)
    page.fill("#password", PASSWORD)
    page.click("#login")
    page.click("#choose")
    page.click("[data-career='0']")
    for number in range(3):
        question = page.locator(f"[data-question='{number}']")
        question.locator("button").first.click()
        question.and_(page.locator("[data-result]")).wait_for()

    assert page.inner_text("#answered") == "3"
    assert student.client.get(f"/api/v1/students/{student.student_id}/flow-state").json()["answers"] == 3
    assert all(url.startswith(service_url) for url in requested)
    assert faults == []
    assert page.evaluate("window.shifted") < 0.1


def test_a_browser_feels_a_heavy_page(page: Page) -> None:
    """In a real browser a heavy page shifts by more than 0.1, and its picture comes after 2.5 s."""
    page.goto("/login?heavy=1")

    assert page.evaluate("performance.now()") > 2_500  # the load event waits for the picture
    assert page.evaluate("window.shifted") > 0.1
