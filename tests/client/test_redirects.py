"""Redirects are followed as `requests` follows them, within one event."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import requests

from plimsoll.http1 import errors
from plimsoll.http1.client import may_keep_authorization, redirected
from plimsoll.http1.url import parse_url
from tests.certificates import Certificates
from tests.client.visitor import Visitor
from tests.fix_http_servers import Nginx
from tests.scripted_server import PATIENCE_S, Ending, ScriptedServer, Turn, answer

HERE = parse_url("http://a.example/dir/page?q")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/x", "http://a.example/x"),
        ("x", "http://a.example/dir/x"),
        ("../x?y#z", "http://a.example/x?y#z"),
        ("./c/../d", "http://a.example/dir/d"),
        ("HTTP://b.example/c", "HTTP://b.example/c"),
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
    assert redirected(302, "GET", HERE, location)[1] == url


@pytest.mark.parametrize(
    "location", ["ftp://a.example/x", "javascript:alert(1)", "mailto:a@b", "//[", "file:///etc"]
)
def test_location_that_cannot_be_followed(location: str) -> None:
    """A Location that is not an http(s) URL is a failure, whose text does not quote it."""
    with pytest.raises(errors.RedirectFailed) as failure:
        redirected(302, "GET", HERE, location)

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
def test_credentials_of(old: str, new: str, may: bool) -> None:
    """Credentials stay with their origin; only from http to https on the usual ports they go along."""
    assert may_keep_authorization(parse_url(old).origin, parse_url(new).origin) is may


def redirect(location: str, status: int = 302, body: bytes = b"", **headers: str) -> bytes:
    """Return a response that sends the client elsewhere."""
    return answer(body, f"{status} Elsewhere", Location=location, **headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_method_and_body_are_those_of_requests(server: ScriptedServer, status: int, method: str) -> None:
    """What becomes of them depends on status and method, as with `requests`."""
    target = server.script([answer()])
    path = server.script([redirect(target, status)])
    body: dict[str, Any] = {"data": b"body", "headers": {"Content-Type": "text/plain"}}
    body = body if method.startswith("P") else {}
    Visitor(server.url).ask(method, path, **body)
    requests.request(method, server.url + path, timeout=PATIENCE_S, **body)

    ours, theirs = server.seen(target)
    assert (ours.method, ours.body) == (theirs.method, theirs.body)
    assert ours.header("Content-Type") == theirs.header("Content-Type")


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_no_redirect(server: ScriptedServer, status: int) -> None:
    """Other statuses of this kind are responses like any, even with a Location."""
    path = server.script([redirect("/elsewhere", status)])

    assert Visitor(server.url).get(path).status_code == status


def test_without_location(server: ScriptedServer) -> None:
    """A redirect to nowhere is a response like any."""
    response = Visitor(server.url).get(server.script([answer(b"where?", "302 Found")]))

    assert (response.status_code, response.text) == (302, "where?")


def test_not_followed(server: ScriptedServer) -> None:
    """A user may look at the redirect itself; the next request follows them again."""
    target = server.script([answer()])
    path = server.script([redirect(target)])
    visitor = Visitor(server.url)
    replies = [visitor.get(path, allow_redirects=False), visitor.get(path)]

    assert [reply.status_code for reply in replies] == [302, 200]
    assert replies[0].headers["Location"] == target
    assert [event["exception"] for event in visitor.events] == [None, None]


def test_one_event_one_connection(server: ScriptedServer) -> None:
    """A chain is one request to Locust, named and measured as a whole, on one connection."""
    path = server.script([0.05, answer(b"there")])
    for _ in range(3):
        path = server.script([0.05, redirect(path, body=b"not here")])
    visitor = Visitor(server.url)
    response = visitor.get(path)

    (event,) = visitor.events
    assert response.text == "there"
    assert event["name"] == path
    assert event["response_length"] == len("there")
    assert event["response_time"] >= 200
    assert server.connections == 1


@pytest.mark.parametrize("limit", [0, 3])
def test_loop(server: ScriptedServer, limit: int) -> None:
    """A loop ends at the user's limit and is named."""
    path = server.script([redirect("?again")])
    visitor = Visitor(server.url, max_redirects=limit)

    assert visitor.fault("GET", path) is errors.TooManyRedirects
    assert len(server.seen(path)) == limit + 1


def test_as_many_as_allowed(server: ScriptedServer) -> None:
    """The limit itself is allowed."""
    path = server.script(*[[redirect("?again")]] * 3, [answer()])

    assert Visitor(server.url, max_redirects=3).get(path).text == "ok"


@pytest.mark.parametrize(
    ("location", "wanted"), [("c?d#part", "/script/c?d"), ("/a b/ä", "/a%20b/%C3%A4"), ("{url}", "/")]
)
def test_location_is_asked_for(server: ScriptedServer, location: str, wanted: str) -> None:
    """It is sent like any URL of the user's: encoded where it must be, and without a fragment."""
    text = location.format(url=server.url).encode().decode("latin-1")
    path = server.script([redirect(text, Connection="close"), Ending.CLOSE])
    Visitor(server.url, max_redirects=1).get(path)

    assert server.requests[1].target == wanted


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "http://a:b/", "http://[::1"])
def test_redirect_that_cannot_be_followed(server: ScriptedServer, location: str) -> None:
    """A Location that cannot be asked for is a failure with a name."""
    assert Visitor(server.url).fault("GET", server.script([redirect(location)])) is errors.RedirectFailed


@pytest.mark.parametrize("name", ["Authorization", "Cookie"])
def test_secrets_stay_at_home(server: ScriptedServer, name: str) -> None:
    """A secret given for one host is not sent to another that it redirects to, nor to another port."""
    with closing(ScriptedServer()) as stranger:
        theirs = stranger.script([answer()])
        path = server.script([redirect(stranger.url + theirs)])
        Visitor(server.url).get(path, headers={name: "s=3cret"})

        assert server.seen(path)[0].header(name) == "s=3cret"
        assert stranger.seen(theirs)[0].header(name) is None


@pytest.mark.parametrize("way", ["auth", "host", "header"])
def test_authorization(server: ScriptedServer, way: str) -> None:
    """It goes with redirects on the same host, and does not come back from a strange one."""
    with closing(ScriptedServer()) as stranger:
        here = server.script([answer()])
        there = stranger.script([redirect(server.url + here)])
        again = server.script([redirect(stranger.url + there)])
        path = server.script([redirect(again)])
        host = server.url.replace("//", "//user:pass@") if way == "host" else server.url
        options: dict[str, Any] = {"auth": {"auth": ("user", "pass")}, "host": {}, "header": {}}[way]
        if way == "header":
            options = {"headers": {"authorization": "Basic dXNlcjpwYXNz"}}
        Visitor(host).get(path, **options)

        assert [seen.header("Authorization") for seen in server.requests[:2]] == ["Basic dXNlcjpwYXNz"] * 2
        assert stranger.requests[0].header("Authorization") is None
        assert server.requests[2].header("Authorization") is None


def test_to_tls(nginx: Nginx, certificates: Certificates) -> None:
    """A redirect may lead from plain HTTP to TLS."""
    visitor = Visitor(nginx.url, ssl_context_factory=certificates.client_context)

    assert visitor.get("/to-tls").text == "ok"


def test_to_a_bad_certificate(server: ScriptedServer, start_tls: Callable[[str], ScriptedServer]) -> None:
    """Where it leads is checked like any other place."""
    path = server.script([redirect(start_tls("self_signed").url)])

    assert Visitor(server.url).fault("GET", path) is errors.CertificateInvalid


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        ([Ending.CLOSE], errors.ClosedEarly),
        ([b"garbage\r\n\r\n", Ending.CLOSE], errors.MalformedResponse),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Ending.CLOSE], errors.IncompleteBody),
    ],
)
def test_failure_at_the_end_of_the_chain(server: ScriptedServer, turn: Turn, fault: type[Exception]) -> None:
    """The last response's failure is the request's."""
    path = server.script([redirect(server.script(turn), Connection="close"), Ending.CLOSE])

    assert Visitor(server.url).fault("GET", path) is fault


def test_broken_body_of_a_redirect(server: ScriptedServer) -> None:
    """A redirect whose own body breaks off is not followed: it was no whole response."""
    broken = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\nhalf"

    assert Visitor(server.url).fault("GET", server.script([broken, Ending.CLOSE])) is errors.IncompleteBody
