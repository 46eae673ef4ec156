"""Requests as bytes, encoded once for as long as they repeat.

The head is a request line with its host, which repeats for each path, and a block of headers, which repeats
for each set of headers; both are cached. Only the body, its length and cookies are encoded anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from json import dumps
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from plimsoll.http1.url import Origin, Url, encode_pairs, encode_target, is_absolute, parse_url, redacted

Key = TypeVar("Key")
Value = TypeVar("Value")

# Paths with numbers in them and the tokens of many users never end: a full cache starts anew.
MAX_CACHED = 4096
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_HEADER_VALUE = re.compile(r"[^\x00\r\n]*").fullmatch
_URL_HEADERS = frozenset({"host", "authorization"})
# Servers expect no body after these; after other methods a length of 0 says that none comes.
_BODILESS_METHODS = frozenset({"GET", "HEAD"})
_JSON_HEADERS = (b"Content-Type: application/json\r\n", b"Accept: application/json\r\n")

HeaderItems = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request line: its method and URL, and `text`, the URL without credentials.

    `encoded` is the line alone, `with_host` the line with Host and the URL's credentials, and `whole` a whole
    request with the default headers, no headers of its own and no body.
    """

    method: str
    url: Url
    origin: Origin
    text: str
    encoded: bytes
    with_host: bytes
    whole: bytes = b""


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """A block of headers: its bytes, its names in lower case, and those that replace headers of the URL.

    `asks_for_encoding`: whether Accept-Encoding is among them, so that the body is to be decoded.
    """

    encoded: bytes
    names: frozenset[str]
    replaced: frozenset[str]
    asks_for_encoding: bool


class Body(NamedTuple):
    """A body, with the Content-Type and Accept headers to send where the request has none of its own."""

    content: bytes
    content_type: bytes = b""
    accept: bytes = b""


class RequestEncoder:
    """Encode requests to one base URL with the same default headers, for any number of clients.

    Raises ValueError for a base URL that cannot be parsed, ValueError or TypeError for invalid headers.
    """

    __slots__ = ("_base_text", "_base_url", "_blocks", "_default_items", "_lines", "default_headers")

    def __init__(self, base_url: str, default_headers: HeaderItems) -> None:
        self._base_url = parse_url(base_url)._replace(target=urlsplit(base_url).path)
        self._base_text = str(self._base_url._replace(target=""))
        self._default_items = default_headers
        self._lines: dict[tuple[str, str], RequestLine] = {}
        self._blocks: dict[HeaderItems, HeaderBlock] = {}
        self.default_headers = encode_headers(default_headers)

    def request_line(self, method: str, url: str) -> RequestLine:
        """Return the request line for a path on the base URL or for an absolute URL.

        Raises ValueError for a method or URL that cannot be sent.
        """
        line = self._lines.get((method, url))
        if line is None:
            line = cache(self._lines, (method, url), self._new_line(method, url))
        return line

    def header_block(self, items: HeaderItems) -> HeaderBlock:
        """Return the block of these headers over the default ones; the value None leaves a header out.

        Raises ValueError or TypeError for a header that cannot be sent.
        """
        try:
            block = self._blocks.get(items)
        except TypeError:  # a value that has no hash, which is refused by the header's name
            return encode_headers(self._default_items + items)
        if block is None:
            block = cache(self._blocks, items, encode_headers(self._default_items + items))
        return block

    def _new_line(self, method: str, url: str) -> RequestLine:
        if not _TOKEN(method):
            raise ValueError(f"method {method!r} must be letters like 'GET'")
        if is_absolute(url):
            full = parse_url(url)
            if not full.authorization and full.origin == self._base_url.origin:
                full = full._replace(authorization=self._base_url.authorization)
            text = str(full)
        else:
            path = self._base_url.target + url
            if path[:1] in {"", "?", "#"}:
                path = f"/{path}"
            if not path.startswith("/"):
                raise ValueError(
                    f"path {redacted(url)!r} must start with '/', or be an absolute http or https URL"
                )
            full = self._base_url._replace(target=encode_target(path))
            text = self._base_text + full.target
        encoded = f"{method} {full.target} HTTP/1.1\r\n".encode("ascii")
        line = RequestLine(method, full, full.origin, text, encoded, encoded + _url_headers(full))
        whole = encode_head(line, self.default_headers)
        return replace(line, whole=whole + encode_body_headers(method, None, self.default_headers.names))


def encode_headers(items: HeaderItems) -> HeaderBlock:
    """Return the block of these headers; a later one replaces an earlier of the same name, None removes it.

    Raises ValueError for a name or value that would break the protocol, TypeError for a value that is neither
    text nor a number; the message does not quote the value.
    """
    last = {str(name).lower(): (name, value) for name, value in items}
    kept: dict[str, tuple[Any, Any]] = {lower: pair for lower, pair in last.items() if pair[1] is not None}
    lines = []
    for name, value in kept.values():
        if not isinstance(name, str) or not _TOKEN(name):
            raise ValueError(f"header name {name!r} must be letters, digits and hyphens")
        if not isinstance(value, str | bytes | int | float):
            raise TypeError(f"header {name!r} must be text or a number, got {type(value).__name__}")
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if not _HEADER_VALUE(text):
            raise ValueError(f"header {name!r} must not hold a line break or NUL")
        text = text.strip(" \t")
        try:
            encoded = text.encode("latin-1")
        except UnicodeEncodeError:
            encoded = text.encode()
        lines.append(f"{name}: ".encode("ascii") + encoded + b"\r\n")
    names = frozenset(kept)
    return HeaderBlock(b"".join(lines), names, _URL_HEADERS & last.keys(), "accept-encoding" in kept)


def encode_head(line: RequestLine, headers: HeaderBlock) -> bytes:
    """Return a request's head up to the headers of its body."""
    if headers.replaced:
        return line.encoded + _url_headers(line.url, headers.replaced) + headers.encoded
    return line.with_host + headers.encoded


def encode_body(data: Any, json: Any) -> Body | None:
    """Return the body made of data, or else of a value as JSON, or else None.

    Data is bytes, text, an open file, or the fields of a form as a mapping or pairs.

    Raises TypeError for any other data, TypeError or ValueError for a value that cannot be JSON.
    """
    if not data:
        return None if json is None else Body(dumps(json).encode("ascii"), *_JSON_HEADERS)
    if hasattr(data, "read"):
        data = data.read()
    if isinstance(data, str):
        return Body(data.encode(), b"Content-Type: text/plain; charset=utf-8\r\n")
    if isinstance(data, bytes | bytearray | memoryview):
        return Body(bytes(data), b"Content-Type: application/octet-stream\r\n")
    if isinstance(data, Mapping | list | tuple):
        return Body(encode_pairs(data).encode(), b"Content-Type: application/x-www-form-urlencoded\r\n")
    raise TypeError(f"data must be bytes, text, a file, a mapping or pairs, got {type(data).__name__}")


def encode_body_headers(method: str, body: Body | None, names: frozenset[str]) -> bytes:
    """Return the end of a request's head: the body's type and length, and the empty line.

    *names* are those of the request's headers in lower case, which are not written twice.
    """
    if body is None:
        if method in _BODILESS_METHODS or "content-length" in names:
            return b"\r\n"
        return b"Content-Length: 0\r\n\r\n"
    content_type = b"" if "content-type" in names else body.content_type
    accept = b"" if "accept" in names else body.accept
    length = b"" if "content-length" in names else b"Content-Length: %d\r\n" % len(body.content)
    return b"%b%b%b\r\n" % (content_type, accept, length)


def cache(kept: dict[Key, Value], key: Key, value: Value) -> Value:
    """Put a value into a cache, which starts anew when it is full, and return it."""
    if len(kept) >= MAX_CACHED:
        kept.clear()
    kept[key] = value
    return value


def _url_headers(url: Url, without: frozenset[str] = frozenset()) -> bytes:
    host = f"Host: {url.origin.authority}\r\n" if "host" not in without else ""
    has_authorization = url.authorization and "authorization" not in without
    authorization = f"Authorization: {url.authorization}\r\n" if has_authorization else ""
    return f"{host}{authorization}".encode("ascii")
