"""Bodies of requests, and how they are framed."""

from __future__ import annotations

import io
from typing import Any

import pytest

from clients.wire.request_body import encode_body, frame

NO_NAMES: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("data", "content", "content_type"),
    [
        (b"\x00", b"\x00", b"application/octet-stream"),
        (bytearray(b"a"), b"a", b"application/octet-stream"),
        ("ü", b"\xc3\xbc", b"text/plain; charset=utf-8"),
        ({"a": "b c", "d": [1, 2]}, b"a=b+c&d=1&d=2", b"application/x-www-form-urlencoded"),
        ([("a", "b")], b"a=b", b"application/x-www-form-urlencoded"),
        (io.BytesIO(b"file"), b"file", b"application/octet-stream"),
        (io.StringIO("file"), b"file", b"text/plain; charset=utf-8"),
    ],
)
def test_data(data: Any, content: bytes, content_type: bytes) -> None:
    """Each kind of data has its bytes and its type."""
    body = encode_body(data, {"not": "sent"})

    assert body is not None
    assert body.content == content
    assert body.content_type == b"Content-Type: " + content_type + b"\r\n"


@pytest.mark.parametrize(
    ("json", "content"), [({"a": "ü"}, b'{"a": "\\u00fc"}'), ([], b"[]"), (0, b"0"), (False, b"false")]
)
def test_json(json: Any, content: bytes) -> None:
    """JSON is sent where there is no data, also when it is an empty value."""
    body = encode_body(None, json)

    assert body is not None
    assert body.content == content


def test_nothing() -> None:
    """Without data and JSON there is no body."""
    assert encode_body(None, None) is None
    assert encode_body({}, None) is None


@pytest.mark.parametrize("data", [1, object(), {1}])
def test_no_data(data: object) -> None:
    """Anything else is refused by its type."""
    with pytest.raises(TypeError, match=type(data).__name__):
        encode_body(data, None)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("GET", b"\r\n"),
        ("HEAD", b"\r\n"),
        ("POST", b"Content-Length: 0\r\n\r\n"),
        ("DELETE", b"Content-Length: 0\r\n\r\n"),
    ],
)
def test_frame_without_body(method: str, expected: bytes) -> None:
    """Only where a server might wait for a body it is told that there is none."""
    assert frame(method, None, NO_NAMES) == expected


def test_frame() -> None:
    """Type, accepted type, length, an empty line, and the body."""
    assert frame("POST", encode_body(None, {}), NO_NAMES) == (
        b"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"content-type"}, b"Accept: application/json\r\nContent-Length: 2\r\n\r\n{}"),
        ({"accept", "content-type"}, b"Content-Length: 2\r\n\r\n{}"),
        ({"accept", "content-type", "content-length"}, b"\r\n{}"),
    ],
)
def test_frame_leaves_out_what_is_said(names: set[str], expected: bytes) -> None:
    """What the user's own headers say is not written twice."""
    assert frame("POST", encode_body(None, {}), frozenset(names)) == expected


def test_own_length_without_body() -> None:
    """A length of the user's own stands also where there is no body."""
    assert frame("POST", None, frozenset({"content-length"})) == b"\r\n"
