"""Cookies: which go where, and until when."""

from __future__ import annotations

import time

import pytest

from clients.wire import cookies
from clients.wire.cookies import Jar, merge
from clients.wire.response_head import ResponseHeaders
from clients.wire.url import parse_url

HOME = "http://a.example/dir/page"


def jar_with(*set_cookies: str, url: str = HOME) -> Jar:
    """Return a jar after one answer from a URL."""
    jar = Jar()
    store(jar, *set_cookies, url=url)
    return jar


def store(jar: Jar, *set_cookies: str, url: str = HOME) -> None:
    """Put what an answer sets into a jar."""
    lines = "".join(f"Set-Cookie: {line}\r\n" for line in set_cookies)
    jar.store(parse_url(url), ResponseHeaders(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1")))


def sent(jar: Jar, url: str) -> str:
    """Return the Cookie header for a URL."""
    return jar.header_for(parse_url(url))


@pytest.mark.parametrize(
    ("set_cookie", "url", "header"),
    [
        ("a=1", "http://a.example/dir/other", "a=1"),
        ("a=1", "http://a.example/elsewhere", ""),
        ("a=1; Path=/", "http://a.example/elsewhere?x", "a=1"),
        ("a=1; Path=/", "http://b.example/", ""),
        ("a=1; Path=/", "http://sub.a.example/", ""),
        ("a=1; Path=/; Domain=a.example", "http://sub.a.example/", "a=1"),
        ("a=1; Path=/; Domain=b.example", "http://b.example/", ""),
        ("a=1; Path=/; Secure", "http://a.example/", ""),
        ("a=1; Path=/; Secure", "https://a.example/", "a=1"),
        ("a=1; Path=/; Max-Age=0", "http://a.example/", ""),
        ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "http://a.example/", ""),
        ("a=1; Path=/; Max-Age=60", "http://a.example/", "a=1"),
        ('a="1 2"; Path=/', "http://a.example/", 'a="1 2"'),
    ],
)
def test_cookie(set_cookie: str, url: str, header: str) -> None:
    """Path, domain, Secure and expiry decide where a cookie goes; asking again changes nothing."""
    jar = jar_with(set_cookie)

    assert [sent(jar, url), sent(jar, url)] == [header, header]


@pytest.mark.parametrize(("domain", "header"), [("0.0.1", ""), ("127.0.0.1", "a=1")])
def test_address(domain: str, header: str) -> None:
    """A server that is addressed by number sets cookies for itself only."""
    jar = jar_with(f"a=1; Path=/; Domain={domain}", url="http://127.0.0.1:81/")

    assert sent(jar, "http://127.0.0.1:82/") == header


def test_changes_show_at_once() -> None:
    """A header that was kept is forgotten when a cookie changes, comes or goes."""
    jar = jar_with("a=1; Path=/")
    seen = [sent(jar, HOME)]
    store(jar, "a=2; Path=/")
    seen.append(sent(jar, HOME))
    store(jar, "b=3; Path=/")
    seen.append(sent(jar, HOME))
    jar.clear()
    seen.append(sent(jar, HOME))

    assert seen == ["a=1", "a=2", "a=2; b=3", ""]


def test_expiry_shows_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cookie is not sent once its time is over, though its header was kept."""
    jar = jar_with("a=1; Path=/; Max-Age=10", "b=2; Path=/")
    before, now_s = sent(jar, HOME), time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 11)

    assert (before, sent(jar, HOME)) == ("a=1; b=2", "b=2")


def test_kept_headers_end() -> None:
    """Where headers depend on the path, only so many are kept."""
    jar = jar_with("a=1; Path=/dir")
    for number in range(cookies._MAX_KEPT_PATHS * 2 + 1):
        assert sent(jar, f"http://a.example/dir/{number}") == "a=1"

    assert len(jar._headers) == 1


@pytest.mark.parametrize(
    ("header", "more", "expected"),
    [
        ("", {"a": 1}, "a=1"),
        ("a=1; b=2", {"c": "3"}, "a=1; b=2; c=3"),
        ("a=1; a=2; b=3", {"a": 4}, "b=3; a=4"),
    ],
)
def test_merge(header: str, more: dict[str, object], expected: str) -> None:
    """Cookies of a request go beside those of the jar, and in place of those of the same name."""
    assert merge(header, more) == expected


@pytest.mark.parametrize(
    ("name", "value"), [("a", "s3cret; b=1"), ("a", "s3cret\r\n"), ("a;", "s3cret"), ("", "s3cret")]
)
def test_injection(name: str, value: str) -> None:
    """A cookie that would be more than one is refused by its name."""
    with pytest.raises(ValueError, match="cookie") as refusal:
        merge("", {name: value})

    assert "s3cret" not in str(refusal.value)
