"""Requests as bytes: what is written, what is refused, and that what repeats is encoded once."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.http1 import request
from plimsoll.http1.request import (
    HeaderItems,
    RequestEncoder,
    cache,
    encode_body,
    encode_body_headers,
    encode_head,
    encode_headers,
)

NO_NAMES: frozenset[str] = frozenset()


def head(
    base_url: str, method: str, url: str, headers: HeaderItems = (), defaults: HeaderItems = ()
) -> bytes:
    """Return the head of one request."""
    encoder = RequestEncoder(base_url, defaults)
    return encode_head(encoder.request_line(method, url), encoder.header_block(headers))


def test_head() -> None:
    """The request line comes first, the host second, then default headers and the request's own."""
    assert head("http://a:81", "GET", "/x?y", (("X-One", "1"),), (("User-Agent", "me"),)) == (
        b"GET /x?y HTTP/1.1\r\nHost: a:81\r\nUser-Agent: me\r\nX-One: 1\r\n"
    )


@pytest.mark.parametrize(
    ("base_url", "url", "target"),
    [
        ("http://a", "/x", "/x"),
        ("http://a/api", "/x", "/api/x"),
        ("http://a/api/", "x", "/api/x"),
        ("http://a", "?q", "/?q"),
        ("http://a", "", "/"),
        ("http://a/api", "http://a/x", "/x"),
        ("http://a", "/x y#z", "/x%20y"),
    ],
)
def test_target(base_url: str, url: str, target: str) -> None:
    """A path is put after the base URL as it is, an absolute URL in its place."""
    assert RequestEncoder(base_url, ()).request_line("GET", url).url.target == target


def test_text_of_a_line() -> None:
    """A line's text is its whole URL as it is sent, without credentials."""
    encoder = RequestEncoder("http://me:pass@a:80/api", ())

    assert encoder.request_line("GET", "/ü").text == "http://a/api/%C3%BC"
    assert encoder.request_line("GET", "https://you:pass@b/x").text == "https://b/x"


@pytest.mark.parametrize("url", ["x", "a.example/x", "//", "ftp://a/x"])
def test_no_path(url: str) -> None:
    """What is neither a path nor a web address is refused, but a path of two slashes is one."""
    encoder = RequestEncoder("http://a", ())
    if url == "//":
        assert encoder.request_line("GET", url).url.target == "//"
        return
    with pytest.raises(ValueError, match="must start with '/'"):
        encoder.request_line("GET", url)


@pytest.mark.parametrize("method", ["", "GET ", "GET\r\n", "G:T", "GÉT"])
def test_no_method(method: str) -> None:
    """A method that would break the request line is refused."""
    with pytest.raises(ValueError, match="method"):
        RequestEncoder("http://a", ()).request_line(method, "/")


def test_own_headers_replace_default_ones() -> None:
    """They do so in any case of their names, and None leaves a header out."""
    defaults = (("Accept", "a/b"), ("X-Old", "1"))

    assert encode_headers((*defaults, ("accept", "c/d"), ("X-OLD", None))).encoded == b"accept: c/d\r\n"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((("Host", "b"),), b"GET / HTTP/1.1\r\nAuthorization: Basic bWU6\r\nHost: b\r\n"),
        ((("authorization", "mine"),), b"GET / HTTP/1.1\r\nHost: a\r\nauthorization: mine\r\n"),
        ((("Authorization", None),), b"GET / HTTP/1.1\r\nHost: a\r\n"),
    ],
)
def test_headers_of_the_url_are_replaced(headers: HeaderItems, expected: bytes) -> None:
    """Host and credentials follow from the URL unless the request says otherwise."""
    assert head("http://me:@a", "GET", "/", headers) == expected


def test_credentials_stay_with_their_origin() -> None:
    """Those of the base URL go along with absolute URLs of the same origin, and with no others."""
    encoder = RequestEncoder("http://me:pass@a", ())

    assert encoder.request_line("GET", "http://a/x").url.authorization
    assert not encoder.request_line("GET", "http://a:81/x").url.authorization
    assert not encoder.request_line("GET", "https://a/x").url.authorization


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("a", b"a"),
        (" a\t", b"a"),
        (1, b"1"),
        (b"\xff", b"\xff"),
        ("ü", b"\xfc"),
        ("…", b"\xe2\x80\xa6"),
        ("", b""),
    ],
)
def test_value(value: object, encoded: bytes) -> None:
    """Values are Latin-1 where they can be and UTF-8 where not."""
    assert encode_headers((("X", value),)).encoded == b"X: " + encoded + b"\r\n"


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\n", "a\rb", "a\0", b"a\nb"])
def test_injection(value: object) -> None:
    """A line break in a value is refused, and the text does not quote the value."""
    with pytest.raises(ValueError, match="'X'") as refusal:
        encode_headers((("X", value),))

    assert repr(value) not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ü"])
def test_no_header_name(name: str) -> None:
    """A name that would break the protocol is refused."""
    with pytest.raises(ValueError, match="header name"):
        encode_headers(((name, "x"),))


@pytest.mark.parametrize("value", [[], {}, object()])
def test_no_header_value(value: object) -> None:
    """What is neither text nor a number is refused by its type."""
    with pytest.raises(TypeError, match=type(value).__name__):
        encode_headers((("X", value),))


@given(value=st.text())
def test_no_value_breaks_its_line(value: str) -> None:
    """Whatever a value holds, it is refused or ends with its line."""
    try:
        encoded = encode_headers((("X", value),)).encoded
    except ValueError:
        return
    assert encoded.count(b"\r") == encoded.count(b"\n") == 1
    assert encoded.endswith(b"\r\n")


@pytest.mark.parametrize(("method", "end"), [("GET", b"\r\n"), ("POST", b"Content-Length: 0\r\n\r\n")])
def test_plain_request_is_encoded_whole(method: str, end: bytes) -> None:
    """A line has the whole request that it makes with the default headers and without a body."""
    line = RequestEncoder("http://me:@a", (("X", "y"),)).request_line(method, "/")

    assert line.whole == line.encoded + b"Host: a\r\nAuthorization: Basic bWU6\r\nX: y\r\n" + end


def test_lines_and_blocks_are_cached() -> None:
    """What repeats is the same object, so that nothing is encoded twice."""
    encoder = RequestEncoder("http://a", ())

    assert encoder.request_line("GET", "/x") is encoder.request_line("GET", "/x")
    assert encoder.header_block((("A", "b"),)) is encoder.header_block((("A", "b"),))


def test_cache_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many paths there are, only so many are cached."""
    monkeypatch.setattr(request, "MAX_CACHED", 3)
    kept: dict[int, int] = {}
    sizes = [len(kept) for number in range(7) if cache(kept, number, number) == number]

    assert sizes == [1, 2, 3, 1, 2, 3, 1]


def test_unhashable_value() -> None:
    """A list for a value is refused by the header's name, though it cannot be looked up."""
    with pytest.raises(TypeError, match=r"'X'.*list"):
        RequestEncoder("http://a", ()).header_block((("X", ["a"]),))


def test_refusal_hides_the_password() -> None:
    """A URL that lacks its scheme is no path, and what may be a password in it is not quoted."""
    with pytest.raises(ValueError, match="must start") as refusal:
        RequestEncoder("http://a", ()).request_line("GET", "me:s3cret@a.example/x")

    assert "s3cret" not in str(refusal.value)


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
def test_body_of_data(data: Any, content: bytes, content_type: bytes) -> None:
    """Each kind of data has its bytes and its type."""
    body = encode_body(data, {"not": "sent"})

    assert body is not None
    assert body.content == content
    assert body.content_type == b"Content-Type: " + content_type + b"\r\n"


@pytest.mark.parametrize(
    ("json", "content"), [({"a": "ü"}, b'{"a": "\\u00fc"}'), ([], b"[]"), (0, b"0"), (False, b"false")]
)
def test_body_of_json(json: Any, content: bytes) -> None:
    """JSON is sent where there is no data, also when it is an empty value."""
    body = encode_body(None, json)

    assert body is not None
    assert body.content == content


def test_no_body() -> None:
    """Without data and JSON there is no body."""
    assert encode_body(None, None) is None
    assert encode_body({}, None) is None


@pytest.mark.parametrize("data", [1, object(), {1}])
def test_invalid_data(data: object) -> None:
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
def test_headers_without_body(method: str, expected: bytes) -> None:
    """Only where a server might wait for a body it is told that there is none."""
    assert encode_body_headers(method, None, NO_NAMES) == expected


def test_headers_of_the_body() -> None:
    """Type, accepted type, length, and an empty line."""
    assert encode_body_headers("POST", encode_body(None, {}), NO_NAMES) == (
        b"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: 2\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"content-type"}, b"Accept: application/json\r\nContent-Length: 2\r\n\r\n"),
        ({"accept", "content-type"}, b"Content-Length: 2\r\n\r\n"),
        ({"accept", "content-type", "content-length"}, b"\r\n"),
    ],
)
def test_headers_of_the_body_leave_out_what_is_said(names: set[str], expected: bytes) -> None:
    """What the user's own headers say is not written twice."""
    assert encode_body_headers("POST", encode_body(None, {}), frozenset(names)) == expected


def test_own_length_without_body() -> None:
    """A length of the user's own stands also where there is no body."""
    assert encode_body_headers("POST", None, frozenset({"content-length"})) == b"\r\n"
