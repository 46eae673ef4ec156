"""Where redirects lead, with which method, and what must not go along."""

from __future__ import annotations

import pytest

from clients.wire.errors import RedirectFailed
from clients.wire.redirects import REDIRECT_STATUSES, may_keep_authorization, next_step
from clients.wire.url import parse_url

HERE = parse_url("http://a.example/dir/page?q")


@pytest.mark.parametrize(
    ("status", "method", "next_method"),
    [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (301, "PUT", "PUT"),
        (302, "POST", "GET"),
        (302, "PUT", "GET"),
        (302, "HEAD", "HEAD"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
def test_method(status: int, method: str, next_method: str) -> None:
    """POST becomes GET by 301, everything but HEAD by 302 and 303, nothing by 307 and 308."""
    assert next_step(status, method, HERE, "/").method == next_method


@pytest.mark.parametrize("status", sorted(REDIRECT_STATUSES))
def test_body(status: int) -> None:
    """Only 307 and 308 carry the body along."""
    assert next_step(status, "PUT", HERE, "/").keeps_body is (status in {307, 308})


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/x", "http://a.example/x"),
        ("x", "http://a.example/dir/x"),
        ("../x?y#z", "http://a.example/x?y#z"),
        ("?r", "http://a.example/dir/page?r"),
        ("//b.example/x", "http://b.example/x"),
        ("https://b.example", "https://b.example"),
        (" /x ", "http://a.example/x"),
        ("/Ã¼", "http://a.example/ü"),  # the bytes of "ü" in UTF-8, read by Latin-1
        ("/\xfc", "http://a.example/ü"),
    ],
)
def test_location(location: str, url: str) -> None:
    """A Location may be relative in every way, and is read as UTF-8 where it is that."""
    assert next_step(302, "GET", HERE, location).url == url


@pytest.mark.parametrize(
    "location", ["ftp://a.example/x", "javascript:alert(1)", "mailto:a@b", "//[", "file:///etc"]
)
def test_no_web_address(location: str) -> None:
    """A Location that is no web address fails by a text without it."""
    with pytest.raises(RedirectFailed) as failure:
        next_step(302, "GET", HERE, location)

    assert location not in str(failure.value)


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("http://a", "http://a:80", True),
        ("http://a", "https://a", True),
        ("https://a", "http://a", False),
        ("http://a", "http://b", False),
        ("http://a", "http://a:81", False),
        ("http://a:81", "https://a", False),
        ("http://a", "https://b", False),
    ],
)
def test_authorization(old: str, new: str, may: bool) -> None:
    """Credentials stay with their origin; only from http to https on the usual ports they go along."""
    assert may_keep_authorization(parse_url(old).origin, parse_url(new).origin) is may
