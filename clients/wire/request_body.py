"""The body of a request and the headers that frame it."""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps
from typing import Any, NamedTuple

from clients.wire.url import encode_pairs

# Servers expect no body after these; after others, a length of 0 tells them not to wait for one.
_BODILESS_METHODS = frozenset({"GET", "HEAD"})
_JSON_HEADERS = (b"Content-Type: application/json\r\n", b"Accept: application/json\r\n")
_NO_LENGTH = b"\r\n"
_ZERO_LENGTH = b"Content-Length: 0\r\n\r\n"


class Body(NamedTuple):
    """A request's body, with the type to declare and the type to ask for where the user names none."""

    content: bytes
    content_type: bytes = b""
    accept: bytes = b""


def encode_body(data: Any, json: Any) -> Body | None:
    """Return the body of data, or else of a value as JSON, or else none.

    Data is bytes, text, an open file, or the fields of a form as a mapping or pairs.

    Raises TypeError for any other data, TypeError or ValueError for a value that has no JSON.
    """
    if data:
        return _encode_data(data)
    if json is not None:
        return Body(dumps(json).encode("ascii"), *_JSON_HEADERS)
    return None


def _encode_data(data: Any) -> Body:
    if hasattr(data, "read"):
        data = data.read()
    if isinstance(data, str):
        return Body(data.encode(), b"Content-Type: text/plain; charset=utf-8\r\n")
    if isinstance(data, bytes | bytearray | memoryview):
        return Body(bytes(data), b"Content-Type: application/octet-stream\r\n")
    if isinstance(data, Mapping | list | tuple):
        return Body(encode_pairs(data).encode(), b"Content-Type: application/x-www-form-urlencoded\r\n")
    raise TypeError(f"data must be bytes, text, a file, a mapping or pairs, got {type(data).__name__}")


def frame(method: str, body: Body | None, names: frozenset[str]) -> bytes:
    """Return the rest of a request after its headers: type and length of the body, an empty line, the body.

    *names* are those of the user's headers in lower case, which are not written twice.
    """
    if body is None:
        return _NO_LENGTH if method in _BODILESS_METHODS or "content-length" in names else _ZERO_LENGTH
    content_type = b"" if "content-type" in names else body.content_type
    accept = b"" if "accept" in names else body.accept
    length = b"" if "content-length" in names else b"Content-Length: %d\r\n" % len(body.content)
    return b"%b%b%b\r\n%b" % (content_type, accept, length, body.content)
