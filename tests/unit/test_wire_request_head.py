"""Heads of requests: what is written, what is refused, and that what repeats is written once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.wire import request_head
from clients.wire.request_head import HeaderItems, RequestWriter, encode_head, encode_headers, keep


def head(
    base_url: str, method: str, url: str, headers: HeaderItems = (), defaults: HeaderItems = ()
) -> bytes:
    """Return the head of one request."""
    writer = RequestWriter(base_url, defaults)
    return encode_head(writer.line(method, url), writer.headers(headers))


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
    assert RequestWriter(base_url, ()).line("GET", url).url.target == target


def test_text_of_a_line() -> None:
    """A line's text is its whole URL as it is sent, without credentials."""
    writer = RequestWriter("http://me:pass@a:80/api", ())

    assert writer.line("GET", "/ü").text == "http://a/api/%C3%BC"
    assert writer.line("GET", "https://you:pass@b/x").text == "https://b/x"


@pytest.mark.parametrize("url", ["x", "a.example/x", "//", "ftp://a/x"])
def test_no_path(url: str) -> None:
    """What is neither a path nor a web address is refused, but a path of two slashes is one."""
    writer = RequestWriter("http://a", ())
    if url == "//":
        assert writer.line("GET", url).url.target == "//"
        return
    with pytest.raises(ValueError, match="must start with '/'"):
        writer.line("GET", url)


@pytest.mark.parametrize("method", ["", "GET ", "GET\r\n", "G:T", "GÉT"])
def test_no_method(method: str) -> None:
    """A method that would break the request line is refused."""
    with pytest.raises(ValueError, match="method"):
        RequestWriter("http://a", ()).line(method, "/")


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
    writer = RequestWriter("http://me:pass@a", ())

    assert writer.line("GET", "http://a/x").url.authorization
    assert not writer.line("GET", "http://a:81/x").url.authorization
    assert not writer.line("GET", "https://a/x").url.authorization


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


def test_lines_and_blocks_are_kept() -> None:
    """What repeats is the same object, so that nothing is encoded twice."""
    writer = RequestWriter("http://a", ())

    assert writer.line("GET", "/x") is writer.line("GET", "/x")
    assert writer.headers((("A", "b"),)) is writer.headers((("A", "b"),))


def test_keeping_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many paths there are, only so many are kept."""
    monkeypatch.setattr(request_head, "MAX_KEPT", 3)
    cache: dict[int, int] = {}
    sizes = [len(cache) for number in range(7) if keep(cache, number, number) == number]

    assert sizes == [1, 2, 3, 1, 2, 3, 1]


def test_unhashable_value() -> None:
    """A list for a value is refused by the header's name, though it cannot be looked up."""
    with pytest.raises(TypeError, match=r"'X'.*list"):
        RequestWriter("http://a", ()).headers((("X", ["a"]),))


def test_refusal_hides_the_password() -> None:
    """A URL that lacks its scheme is no path, and what may be a password in it is not quoted."""
    with pytest.raises(ValueError, match="must start") as refusal:
        RequestWriter("http://a", ()).line("GET", "me:s3cret@a.example/x")

    assert "s3cret" not in str(refusal.value)
