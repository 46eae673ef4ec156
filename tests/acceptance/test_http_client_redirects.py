"""Redirects are followed as `requests` follows them, within one event."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import requests

from clients.wire import errors
from tests.certificates import Certificates
from tests.fix_http_servers import Nginx
from tests.hostile_server import Ending, HostileServer, Turn, answer
from tests.visitor import Visitor


def redirect(location: str, status: int = 302, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer that sends the client elsewhere."""
    return answer(body, f"{status} Elsewhere", Location=location, **headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_method_and_body(hostile: HostileServer, status: int, method: str) -> None:
    """What becomes of them depends on status and method; `requests` is the authority."""
    target = hostile.script([answer()])
    path = hostile.script([redirect(target, status)])
    body: dict[str, Any] = {"data": b"body", "headers": {"Content-Type": "text/plain"}}
    body = body if method.startswith("P") else {}
    Visitor(hostile.url).ask(method, path, **body)
    requests.request(method, hostile.url + path, timeout=5, **body)

    ours, theirs = hostile.seen(target)
    assert (ours.method, ours.body) == (theirs.method, theirs.body)
    assert ours.header("Content-Type") == theirs.header("Content-Type")


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_no_redirect(hostile: HostileServer, status: int) -> None:
    """Other statuses of this kind are answers, even with a Location."""
    path = hostile.script([redirect("/elsewhere", status)])

    assert Visitor(hostile.url).get(path).status_code == status


def test_without_location(hostile: HostileServer) -> None:
    """A redirect to nowhere is an answer."""
    response = Visitor(hostile.url).get(hostile.script([answer(b"where?", "302 Found")]))

    assert (response.status_code, response.text) == (302, "where?")


def test_not_followed(hostile: HostileServer) -> None:
    """A user may look at the redirect itself; the next request follows them again."""
    target = hostile.script([answer()])
    path = hostile.script([redirect(target)])
    visitor = Visitor(hostile.url)
    replies = [visitor.get(path, allow_redirects=False), visitor.get(path)]

    assert [reply.status_code for reply in replies] == [302, 200]
    assert replies[0].headers["Location"] == target
    assert [event["exception"] for event in visitor.events] == [None, None]


def test_one_event_one_connection(hostile: HostileServer) -> None:
    """A chain is one request to Locust, named and measured as a whole, on one connection."""
    path = hostile.script([0.05, answer(b"there")])
    for _ in range(3):
        path = hostile.script([0.05, redirect(path, body=b"not here")])
    visitor = Visitor(hostile.url)
    response = visitor.get(path)

    (event,) = visitor.events
    assert response.text == "there"
    assert event["name"] == path
    assert event["response_length"] == len("there")
    assert event["response_time"] >= 200
    assert hostile.connections == 1


@pytest.mark.parametrize("limit", [0, 3])
def test_loop(hostile: HostileServer, limit: int) -> None:
    """A loop ends at the user's limit and is named."""
    path = hostile.script([redirect("?again")])
    visitor = Visitor(hostile.url, max_redirects=limit)

    assert visitor.fault("GET", path) is errors.TooManyRedirects
    assert len(hostile.seen(path)) == limit + 1


def test_as_many_as_allowed(hostile: HostileServer) -> None:
    """The limit itself is allowed."""
    path = hostile.script(*[[redirect("?again")]] * 3, [answer()])

    assert Visitor(hostile.url, max_redirects=3).get(path).text == "ok"


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("/b/c?d=e", "/b/c?d=e"),
        ("c", "/script/c"),
        ("../c", "/c"),
        ("./c/../d", "/script/d"),
        ("?d=e", "/script/0?d=e"),
        ("/c#part", "/c"),
        ("/a b", "/a%20b"),
        ("/ä", "/%C3%A4"),
        ("/%41%2f", "/%41%2f"),
        ("//{authority}/c", "/c"),
        ("{url}/c", "/c"),
        ("{url}", "/"),
        ("{url}?d", "/?d"),
        ("HTTP://{authority}/c", "/c"),
    ],
)
def test_location(hostile: HostileServer, location: str, wanted: str) -> None:
    """It may be relative in any way, and may hold what must be encoded."""
    authority = hostile.url.removeprefix("http://")
    text = location.format(url=hostile.url, authority=authority).encode().decode("latin-1")
    path = hostile.script([redirect(text, Connection="close"), Ending.CLOSE])
    assert path == "/script/0"
    Visitor(hostile.url, max_redirects=1).get(path)

    assert hostile.requests[1].target == wanted


@pytest.mark.parametrize(
    "location",
    ["ftp://127.0.0.1/", "mailto:a@b", "http://[::1", "http://a:b/", "javascript:1"],
)
def test_location_that_cannot_be_followed(hostile: HostileServer, location: str) -> None:
    """What is no URL of HTTP is a failure with a name."""
    assert Visitor(hostile.url).fault("GET", hostile.script([redirect(location)])) is errors.RedirectFailed


@pytest.mark.parametrize("name", ["Authorization", "Cookie"])
def test_secrets_stay_at_home(hostile: HostileServer, name: str) -> None:
    """A secret given for one host is not sent to another that it redirects to, nor to another port."""
    with closing(HostileServer()) as stranger:
        theirs = stranger.script([answer()])
        path = hostile.script([redirect(stranger.url + theirs)])
        Visitor(hostile.url).get(path, headers={name: "s=3cret"})

        assert hostile.seen(path)[0].header(name) == "s=3cret"
        assert stranger.seen(theirs)[0].header(name) is None


@pytest.mark.parametrize("way", ["auth", "host", "header"])
def test_authorization(hostile: HostileServer, way: str) -> None:
    """It goes with redirects on the same host, and does not come back from a strange one."""
    with closing(HostileServer()) as stranger:
        here = hostile.script([answer()])
        there = stranger.script([redirect(hostile.url + here)])
        again = hostile.script([redirect(stranger.url + there)])
        path = hostile.script([redirect(again)])
        host = hostile.url.replace("//", "//user:pass@") if way == "host" else hostile.url
        options: dict[str, Any] = {"auth": {"auth": ("user", "pass")}, "host": {}, "header": {}}[way]
        if way == "header":
            options = {"headers": {"authorization": "Basic dXNlcjpwYXNz"}}
        Visitor(host).get(path, **options)

        assert [seen.header("Authorization") for seen in hostile.requests[:2]] == ["Basic dXNlcjpwYXNz"] * 2
        assert stranger.requests[0].header("Authorization") is None
        assert hostile.requests[2].header("Authorization") is None


def test_to_tls(nginx: Nginx, certificates: Certificates) -> None:
    """A redirect may lead from plain HTTP to TLS."""
    visitor = Visitor(nginx.url, ssl_context_factory=certificates.client_context)

    assert visitor.get("/to-tls").text == "ok"


def test_to_a_bad_certificate(hostile: HostileServer, hostile_tls: Callable[[str], HostileServer]) -> None:
    """Where it leads is checked like any other place."""
    path = hostile.script([redirect(hostile_tls("self_signed").url)])

    assert Visitor(hostile.url).fault("GET", path) is errors.CertificateInvalid


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        ([Ending.CLOSE], errors.ClosedEarly),
        ([b"garbage\r\n\r\n", Ending.CLOSE], errors.MalformedResponse),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Ending.CLOSE], errors.IncompleteBody),
    ],
)
def test_fault_at_the_end_of_the_chain(hostile: HostileServer, turn: Turn, fault: type[Exception]) -> None:
    """The last answer's fault is the request's."""
    path = hostile.script([redirect(hostile.script(turn), Connection="close"), Ending.CLOSE])

    assert Visitor(hostile.url).fault("GET", path) is fault


def test_broken_body_of_a_redirect(hostile: HostileServer) -> None:
    """A redirect whose own body breaks off is not followed: it was no whole answer."""
    broken = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\nhalf"

    assert Visitor(hostile.url).fault("GET", hostile.script([broken, Ending.CLOSE])) is errors.IncompleteBody
