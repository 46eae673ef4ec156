"""Cookies go back to whom they are from, for as long as they are valid, and to nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookies import SimpleCookie

import pytest

from plimsoll.http1 import cookies
from plimsoll.http1.cookies import Jar, merge_cookies
from plimsoll.http1.response import ResponseHeaders
from plimsoll.http1.url import parse_url
from tests.certificates import Certificates
from tests.client.visitor import Visitor
from tests.scripted_server import ScriptedServer, answer

PAST, FUTURE = "Thu, 01 Jan 1998 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
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


def header_for(jar: Jar, url: str) -> str:
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
        ("a=1; Path=/; Max-Age=60", "http://a.example/", "a=1"),
        ('a="1 2"; Path=/', "http://a.example/", 'a="1 2"'),
        ("a=1; Path=/dir", HOME, "a=1"),
        ("a=1; Path=/di", HOME, ""),
        ("a=1; HttpOnly; SameSite=Lax; Unknown=x; Priority=High", HOME, "a=1"),
        (f"a=1; Max-Age=1000; Expires={PAST}", HOME, "a=1"),
        (f"a=1; Expires={PAST}", HOME, ""),
        (f"a=1; Expires={FUTURE}", HOME, "a=1"),
        ("a=1; Max-Age=-1", HOME, ""),
        ("  a = 1 ;Path=/", HOME, "a=1"),
        ("=1", HOME, ""),
        ("", HOME, ""),
    ],
)
def test_cookie(set_cookie: str, url: str, header: str) -> None:
    """Path, domain, Secure and expiry decide where a cookie goes; asking again changes nothing."""
    jar = jar_with(set_cookie)

    assert [header_for(jar, url), header_for(jar, url)] == [header, header]


@pytest.mark.parametrize(("domain", "header"), [("0.0.1", ""), ("127.0.0.1", "a=1")])
def test_address(domain: str, header: str) -> None:
    """A server that is addressed by number sets cookies for itself only."""
    jar = jar_with(f"a=1; Path=/; Domain={domain}", url="http://127.0.0.1:81/")

    assert header_for(jar, "http://127.0.0.1:82/") == header


def test_changes_show_at_once() -> None:
    """A header that was kept is forgotten when a cookie changes, comes or goes."""
    jar = jar_with("a=1; Path=/")
    seen = [header_for(jar, HOME)]
    store(jar, "a=2; Path=/")
    seen.append(header_for(jar, HOME))
    store(jar, "b=3; Path=/")
    seen.append(header_for(jar, HOME))
    jar.clear()
    seen.append(header_for(jar, HOME))

    assert seen == ["a=1", "a=2", "a=2; b=3", ""]


def test_expiry_shows_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cookie is not sent once its time is over, though its header was kept."""
    jar = jar_with("a=1; Path=/; Max-Age=10", "b=2; Path=/")
    before, now_s = header_for(jar, HOME), time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 11)

    assert (before, header_for(jar, HOME)) == ("a=1; b=2", "b=2")


def test_kept_headers_end() -> None:
    """Where headers depend on the path, only so many are kept."""
    jar = jar_with("a=1; Path=/dir")
    for number in range(cookies._MAX_CACHED_PATHS * 2 + 1):
        assert header_for(jar, f"http://a.example/dir/{number}") == "a=1"

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
    assert merge_cookies(header, more) == expected


@pytest.mark.parametrize(
    ("name", "value"), [("a", "s3cret; b=1"), ("a", "s3cret\r\n"), ("a;", "s3cret"), ("", "s3cret")]
)
def test_injection(name: str, value: str) -> None:
    """A cookie that would be more than one is refused by its name."""
    with pytest.raises(ValueError, match="cookie") as refusal:
        merge_cookies("", {name: value})

    assert "s3cret" not in str(refusal.value)


def setting(*cookies: str) -> bytes:
    """Return a response that sets cookies, each in a header of its own."""
    lines = "".join(f"Set-Cookie: {cookie}\r\n" for cookie in cookies)
    return f"HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n".encode("latin-1")


def sent(server: ScriptedServer, path: str) -> dict[str, str]:
    """Return the cookies that came with the last request for a path."""
    header = server.seen(path)[-1].header("Cookie")
    return {name: morsel.value for name, morsel in SimpleCookie(header or "").items()}


def test_comes_back(server: ScriptedServer) -> None:
    """A cookie is sent with the requests that follow, however its header is written."""
    path = server.script([b"HTTP/1.1 200 OK\r\nsEt-cOOkIe: a=b\r\nContent-Length: 0\r\n\r\n"], [answer()])
    visitor = Visitor(server.url)
    for _ in range(3):
        visitor.get(path)

    assert [seen.header("Cookie") for seen in server.seen(path)] == [None, "a=b", "a=b"]


def test_changes_and_ends(server: ScriptedServer) -> None:
    """A later value replaces the first; one that has expired takes the cookie away."""
    path = server.script([setting("a=1", "b=1")], [setting("a=2")], [setting("a=; Max-Age=0")], [answer()])
    visitor = Visitor(server.url)
    came = []
    for _ in range(4):
        visitor.get(path)
        came.append(sent(server, path))

    assert came == [{}, {"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"b": "1"}]


def test_users_share_nothing(server: ScriptedServer) -> None:
    """Each user has cookies of its own."""
    path = server.script([setting("a=b")], [answer()])
    Visitor(server.url).get(path)
    Visitor(server.url).get(path)

    assert sent(server, path) == {}


def test_set_by_a_redirect(server: ScriptedServer) -> None:
    """A login that answers with a cookie and a redirect is signed in at its end."""
    target = server.script([answer()])
    path = server.script([answer(b"", "302 Found", Location=target, Set_Cookie="session=1; Path=/")])
    Visitor(server.url).get(path)

    assert sent(server, target) == {"session": "1"}


def test_set_by_a_failure(server: ScriptedServer) -> None:
    """An error status may set cookies as well."""
    path = server.script([answer(b"", "403 Forbidden", Set_Cookie="a=b")], [answer()])
    visitor = Visitor(server.url)
    visitor.get(path)
    visitor.get(path)

    assert sent(server, path) == {"a": "b"}


@pytest.mark.parametrize(("method", "data"), [("GET", None), ("POST", None), ("POST", b"body")])
def test_beside_any_body(server: ScriptedServer, method: str, data: bytes | None) -> None:
    """Cookies are headers of a request of any kind."""
    path = server.script([setting("a=b")], [answer()])
    visitor = Visitor(server.url)
    visitor.get(path)
    visitor.ask(method, path, data=data, headers={"X": "y"} if data else None)

    assert sent(server, path) == {"a": "b"}
    assert server.seen(path)[-1].body == (data or b"")


def test_for_one_request(server: ScriptedServer) -> None:
    """Cookies given with a request go beside those that are kept, and are not kept."""
    path = server.script([setting("a=b")], [answer()])
    visitor = Visitor(server.url)
    visitor.get(path, cookies={"mine": "1"})
    first = sent(server, path)
    visitor.get(path, cookies={"mine": "2"})
    second = sent(server, path)
    visitor.get(path)

    assert (first, second, sent(server, path)) == ({"mine": "1"}, {"a": "b", "mine": "2"}, {"a": "b"})


def test_cookie_header_of_ones_own(server: ScriptedServer) -> None:
    """A Cookie header is sent as it is."""
    path = server.script([answer()])
    Visitor(server.url).get(path, headers={"Cookie": "a=b; c=d"})

    assert sent(server, path) == {"a": "b", "c": "d"}


def test_secure_over_tls(
    server: ScriptedServer, start_tls: Callable[[str], ScriptedServer], certificates: Certificates
) -> None:
    """A secure cookie is sent over TLS, and never without."""
    secure, plain = start_tls("good"), server.script([answer()])
    path = secure.script([setting("a=b; Secure; Path=/")], [answer()])
    visitor = Visitor(secure.url, ssl_context_factory=certificates.client_context)
    visitor.get(path)
    visitor.get(path)
    visitor.get(server.url + plain)

    assert (sent(secure, path), sent(server, plain)) == ({"a": "b"}, {})


def test_injection_by_a_request(server: ScriptedServer) -> None:
    """A cookie that would end the header is refused before anything is sent."""
    with pytest.raises(ValueError, match=r"(?i)cookie"):
        Visitor(server.url).get("/", cookies={"a": "b\r\nX-A: c"})

    assert server.requests == []
