"""What the pages for browsers share: templates, sessions by cookie, forms, errors as pages."""

import json
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.templating import Jinja2Templates

from service.errors import ApiError, InvalidInputError, UnauthorizedError
from service.routing import services
from service.tokens import TOKEN_LIFETIME_S, Account

FOLDER = Path(__file__).parent
COOKIE = "session"
MAX_DIGITS = 18
# Everything comes from here: a page that would ask another host for something is stopped by the browser.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
templates = Jinja2Templates(FOLDER / "templates")


def page_account(request: Request) -> Account:
    """Read the account out of the session's cookie.

    Raises:
        UnauthorizedError: there is none, or not a valid one.
    """
    return services(request).tokens.verify(request.cookies.get(COOKIE, ""))


PageAccount = Annotated[Account, Depends(page_account)]


def show(
    request: Request, template: str, account: Account | None, status: int = 200, **values: object
) -> Response:
    """Render a page; `?heavy=1` makes it break the budgets that a page has."""
    heavy = request.query_params.get("heavy") == "1"
    context = {"account": account, "heavy": heavy, **values}
    return templates.TemplateResponse(request, template, context, status, HEADERS)


def go_to(path: str) -> RedirectResponse:
    """Send the browser on to a page of ours, by GET."""
    return RedirectResponse(path, 303)


def open_session(response: Response, token: str) -> Response:
    """Have the browser keep the token, out of reach of scripts and of other sites' forms."""
    response.set_cookie(COOKIE, token, max_age=TOKEN_LIFETIME_S, httponly=True, samesite="lax")
    return response


def close_session(response: Response) -> Response:
    """Have the browser forget the token."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of an ordinary form.

    Raises:
        InvalidInputError: the body is no such form.
    """
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise InvalidInputError("this is no form") from error


def form_id(form: Mapping[str, str], name: str) -> int:
    """Return the id in a field of a form.

    Raises:
        InvalidInputError: there is none.
    """
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise InvalidInputError(
            f"{name} must be a whole number of at most {MAX_DIGITS} digits, got {text[:40]!r}"
        )
    return int(text)


def parse(body: bytes) -> Any:
    """Read the JSON of a service, of which a page shows parts."""
    return json.loads(body)


class PageRoute(APIRoute):
    """A route whose errors are pages; without a session it leads to the login."""

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
