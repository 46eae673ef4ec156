"""Pages for browsers: login by cookie, dashboard, careers, learning sessions, the view of parents.

With `?heavy=1` a page also loads files that break every budget a page has: too large, late, and blocking.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.templating import Jinja2Templates

from service.accounts import Accounts
from service.authentication import TOKEN_LIFETIME_S, Account, Tokens
from service.careers import Careers
from service.errors import ApiError, ForbiddenError, InvalidInputError, UnauthorizedError
from service.parents import Parents
from service.reports import period_until_today
from service.routing import Id, json_answer, resolve

FOLDER = Path(__file__).parent
COOKIE = "session"
MAX_DIGITS = 18
# All content comes from this host: the browser blocks whatever a page requests from another.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
HOMES = {"student": "/dashboard", "parent": "/parents"}
# Budgets of a page are 200 KB of script, 50 KB of style, 500 KB of images, 100 KB of fonts, 1 MB in all, and
# LCP < 2.5 s, CLS < 0.1. The heavy script also blocks the page for 0.4 s, and then shifts its layout.
HEAVY_FOLDER = FOLDER / "static" / "heavy"
SCRIPT_BYTES, STYLE_BYTES, PICTURE_BYTES, FONT_BYTES = 300_000, 80_000, 700_000, 150_000
PICTURE_DELAY_S = 3.0
templates = Jinja2Templates(FOLDER / "templates")


def page_account(request: Request) -> Account:
    """Read the account out of the session's cookie.

    Raises:
        UnauthorizedError: there is no token, or it is not valid.
    """
    return resolve(request, Tokens).verify(request.cookies.get(COOKIE, ""))


PageAccount = Annotated[Account, Depends(page_account)]


def show(
    request: Request, template: str, account: Account | None, status: int = 200, **values: object
) -> Response:
    """Render a page; `?heavy=1` makes it break the budgets that a page has."""
    heavy = request.query_params.get("heavy") == "1"
    context = {"account": account, "heavy": heavy, **values}
    return templates.TemplateResponse(request, template, context, status, HEADERS)


def go_to(path: str) -> RedirectResponse:
    """Redirect the browser to a page of ours, by GET."""
    return RedirectResponse(path, 303)


def open_session(response: Response, token: str) -> Response:
    """Store the token in a cookie that neither scripts nor the forms of other sites can use."""
    response.set_cookie(COOKIE, token, max_age=TOKEN_LIFETIME_S, httponly=True, samesite="lax")
    return response


def close_session(response: Response) -> Response:
    """Delete the cookie of the token."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of an ordinary form.

    Raises:
        InvalidInputError: the body is not such a form.
    """
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise InvalidInputError("this is no form") from error


def form_id(form: Mapping[str, str], name: str) -> int:
    """Return the id in a field of a form.

    Raises:
        InvalidInputError: it is not a number of at most MAX_DIGITS digits.
    """
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise InvalidInputError(
            f"{name} must be a whole number of at most {MAX_DIGITS} digits, got {text[:40]!r}"
        )
    return int(text)


class PageRoute(APIRoute):
    """A route whose errors are pages; without a session it redirects to the login."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of an ordinary route."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except UnauthorizedError:
                return go_to("/login")
            except ApiError as error:
                return show(request, "error.html", None, error.status, message=error.message)

        return answer


router = APIRouter(route_class=PageRoute, include_in_schema=False)
heavy_files = APIRouter(prefix="/heavy", include_in_schema=False)


@router.get("/")
async def go_home(account: PageAccount) -> Response:
    """Redirect to the first page of the role that is signed in."""
    if account.role not in HOMES:
        raise ForbiddenError(f"there are no pages for the role {account.role}")
    return go_to(HOMES[account.role])


@router.get("/login")
async def show_login(request: Request) -> Response:
    """Show the form that asks for address and password."""
    return show(request, "login.html", None, email="", fault="")


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Open a session and lead to the first page; 401 and the form again when something is wrong."""
    form = await read_form(request)
    email = form.get("email", "")
    try:
        login = await resolve(request, Accounts).log_in(email, form.get("password", ""))
    except UnauthorizedError as error:
        return show(request, "login.html", None, error.status, email=email, fault=error.message)
    return open_session(go_to("/"), str(login["token"]))


@router.post("/logout")
async def log_out() -> Response:
    """Close the session."""
    return close_session(go_to("/login"))


@router.get("/dashboard")
async def show_dashboard(request: Request, account: PageAccount) -> Response:
    """Show a student's recent sessions, answers and flow."""
    careers = resolve(request, Careers)
    dashboard = json.loads(await careers.get_dashboard(account))
    flow = json.loads(await careers.get_flow_state(account, dashboard["studentId"]))
    return show(request, "dashboard.html", account, dashboard=dashboard, flow=flow)


@router.get("/careers")
async def show_pool(request: Request, account: PageAccount) -> Response:
    """Show four careers to choose from."""
    careers = resolve(request, Careers)
    student_id = await careers.find_student(account, None)
    pool = json.loads(await careers.draw_pool(account, student_id))
    return show(request, "careers.html", account, careers=pool["careers"])


@router.post("/careers/select")
async def select(request: Request, account: PageAccount) -> Response:
    """Choose a career and lead to the session it opens."""
    careers = resolve(request, Careers)
    career_id = form_id(await read_form(request), "careerId")
    student_id = await careers.find_student(account, None)
    selection = json.loads(await careers.select(account, student_id, career_id))
    return go_to(f"/sessions/{selection['sessionId']}")


@router.get("/sessions/{session_id}")
async def show_session(request: Request, account: PageAccount, session_id: Id) -> Response:
    """Show what a session teaches and asks."""
    content = json.loads(await resolve(request, Careers).get_content(account, session_id))
    return show(request, "session.html", account, content=content)


@router.post("/sessions/{session_id}/answers")
async def answer(request: Request, account: PageAccount, session_id: Id) -> Response:
    """Store an answer: the page's script gets JSON, a browser without one gets the page again."""
    form = await read_form(request)
    question_id = form_id(form, "questionId")
    stored = await resolve(request, Careers).answer(
        account, session_id, question_id, form.get("answer", "")[:1000]
    )
    if request.headers.get("accept") == "application/json":
        return json_answer(stored)
    return go_to(f"/sessions/{session_id}#question-{question_id}")


@router.get("/parents")
async def show_children(request: Request, account: PageAccount) -> Response:
    """Show a parent's children."""
    dashboard = json.loads(await resolve(request, Parents).get_dashboard(account))
    return show(request, "parents.html", account, dashboard=dashboard, report=None)


@router.get("/parents/reports/{student_id}")
async def show_report(request: Request, account: PageAccount, student_id: Id) -> Response:
    """Show a parent's children, and a report on one of them over the last year."""
    parents = resolve(request, Parents)
    report = json.loads(await parents.generate_report(account, student_id, period_until_today(None, None)))
    dashboard = json.loads(await parents.get_dashboard(account))
    return show(request, "parents.html", account, dashboard=dashboard, report=report)


@heavy_files.get("/script.js")
async def get_script() -> Response:
    """Answer a script with 300 KB of comment."""
    return Response(_padded("heavy.js", b"/*%b*/", SCRIPT_BYTES), media_type="text/javascript")


@heavy_files.get("/style.css")
async def get_style() -> Response:
    """Answer a style sheet with 80 KB of comment."""
    return Response(_padded("heavy.css", b"/*%b*/", STYLE_BYTES), media_type="text/css")


@heavy_files.get("/picture.svg")
async def get_picture() -> Response:
    """Answer a picture with 700 KB of comment, late."""
    await asyncio.sleep(PICTURE_DELAY_S)
    return Response(_padded("heavy.svg", b"<!--%b-->", PICTURE_BYTES), media_type="image/svg+xml")


@heavy_files.get("/font.woff2")
async def get_font() -> Response:
    """Answer 150 KB that a browser loads as a font and then rejects."""
    return Response(bytes(FONT_BYTES), media_type="font/woff2")


def _padded(name: str, comment: bytes, total_bytes: int) -> bytes:
    content = (HEAVY_FOLDER / name).read_bytes()
    return content + comment % (b" " * (total_bytes - len(content) - len(comment) + len(b"%b")))
