"""A user agent: it asks, keeps cookies, follows redirects, and says what has become of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clients.wire.cookies import Jar, merge
from clients.wire.decoding import decode_content
from clients.wire.errors import BadStatus, HttpFailure, RedirectFailed, TooManyRedirects
from clients.wire.phases import Phases
from clients.wire.pool import Pool
from clients.wire.redirects import REDIRECT_STATUSES, may_keep_authorization, next_step
from clients.wire.request_body import Body, frame
from clients.wire.request_head import HeaderItems, Headers, Line, encode_head, encode_headers
from clients.wire.response import LeanResponse
from clients.wire.response_head import may_set_cookies
from clients.wire.settings import Shared

_FIRST_ERROR_STATUS = 400
_BODY_HEADERS = ("Content-Type", "Content-Length", "Transfer-Encoding")


# What to ask for: its headers go over the default ones, its cookies over those of the jar. A plain tuple,
# because each request makes one, and a NamedTuple is made by a function in Python.
Request = tuple[Line, HeaderItems, Body | None, Mapping[str, object] | None]


class Agent:
    """Ask servers on behalf of one user."""

    __slots__ = ("_jar", "_max_redirects", "_pool", "_writer", "line", "total_timeout_s")

    def __init__(self, shared: Shared, on_reconnect: Callable[[], None]) -> None:
        self._writer = shared.writer
        self.line = shared.writer.line
        self._max_redirects = shared.max_redirects
        self.total_timeout_s = shared.total_timeout_s
        self._pool = Pool(shared.limits, on_reconnect)
        self._jar: Jar | None = None

    @property
    def cookiejar(self) -> Jar:
        """The cookies, which servers have set and which may be changed."""
        if self._jar is None:
            self._jar = Jar()
        return self._jar

    @property
    def reconnects(self) -> int:
        """How many connections were opened again because the server had closed them while idle."""
        return self._pool.reconnects

    def fetch(
        self, request: Request, deadline_s: float, phases: Phases | None, follows_redirects: bool
    ) -> LeanResponse:
        """Return the answer to a request, or that it failed; *deadline_s* is one of time.perf_counter."""
        try:
            response = self._ask(request, deadline_s, phases)
            if follows_redirects and response.status_code in REDIRECT_STATUSES:
                response = self._follow(request, response, deadline_s, phases)
        except HttpFailure as failure:
            response = LeanResponse(request[0].text, 0, b"", None)
            # Statistics keep a failure; the way it came here would hold on to everything it passed.
            failure.__context__ = None
            response.error = failure.with_traceback(None)
        else:
            if response.status_code >= _FIRST_ERROR_STATUS:
                response.error = BadStatus(response.status_code)
        response.phases = phases
        return response

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def _ask(self, request: Request, deadline_s: float, phases: Phases | None) -> LeanResponse:
        line, items, body, cookies = request
        method = line.method
        if items or body is not None:
            headers = self._writer.headers(items)
            head, end = encode_head(line, headers), frame(method, body, headers.names)
        else:
            headers, head, end = self._writer.plain, line.plain_head, line.plain_end
        if self._jar is not None or cookies:
            head += self._cookie_line(line, headers, cookies)
        connections = self._pool.to(line.url.origin)
        status, raw_head, content = connections.exchange(method, head + end, deadline_s, phases)
        response = LeanResponse(line.text, status, raw_head, content)
        if may_set_cookies(raw_head):
            self.cookiejar.store(line.url, response.headers)
        if "accept-encoding" in headers.names and (encoding := response.headers.get("content-encoding")):
            response.content = decode_content(content, encoding)
        return response

    def _cookie_line(self, line: Line, headers: Headers, cookies: Mapping[str, object] | None) -> bytes:
        if "cookie" in headers.names:
            return b""
        header = "" if self._jar is None else self._jar.header_for(line.url)
        if cookies:
            header = merge(header, cookies)
        return encode_headers((("Cookie", header),)).encoded if header else b""

    def _follow(
        self, request: Request, response: LeanResponse, deadline_s: float, phases: Phases | None
    ) -> LeanResponse:
        history: list[LeanResponse] = []
        while response.status_code in REDIRECT_STATUSES and "location" in response.headers:
            history.append(response)
            if len(history) > self._max_redirects:
                raise TooManyRedirects
            request = self._redirected(request, response)
            response = self._ask(request, deadline_s, phases)
        response.history = history
        return response

    def _redirected(self, request: Request, response: LeanResponse) -> Request:
        old_line, items, body, cookies = request
        old_url = old_line.url
        step = next_step(response.status_code, old_line.method, old_url, response.headers["location"])
        try:
            line = self._writer.line(step.method, step.url)
        except ValueError:
            raise RedirectFailed("its Location names no valid host and port") from None
        dropped = ["Cookie"] if step.keeps_body else ["Cookie", *_BODY_HEADERS]
        keeps_secrets = may_keep_authorization(old_url.origin, line.url.origin)
        if not keeps_secrets:
            dropped.append("Authorization")
        return (
            line,
            items + tuple((name, None) for name in dropped),
            body if step.keeps_body else None,
            cookies if keeps_secrets else None,
        )
