"""The head of a request, encoded once for as long as it repeats.

A head is a request line with its host, which repeats for each path, and a block of headers, which repeats for
each set of headers; both are kept, up to a number. Only the length of the body and cookies are written anew.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from clients.wire.request_body import frame
from clients.wire.url import Url, encode_target, is_absolute, parse_url, redacted

Key = TypeVar("Key")
Value = TypeVar("Value")

# Paths with numbers in them and tokens of many users never end; what is left out is only encoded again.
MAX_KEPT = 4096
_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_HEADER_NAME = _METHOD
_HEADER_VALUE = re.compile(r"[^\x00\r\n]*").fullmatch
_URL_HEADERS = frozenset({"host", "authorization"})

HeaderItems = tuple[tuple[str, Any], ...]


class Line(NamedTuple):
    """A request line: its URL, the same as text without credentials, its bytes without and with headers.

    *plain_head* and *plain_end* are a whole request without headers of its own and without a body.
    """

    method: str
    url: Url
    text: str
    request_line: bytes
    encoded: bytes
    plain_head: bytes = b""
    plain_end: bytes = b""


class Headers(NamedTuple):
    """A block of headers: its bytes, its names in lower case, and which of the URL's headers not to write."""

    encoded: bytes
    names: frozenset[str]
    replaced: frozenset[str]


class RequestWriter:
    """Write heads of requests to one base URL with the same default headers, for any number of users.

    Raises ValueError for a base URL that cannot be read and for headers that cannot be sent.
    """

    __slots__ = (
        "_base_path",
        "_base_text",
        "_blocks",
        "_defaults",
        "_lines",
        "_url_headers",
        "base_url",
        "plain",
    )

    def __init__(self, base_url: str, default_headers: HeaderItems) -> None:
        self.base_url = parse_url(base_url)
        self._base_path = urlsplit(base_url).path
        self._base_text = str(self.base_url._replace(target=""))
        self._url_headers = _url_headers(self.base_url, frozenset())
        self._defaults = default_headers
        self._lines: dict[tuple[str, str], Line] = {}
        self._blocks: dict[HeaderItems, Headers] = {}
        self.plain = encode_headers(default_headers)

    def line(self, method: str, url: str) -> Line:
        """Return the request line for a path on the base URL or for an absolute URL."""
        line = self._lines.get((method, url))
        if line is None:
            line = keep(self._lines, (method, url), self._new_line(method, url))
        return line

    def headers(self, items: HeaderItems) -> Headers:
        """Return the block for these headers over the default ones; None for a value leaves a header out."""
        try:
            block = self._blocks.get(items)
        except TypeError:  # a list or the like among the values, which is refused by its name
            return encode_headers(self._defaults + items)
        if block is None:
            block = keep(self._blocks, items, encode_headers(self._defaults + items))
        return block

    def _new_line(self, method: str, url: str) -> Line:
        if not _METHOD(method):
            raise ValueError(f"method {method!r} must be letters like 'GET'")
        if is_absolute(url):
            absolute = parse_url(url)
            if not absolute.authorization and absolute.origin == self.base_url.origin:
                absolute = absolute._replace(authorization=self.base_url.authorization)
            return self._line(method, absolute, str(absolute), _url_headers(absolute, frozenset()))
        path = self._base_path + url
        if path[:1] in {"", "?", "#"}:
            path = f"/{path}"
        if not path.startswith("/"):
            raise ValueError(
                f"path {redacted(url)!r} must start with '/', or be an absolute http or https URL"
            )
        target = encode_target(path)
        url_there = Url(self.base_url.origin, target, self.base_url.authorization)
        return self._line(method, url_there, self._base_text + target, self._url_headers)

    def _line(self, method: str, url: Url, text: str, url_headers: bytes) -> Line:
        request_line = f"{method} {url.target} HTTP/1.1\r\n".encode("ascii")
        line = Line(method, url, text, request_line, request_line + url_headers)
        plain_end = frame(method, None, self.plain.names)
        return line._replace(plain_head=encode_head(line, self.plain), plain_end=plain_end)


def encode_headers(items: HeaderItems) -> Headers:
    """Return the block of these headers; a later one replaces an earlier of the same name, None removes it.

    Raises ValueError for a name or value that would break the protocol; the text does not quote the value.
    """
    last = {str(name).lower(): (name, value) for name, value in items}
    kept = {lower: pair for lower, pair in last.items() if pair[1] is not None}
    encoded = b"".join(_encode_header(*pair) for pair in kept.values())
    return Headers(encoded, frozenset(kept), _URL_HEADERS & last.keys())


def encode_head(line: Line, headers: Headers) -> bytes:
    """Return a request's head but for its framing and last line."""
    if headers.replaced:
        return line.request_line + _url_headers(line.url, headers.replaced) + headers.encoded
    return line.encoded + headers.encoded


def keep(cache: dict[Key, Value], key: Key, value: Value) -> Value:
    """Put a value into a cache, which starts anew when it is full."""
    if len(cache) >= MAX_KEPT:
        cache.clear()
    cache[key] = value
    return value


def _url_headers(url: Url, without: frozenset[str]) -> bytes:
    host = f"Host: {url.origin.authority}\r\n" if "host" not in without else ""
    wants_authorization = url.authorization and "authorization" not in without
    authorization = f"Authorization: {url.authorization}\r\n" if wants_authorization else ""
    return f"{host}{authorization}".encode("ascii")


def _encode_header(name: Any, value: Any) -> bytes:
    if not isinstance(name, str) or not _HEADER_NAME(name):
        raise ValueError(f"header name {name!r} must be letters, digits and hyphens")
    if not isinstance(value, str | bytes | int | float):
        raise TypeError(f"header {name!r} must be text or a number, got {type(value).__name__}")
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if not _HEADER_VALUE(text):
        raise ValueError(f"header {name!r} must not hold a line break or NUL")
    return f"{name}: ".encode("ascii") + _latin_or_utf8(text.strip(" \t")) + b"\r\n"


def _latin_or_utf8(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
