"""URLs taken apart, encoded, and shown without their secrets."""

from __future__ import annotations

import string
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.http1.url import (
    Origin,
    basic_auth,
    encode_pairs,
    encode_target,
    is_absolute,
    parse_url,
    with_params,
    without_credentials,
)


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("http://a.example", Origin("http", "a.example", 80), "/"),
        ("https://a.example/x?y=1#z", Origin("https", "a.example", 443), "/x?y=1"),
        ("HTTP://A.example:8080?y", Origin("http", "a.example", 8080), "/?y"),
        ("http://[::1]:81/x", Origin("http", "::1", 81), "/x"),
        ("http://bücher.example/ü", Origin("http", "xn--bcher-kva.example", 80), "/%C3%BC"),
    ],
)
def test_parts(text: str, origin: Origin, target: str) -> None:
    """A URL gives its origin, with the scheme's port where it has none, and what to ask for there."""
    url = parse_url(text)

    assert (url.origin, url.target, url.authorization) == (origin, target, "")


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("http://a:80/", "a"),
        ("http://a:443/", "a:443"),
        ("https://[::1]:443/", "[::1]"),
        ("http://[::1]:1/", "[::1]:1"),
    ],
)
def test_authority(text: str, authority: str) -> None:
    """The Host header leaves out the scheme's own port and keeps the brackets of IPv6."""
    assert parse_url(text).origin.authority == authority


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.example",
        "/x",
        "ftp://a.example",
        "http://",
        "http:///x",
        "http://a:0",
        "http://a:65536",
        "http://a:x",
        "http://a b",
        "http://a\tb c",
        "http://[::1",
        "http://[a]/",
    ],
)
def test_no_url(text: str) -> None:
    """What is no web address is refused, with the text it was."""
    with pytest.raises(ValueError, match="URL"):
        parse_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://me:s3cret@",
        "http://me:s3cret/@a:x",
        "me:s3cret@a",
        "http://me:s3cret@a:99999/",
        "ftp://x:s3cret@a",
    ],
)
def test_refusal_hides_the_password(text: str) -> None:
    """The text of a refusal quotes nothing that may be a password."""
    with pytest.raises(ValueError, match="URL") as refusal:
        parse_url(text)

    assert "s3cret" not in str(refusal.value)


def test_credentials() -> None:
    """User and password become a Basic header, decoded, and are in no text."""
    url = parse_url("http://me:p%40ss@a.example/x")

    assert url.authorization == "Basic bWU6cEBzcw=="  # base64 of me:p@ss
    assert str(url) == "http://a.example/x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:pass@a/x?y=@", "http://a/x?y=@"),
        ("http://a/@me", "http://a/@me"),
        ("/users/@me", "/users/@me"),
        ("http://me@you@a", "http://a"),
    ],
)
def test_without_credentials(url: str, shown: str) -> None:
    """Only what stands before the host is taken off."""
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://a", True), ("HTTPS://a", True), ("/http://a", False), ("httpx://a", False), ("", False)],
)
def test_is_absolute(url: str, expected: bool) -> None:
    """Only http and https URLs name a host."""
    assert is_absolute(url) is expected


@pytest.mark.parametrize(
    ("target", "encoded"),
    [
        ("/a/b?c=d&e=f;g", "/a/b?c=d&e=f;g"),
        ("/a b", "/a%20b"),
        ("/%20%zz%", "/%20%25zz%25"),
        ("/a#b", "/a"),
        ('/[a]|"<>\\^`{}', "/%5Ba%5D%7C%22%3C%3E%5C%5E%60%7B%7D"),
        ("/a\r\nHost: b", "/a%0D%0AHost:%20b"),
        ("/…", "/%E2%80%A6"),
    ],
)
def test_encode_target(target: str, encoded: str) -> None:
    """What may not stand in a request line is encoded once, what is encoded already stays."""
    assert encode_target(target) == encoded
    assert encode_target(encoded) == encoded


@given(target=st.text(st.characters(exclude_characters="#%", exclude_categories=["Cs"])).map("/{}".format))
def test_any_target_can_be_sent(target: str) -> None:
    """Whatever a path holds, what is sent is visible ASCII and decodes to it."""
    encoded = encode_target(target)

    assert set(encoded) <= set(string.printable) - set(string.whitespace)
    assert unquote(encoded) == target


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("/x", {"a": 1, "b": "c d"}, "/x?a=1&b=c+d"),
        ("/x?a=1", {"b": [2, 3]}, "/x?a=1&b=2&b=3"),
        ("/x", {"a": None}, "/x"),
        ("/x", "raw=1", "/x?raw=1"),
        ("/x#y", [("a", "1"), ("a", "2")], "/x?a=1&a=2#y"),
        ("/x", {}, "/x"),
    ],
)
def test_with_params(url: str, params: object, expected: str) -> None:
    """Parameters go to the end of the query; a list gives one each, None gives none."""
    assert with_params(url, params) == expected


@given(fields=st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_pairs_come_back(fields: dict[str, str]) -> None:
    """What is written as a query reads as the same pairs."""
    assert dict(parse_qsl(urlsplit(f"/?{encode_pairs(fields)}").query, strict_parsing=bool(fields))) == fields


def test_basic_auth() -> None:
    """The example of RFC 7617."""
    assert basic_auth("Aladdin", b"open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
