"""An HTTP client for one user: it keeps connections and cookies, and follows redirects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar
from urllib.parse import urljoin

from plimsoll.http1.cookies import Jar, merge_cookies
from plimsoll.http1.errors import BadStatus, HttpFailure, RedirectFailed, TooManyRedirects
from plimsoll.http1.pool import Pool
from plimsoll.http1.request import (
    Body,
    HeaderItems,
    RequestLine,
    encode_body_headers,
    encode_head,
    encode_headers,
)
from plimsoll.http1.response import Response, decode_content
from plimsoll.http1.settings import ClientSettings
from plimsoll.http1.url import Origin, Url, is_absolute

R = TypeVar("R", bound=Response)

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_KEEPING_THE_BODY = frozenset({307, 308})
_FIRST_REDIRECT_STATUS = 300
_FIRST_ERROR_STATUS = 400
_BODY_HEADERS = ("Content-Type", "Content-Length", "Transfer-Encoding")
# A request line, headers over the default ones, a body, and cookies over those of the jar. A plain tuple,
# because each request makes one, and a NamedTuple is made by a function in Python.
Request = tuple[RequestLine, HeaderItems, Body | None, Mapping[str, object] | None]

_find_set_cookie = re.compile(rb"\nset-cookie:", re.IGNORECASE).search


class HttpClient(Generic[R]):
    """Send requests on behalf of one user; responses are of the type that it is given.

    *on_reconnect* is called for each connection that was opened again because the server had closed it while
    it was idle. The settings must be without faults.
    """

    __slots__ = ("_encoder", "_jar", "_on_reconnect", "_pools", "_response_type", "request_line", "settings")

    def __init__(
        self, settings: ClientSettings, response_type: type[R], on_reconnect: Callable[[], None]
    ) -> None:
        _ = settings.ssl_context  # made by now, so that what is wrong with it is raised here
        self.settings = settings
        self._encoder = settings.encoder
        self.request_line = settings.encoder.request_line
        self._response_type = response_type
        self._on_reconnect = on_reconnect
        self._pools: dict[Origin, Pool] = {}
        self._jar: Jar | None = None

    @property
    def cookiejar(self) -> Jar:
        """The cookies, which servers have set and which may be changed."""
        if self._jar is None:
            self._jar = Jar()
        return self._jar

    def fetch(self, request: Request, deadline_s: float, follow_redirects: bool) -> R:
        """Return the response to a request, or that it failed; *deadline_s* is one of time.perf_counter.

        Raises ValueError or TypeError for headers and cookies that cannot be sent.
        """
        try:
            response = self._send(request, deadline_s)
            status = response.status_code
            if status >= _FIRST_REDIRECT_STATUS:
                if follow_redirects and status in REDIRECT_STATUSES:
                    response = self._follow(request, response, deadline_s)
                if response.status_code >= _FIRST_ERROR_STATUS:
                    response.error = BadStatus(response.status_code)
        except HttpFailure as failure:
            response = self._response_type(request[0].text, 0, b"", None)
            # Statistics keep a failure: without its traceback, which would keep everything it passed.
            failure.__context__ = None
            response.error = failure.with_traceback(None)
        return response

    def close(self) -> None:
        """Close all connections: those of requests under way when their responses have come."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _send(self, request: Request, deadline_s: float) -> R:
        line, items, body, cookies = request
        is_plain = body is None and not items
        headers = self._encoder.default_headers if is_plain else self._encoder.header_block(items)
        cookie = b""
        if (self._jar is not None or cookies) and "cookie" not in headers.names:
            header = "" if self._jar is None else self._jar.header_for(line.url)
            if cookies:
                header = merge_cookies(header, cookies)
            cookie = encode_headers((("Cookie", header),)).encoded if header else b""
        if is_plain:
            # A cookie goes before the empty line, which ends a request without a body.
            encoded = line.whole[:-2] + cookie + b"\r\n" if cookie else line.whole
        else:
            encoded = encode_head(line, headers) + cookie
            encoded += encode_body_headers(line.method, body, headers.names)
            if body is not None:
                encoded += body.content
        pool = self._pools.get(line.origin)
        if pool is None:
            pool = self._pools[line.origin] = Pool(line.origin, self.settings, self._on_reconnect)
        status, raw_head, content = pool.exchange(line.method, encoded, deadline_s)
        response = self._response_type(line.text, status, raw_head, content)
        if _find_set_cookie(raw_head):
            self.cookiejar.store(line.url, response.headers)
        if headers.asks_for_encoding and (encoding := response.headers.get("content-encoding")):
            response.content = decode_content(content, encoding)
        return response

    def _follow(self, request: Request, response: R, deadline_s: float) -> R:
        line, items, body, cookies = request
        history: list[R] = []
        while response.status_code in REDIRECT_STATUSES and "location" in response.headers:
            history.append(response)
            if len(history) > self.settings.max_redirects:
                raise TooManyRedirects
            old_origin, status = line.origin, response.status_code
            method, url = redirected(status, line.method, line.url, response.headers["location"])
            try:
                line = self.request_line(method, url)
            except ValueError:
                raise RedirectFailed("Location has no valid host and port") from None
            dropped = ["Cookie"]
            if status not in _KEEPING_THE_BODY:
                body = None
                dropped += _BODY_HEADERS
            if not may_keep_authorization(old_origin, line.origin):
                cookies = None
                dropped.append("Authorization")
            items += tuple((name, None) for name in dropped)
            response = self._send((line, items, body, cookies), deadline_s)
        response.history = history
        return response


def redirected(status: int, method: str, url: Url, location: str) -> tuple[str, str]:
    """Return the method and URL that a redirect from a URL leads to, as `requests` and browsers have it.

    303 becomes GET, 302 too, 301 only when it was POST, HEAD never. Raises RedirectFailed for a Location that
    is not an http or https URL.
    """
    with suppress(UnicodeDecodeError):  # servers write UTF-8 there, which was decoded as Latin-1
        location = location.encode("latin-1").decode()
    target = location.strip()
    try:
        # Joined, an absolute URL without a host would take on the old one's.
        target = target if is_absolute(target) else urljoin(str(url), target)
    except ValueError:
        target = ""
    if not is_absolute(target):
        raise RedirectFailed("Location is not an http(s) URL")
    becomes_get = (method != "HEAD") if status in {302, 303} else (status, method) == (301, "POST")
    return "GET" if becomes_get else method, target


def may_keep_authorization(old: Origin, new: Origin) -> bool:
    """Whether credentials for one origin may be sent to another: the same one, or its https twin."""
    is_upgrade = (old.scheme, old.port, new.scheme, new.port) == ("http", 80, "https", 443)
    return old == new or (old.host == new.host and is_upgrade)
