"""Cookies by the standard library's rules, at the cost of a look-up where nothing changes."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any, cast
from urllib.request import Request

from plimsoll.http1.response import ResponseHeaders
from plimsoll.http1.url import Origin, Url

_MAX_CACHED_PATHS = 32
_COOKIE = re.compile(r"[^\x00-\x1f\x7f;=]+=[^\x00-\x1f\x7f;]*").fullmatch


class Jar(CookieJar):
    """A cookie jar that caches the Cookie header of each origin or path until a cookie changes or expires."""

    def __init__(self) -> None:
        super().__init__(_Policy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))
        # The first of the cookies expires at _valid_until_s, in Unix time.
        self._headers: dict[Origin | tuple[Origin, str], str] = {}
        self._valid_until_s = math.inf
        self._depends_on_path = False

    def header_for(self, url: Url) -> str:
        """Return the Cookie header for a URL, "" for none."""
        if time.time() >= self._valid_until_s:
            self.clear_expired_cookies()
        where = (url.origin, url.target.partition("?")[0]) if self._depends_on_path else url.origin
        header = self._headers.get(where)
        if header is None:
            if len(self._headers) >= _MAX_CACHED_PATHS:
                self._headers.clear()
            request = Request(str(url))  # noqa: S310 - looked at by the jar, never opened
            self.add_cookie_header(request)
            header = self._headers[where] = request.get_header("Cookie", "")
        return header

    def store(self, url: Url, headers: ResponseHeaders) -> None:
        """Take the cookies that a response from a URL sets, as far as it may set them."""
        self.extract_cookies(cast("Any", _SettingResponse(headers)), Request(str(url)))  # noqa: S310 - likewise

    def set_cookie(self, cookie: Cookie) -> None:
        """Take a cookie."""
        super().set_cookie(cookie)
        self._drop_cache()

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Drop all cookies, or those of a domain, of a path in it, of a name there."""
        super().clear(domain, path, name)
        self._drop_cache()

    def _drop_cache(self) -> None:
        self._headers.clear()
        self._valid_until_s = min((cookie.expires for cookie in self if cookie.expires), default=math.inf)
        self._depends_on_path = any(cookie.path != "/" for cookie in self)


class _Policy(DefaultCookiePolicy):
    """The standard library's rules, and one that it lacks: an IP address shares no domain with others."""

    def set_ok_domain(self, cookie: Cookie, request: Request) -> bool:
        """Say whether a response to a request may set a cookie for the cookie's domain."""
        host = request.host.rpartition(":")[0] or request.host
        is_address = host.startswith("[") or host.replace(".", "").isdigit()
        if is_address and cookie.domain_specified and cookie.domain.lstrip(".") != host:
            return False
        return super().set_ok_domain(cookie, request)


class _SettingResponse:
    """A response as the standard library's jar reads it."""

    def __init__(self, headers: ResponseHeaders) -> None:
        self._headers = headers

    def info(self) -> _SettingResponse:
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        return self._headers.getlist(name) or default


def merge_cookies(header: str, more: Mapping[str, object]) -> str:
    """Return a Cookie header with further cookies, which replace those of the same names.

    Raises ValueError for a cookie that cannot be sent; the text does not quote its value.
    """
    for name, value in more.items():
        if not _COOKIE(f"{name}={value}"):
            raise ValueError(f"header 'Cookie': cookie {name!r} must hold no line break and no semicolon")
    kept = (pair for pair in header.split("; ") if pair and pair.partition("=")[0] not in more)
    return "; ".join([*kept, *(f"{name}={value}" for name, value in more.items())])
