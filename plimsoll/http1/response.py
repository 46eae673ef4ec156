"""A response: its headers, content, text and JSON, parsed and decoded where somebody asks for them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from json import loads
from typing import Any

import brotli

from plimsoll.http1.errors import DecodingFailed

HEAD_END = b"\r\n\r\n"
_GZIP_START = b"\x1f\x8b"
_GZIP_BITS = 16 + zlib.MAX_WBITS
_MAX_CACHED_TYPES = 64
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
_find_content_type = re.compile(rb"\r\ncontent-type:([^\r]*)", re.IGNORECASE).search


class ResponseHeaders(Mapping[str, str]):
    """The headers of a response; names in any case, and the values of one name joined by commas."""

    __slots__ = ("_values",)

    def __init__(self, raw_head: bytes) -> None:
        """Parse a head that ResponseParser has accepted: the status line, headers, and what may follow."""
        self._values: dict[str, tuple[str, list[str]]] = {}
        for line in raw_head.partition(HEAD_END)[0].decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            self._values.setdefault(name.lower(), (name, []))[1].append(value.strip(" \t"))

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()][1])

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def getlist(self, name: str) -> list[str]:
        """Return each value of a header by itself, as Set-Cookie needs it."""
        return list(self._values.get(name.lower(), ("", []))[1])


class Response:
    """The response to a request, or why there is none: then `error` is set, the status 0, the content None.

    `error` is also set for a status of 400 or more. `url` is the one that the response came from in the end,
    without credentials, `history` the redirects that led there, `encoding` the charset of the text, which may
    be set, and `elapsed_s` the time from before the request was sent until the response was complete.
    """

    __slots__ = (
        "_headers",
        "_raw_head",
        "content",
        "elapsed_s",
        "encoding",
        "error",
        "history",
        "status_code",
        "url",
    )
    elapsed_s: float  # set by who sends the request

    def __init__(self, url: str, status_code: int, raw_head: bytes, content: bytes | None) -> None:
        self.url = url
        self.status_code = status_code
        self.content = content
        self.encoding: str | None = None
        self.error: Exception | None = None
        self.history: Sequence[Response] = ()
        self._raw_head = raw_head
        self._headers: ResponseHeaders | None = None

    @property
    def headers(self) -> ResponseHeaders:
        """The headers, by names in any case."""
        if self._headers is None:
            self._headers = ResponseHeaders(self._raw_head)
        return self._headers

    @property
    def cookies(self) -> dict[str, str]:
        """The names and values of the cookies that this response sets."""
        pairs = (line.partition(";")[0].partition("=") for line in self.headers.getlist("set-cookie"))
        return {name.strip(): value.strip() for name, _, value in pairs}

    @property
    def text(self) -> str | None:
        """The content as text: by `encoding`, else the charset of the headers, else one that fits."""
        if self.content is None:
            return None
        if self.encoding is None:
            self.encoding = encoding_of(content_type_of(self._raw_head), self.content)
        return decode_text(self.content, self.encoding)

    @property
    def elapsed(self) -> timedelta:
        """The time until the response was complete."""
        return timedelta(seconds=self.elapsed_s)

    @property
    def ok(self) -> bool:
        """Whether a response came, with a status below 400."""
        return self.error is None

    def json(self) -> Any:
        """Return the parsed content; raises json.JSONDecodeError where it is not JSON or there is none."""
        try:
            return loads(self.content or b"")
        except UnicodeDecodeError:
            return loads(self.text or "")

    def raise_for_status(self) -> None:
        """Raise the error, if there is one."""
        if self.error is not None:
            raise self.error


def content_type_of(raw_head: bytes) -> str:
    """Return the first Content-Type of a head, "" for none, without parsing its other headers."""
    found = _find_content_type(raw_head)
    return found[1].decode("latin-1").strip(" \t") if found else ""


def decode_content(body: bytes, encodings: str) -> bytes:
    """Undo the codings that a Content-Encoding header lists, the last first, up to an unknown one.

    Raises DecodingFailed.
    """
    for encoding in reversed(encodings.lower().split(",")):
        decoder = _DECODERS.get(encoding.strip())
        # A response to HEAD, or of status 204, has no body but the header of one.
        if decoder is None or not body:
            break
        try:
            body = decoder(body)
        except zlib.error:
            raise DecodingFailed(encoding.strip()) from None
    return body


def decode_text(content: bytes, encoding: str) -> str:
    """Return the content as text; bytes that cannot be decoded become replacement characters."""
    try:
        return content.decode(encoding, errors="replace")
    except LookupError:  # an unknown charset
        return content.decode(errors="replace")


def encoding_of(content_type: str, content: bytes) -> str:
    """Return the charset that a Content-Type header names or implies, else one that fits the content."""
    if charset := _charset_of(content_type):
        return charset
    try:
        content.decode()
    except UnicodeDecodeError:
        return "iso-8859-1"
    return "utf-8"


@lru_cache(maxsize=_MAX_CACHED_TYPES)
def _charset_of(content_type: str) -> str | None:
    if named := _CHARSET.search(content_type):
        return named[1]
    if "json" in content_type:
        return "utf-8"
    return "iso-8859-1" if "text" in content_type else None


def _gunzip(body: bytes) -> bytes:
    pieces: list[bytes] = []
    while body.startswith(_GZIP_START) or not pieces:
        member = zlib.decompressobj(_GZIP_BITS)
        pieces.append(member.decompress(body))
        if not member.eof:
            raise zlib.error
        body = member.unused_data
    return b"".join(pieces)


def _inflate(body: bytes) -> bytes:
    try:
        return zlib.decompress(body)
    except zlib.error:
        # The standard wants a zlib header, which some servers leave out.
        return zlib.decompress(body, -zlib.MAX_WBITS)


def _unbrotli(body: bytes) -> bytes:
    try:
        content: bytes = brotli.decompress(body)
    except brotli.error:
        raise DecodingFailed("br") from None
    return content


_DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": _unbrotli,
    "deflate": _inflate,
    "gzip": _gunzip,
    "identity": bytes,
    "x-gzip": _gunzip,
}
