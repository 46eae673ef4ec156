"""Headers of answers."""

from __future__ import annotations

import pytest

from clients.wire.response_head import ResponseHeaders, content_type_of, may_set_cookies

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: a/b \r\nSET-COOKIE: a=1, b\r\nSet-Cookie:c=2\r\nX-\xfc: \xfc\r\n\r\n"
    b"Body: 1\r\n"
)


def test_names_in_any_case() -> None:
    """A header is found by its name in any case, and only by its name."""
    headers = ResponseHeaders(HEAD)

    assert headers["content-TYPE"] == "a/b"
    assert "CONTENT-type" in headers
    assert headers.get("Body") is None
    assert 1 not in headers  # type: ignore[comparison-overlap]  # what a Mapping must bear


def test_values_of_one_name() -> None:
    """They are joined by commas, and given one by one where asked for."""
    headers = ResponseHeaders(HEAD)

    assert headers["Set-Cookie"] == "a=1, b, c=2"
    assert headers.getlist("set-cookie") == ["a=1, b", "c=2"]
    assert headers.getlist("x-none") == []


def test_as_mapping() -> None:
    """Names come once, as they were first written."""
    assert dict(ResponseHeaders(HEAD)) == {"Content-Type": "a/b", "SET-COOKIE": "a=1, b, c=2", "X-ü": "ü"}
    assert len(ResponseHeaders(HEAD)) == 3


def test_no_head() -> None:
    """Where no answer came there are no headers."""
    assert not ResponseHeaders(b"")


@pytest.mark.parametrize(
    ("raw_head", "content_type"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-TYPE: \ttext/html \r\nX: 1\r\n\r\n", "text/html"),
        (b"HTTP/1.1 200 OK\r\nContent-Type:\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nX-Content-Type: a/b\r\n\r\n", ""),
        (b"", ""),
    ],
)
def test_content_type(raw_head: bytes, content_type: str) -> None:
    """It is found in any case, as all of the headers have it, and only where a line begins with its name."""
    assert content_type_of(raw_head) == content_type
    assert ResponseHeaders(raw_head).get("content-type", "") == content_type


@pytest.mark.parametrize(
    ("line", "said"), [(b"sEt-cOOkIe: a=1", True), (b"Set-Cookie2: a=1", False), (b"X: set-cookie:", False)]
)
def test_may_set_cookies(line: bytes, said: bool) -> None:
    """A head sets cookies by a line that begins with the header's name, in any case."""
    assert may_set_cookies(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n") is said
