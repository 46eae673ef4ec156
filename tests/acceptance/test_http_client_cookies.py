"""Cookies go back to whom they are from, for as long as they are valid, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from http.cookies import SimpleCookie

import pytest

from tests.certificates import Certificates
from tests.hostile_server import HostileServer, answer
from tests.visitor import Visitor

PAST, FUTURE = "Thu, 01 Jan 1998 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


def setting(*cookies: str) -> bytes:
    """Return an answer that sets cookies, each in a header of its own."""
    lines = "".join(f"Set-Cookie: {cookie}\r\n" for cookie in cookies)
    return f"HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n".encode("latin-1")


def sent(server: HostileServer, path: str) -> dict[str, str]:
    """Return the cookies that came with the last request for a path."""
    header = server.seen(path)[-1].header("Cookie")
    return {name: morsel.value for name, morsel in SimpleCookie(header or "").items()}


@pytest.mark.parametrize(
    "cookie",
    [
        "a=b",
        "a=b; Path=/",
        "a=b; Path=/script",
        "a=b; HttpOnly; SameSite=Lax",
        "a=b; Max-Age=1000",
        f"a=b; Expires={FUTURE}",
        f"a=b; Max-Age=1000; Expires={PAST}",
        "  a = b ;Path=/",
        "a=b; Domain=127.0.0.1",
        "a=b; Unknown=x; Priority=High",
    ],
)
def test_comes_back(hostile: HostileServer, cookie: str) -> None:
    """A cookie that is valid here is sent with the requests that follow."""
    path = hostile.script([setting(cookie)], [answer()])
    visitor = Visitor(hostile.url)
    for _ in range(3):
        visitor.get(path)

    assert [seen.header("Cookie") for seen in hostile.seen(path)] == [None, "a=b", "a=b"]


@pytest.mark.parametrize(
    "cookie",
    [
        "a=b; Path=/elsewhere",
        "a=b; Path=/scr",
        "a=b; Max-Age=0",
        "a=b; Max-Age=-1",
        f"a=b; Expires={PAST}",
        "a=b; Secure",
        "a=b; Domain=example.com",
        "a=b; Domain=localhost",
        "=b",
        "",
    ],
)
def test_does_not_come_back(hostile: HostileServer, cookie: str) -> None:
    """A cookie for another path, host, scheme or time, or none at all, is not sent and fails nothing."""
    path = hostile.script([setting(cookie)], [answer()])
    visitor = Visitor(hostile.url)
    for _ in range(2):
        visitor.get(path)

    assert sent(hostile, path) == {}
    assert [event["exception"] for event in visitor.events] == [None, None]


def test_several_at_once(hostile: HostileServer) -> None:
    """All are kept, and go back in one header."""
    path = hostile.script([setting("a=1", "b=2; Max-Age=9", f"c=3; Expires={FUTURE}")], [answer()])
    visitor = Visitor(hostile.url)
    visitor.get(path)
    visitor.get(path)

    assert sent(hostile, path) == {"a": "1", "b": "2", "c": "3"}


def test_changes_and_ends(hostile: HostileServer) -> None:
    """A later value replaces the first; one that has expired takes the cookie away."""
    path = hostile.script([setting("a=1", "b=1")], [setting("a=2")], [setting("a=; Max-Age=0")], [answer()])
    visitor = Visitor(hostile.url)
    came = []
    for _ in range(4):
        visitor.get(path)
        came.append(sent(hostile, path))

    assert came == [{}, {"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"b": "1"}]


def test_default_path(hostile: HostileServer) -> None:
    """Without a path a cookie is for the folder it came from."""
    path = hostile.script([setting("a=b")], [answer()])
    visitor = Visitor(hostile.url)
    visitor.get(path)
    visitor.get(path + "?query")

    assert sent(hostile, path) == {"a": "b"}
    with closing(HostileServer()) as server:
        outside = server.script([answer()])
        visitor.get(server.url + outside)
        assert sent(server, outside) == {"a": "b"}  # hosts are told apart by name, not by port


def test_other_host(hostile: HostileServer) -> None:
    """The same server under another name is another host."""
    path = hostile.script([setting("a=b; Path=/")], [answer()])
    visitor = Visitor(hostile.url)
    visitor.get(path)
    visitor.get(hostile.url.replace("127.0.0.1", "localhost") + path)

    assert sent(hostile, path) == {}


def test_users_share_nothing(hostile: HostileServer) -> None:
    """Each user has cookies of its own."""
    path = hostile.script([setting("a=b")], [answer()])
    Visitor(hostile.url).get(path)
    Visitor(hostile.url).get(path)

    assert sent(hostile, path) == {}


def test_set_by_a_redirect(hostile: HostileServer) -> None:
    """A login that answers with a cookie and a redirect is signed in at its end."""
    target = hostile.script([answer()])
    path = hostile.script([answer(b"", "302 Found", Location=target, Set_Cookie="session=1; Path=/")])
    Visitor(hostile.url).get(path)

    assert sent(hostile, target) == {"session": "1"}


def test_set_by_a_failure(hostile: HostileServer) -> None:
    """An error status may set cookies as well."""
    path = hostile.script([answer(b"", "403 Forbidden", Set_Cookie="a=b")], [answer()])
    visitor = Visitor(hostile.url)
    visitor.get(path)
    visitor.get(path)

    assert sent(hostile, path) == {"a": "b"}


def test_for_one_request(hostile: HostileServer) -> None:
    """Cookies given with a request go beside those that are kept, and are not kept."""
    path = hostile.script([setting("a=b")], [answer()])
    visitor = Visitor(hostile.url)
    visitor.get(path, cookies={"mine": "1"})
    first = sent(hostile, path)
    visitor.get(path, cookies={"mine": "2"})
    second = sent(hostile, path)
    visitor.get(path)

    assert (first, second, sent(hostile, path)) == ({"mine": "1"}, {"a": "b", "mine": "2"}, {"a": "b"})


def test_cookie_header_of_ones_own(hostile: HostileServer) -> None:
    """A Cookie header is sent as it is."""
    path = hostile.script([answer()])
    Visitor(hostile.url).get(path, headers={"Cookie": "a=b; c=d"})

    assert sent(hostile, path) == {"a": "b", "c": "d"}


def test_secure_over_tls(
    hostile: HostileServer, hostile_tls: Callable[[str], HostileServer], certificates: Certificates
) -> None:
    """A secure cookie is sent over TLS, and never without."""
    server = hostile_tls("good")
    path, plain = server.script([setting("a=b; Secure; Path=/")], [answer()]), hostile.script([answer()])
    visitor = Visitor(server.url, ssl_context_factory=certificates.client_context)
    visitor.get(path)
    visitor.get(path)
    visitor.get(hostile.url + plain)

    assert (sent(server, path), sent(hostile, plain)) == ({"a": "b"}, {})


def test_response_shows_cookies(hostile: HostileServer) -> None:
    """What an answer set can be looked at."""
    response = Visitor(hostile.url).get(hostile.script([setting("a=1; Path=/", "b=2")]))

    assert {name: response.cookies[name] for name in ("a", "b")} == {"a": "1", "b": "2"}


def test_injection(hostile: HostileServer) -> None:
    """A cookie that would end the header is refused before anything is sent."""
    with pytest.raises(ValueError, match=r"(?i)cookie"):
        Visitor(hostile.url).get("/", cookies={"a": "b\r\nX-A: c"})

    assert hostile.requests == []
