"""Pages for browsers: login, dashboard, careers, learning sessions and the view of parents."""

from fastapi import APIRouter, Request, Response

from service.errors import ForbiddenError, UnauthorizedError
from service.pages import (
    PageAccount,
    PageRoute,
    close_session,
    form_id,
    go_to,
    open_session,
    parse,
    read_form,
    show,
)
from service.reports import period_until_today
from service.routing import Id, json_answer, services

router = APIRouter(route_class=PageRoute, include_in_schema=False)

HOMES = {"student": "/dashboard", "parent": "/parents"}


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
        login = await services(request).accounts.log_in(email, form.get("password", ""))
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
    careers = services(request).careers
    dashboard = parse(await careers.get_dashboard(account))
    flow = parse(await careers.get_flow_state(account, dashboard["studentId"]))
    return show(request, "dashboard.html", account, dashboard=dashboard, flow=flow)


@router.get("/careers")
async def show_pool(request: Request, account: PageAccount) -> Response:
    """Show four careers to choose from."""
    careers = services(request).careers
    student_id = await careers.find_student(account, None)
    pool = parse(await careers.draw_pool(account, student_id))
    return show(request, "careers.html", account, careers=pool["careers"])


@router.post("/careers/select")
async def select(request: Request, account: PageAccount) -> Response:
    """Choose a career and lead to the session it opens."""
    careers = services(request).careers
    career_id = form_id(await read_form(request), "careerId")
    student_id = await careers.find_student(account, None)
    selection = parse(await careers.select(account, student_id, career_id))
    return go_to(f"/sessions/{selection['sessionId']}")


@router.get("/sessions/{session_id}")
async def show_session(request: Request, account: PageAccount, session_id: Id) -> Response:
    """Show what a session teaches and asks."""
    content = parse(await services(request).careers.get_content(account, session_id))
    return show(request, "session.html", account, content=content)


@router.post("/sessions/{session_id}/answers")
async def answer(request: Request, account: PageAccount, session_id: Id) -> Response:
    """Store an answer: the page's script gets JSON, a browser without one gets the page again."""
    form = await read_form(request)
    question_id = form_id(form, "questionId")
    stored = await services(request).careers.answer(
        account, session_id, question_id, form.get("answer", "")[:1000]
    )
    if request.headers.get("accept") == "application/json":
        return json_answer(stored)
    return go_to(f"/sessions/{session_id}#question-{question_id}")


@router.get("/parents")
async def show_children(request: Request, account: PageAccount) -> Response:
    """Show a parent's children."""
    dashboard = parse(await services(request).parents.get_dashboard(account))
    return show(request, "parents.html", account, dashboard=dashboard, report=None)


@router.get("/parents/reports/{student_id}")
async def show_report(request: Request, account: PageAccount, student_id: Id) -> Response:
    """Show a parent's children, and a report on one of them over the last year."""
    parents = services(request).parents
    report = parse(await parents.generate_report(account, student_id, period_until_today(None, None)))
    dashboard = parse(await parents.get_dashboard(account))
    return show(request, "parents.html", account, dashboard=dashboard, report=report)
