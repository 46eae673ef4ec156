"""Headers of answers."""

from __future__ import annotations

from clients.wire.response_head import ResponseHeaders

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
