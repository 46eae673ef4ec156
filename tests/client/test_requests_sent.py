"""What is sent: paths, queries, headers and bodies of every kind, and what is refused before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.client.visitor import Visitor
from tests.scripted_server import ScriptedServer, Seen, answer

Send = Callable[..., Seen]


@pytest.fixture
def send(server: ScriptedServer) -> Send:
    """Give a function that sends a request and returns what the server saw."""

    def send_one(method: str = "GET", suffix: str = "", **options: Any) -> Seen:
        path = server.script([answer()])
        assert Visitor(server.url).ask(method, path + suffix, **options).status_code == 200
        return server.requests[-1]

    return send_one


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_methods(server: ScriptedServer, method: str) -> None:
    """Each has a function of its own."""
    path = server.script([answer(b"" if method == "HEAD" else b"ok")])
    visitor = Visitor(server.url)

    assert getattr(visitor.client, method.lower())(path).status_code == 200
    assert server.seen(path)[0].method == visitor.events[0]["request_type"] == method


@pytest.mark.parametrize(
    ("suffix", "params", "query"),
    [
        ("?a=b", {"c": ["d e", 1], "f": None}, "a=b&c=d+e&c=1"),
        ("?a=ä b#fragment", None, "a=%C3%A4%20b"),
        ("?a=%41%zz", None, "a=%41%25zz"),
    ],
)
def test_query(send: Send, suffix: str, params: Any, query: str) -> None:
    """It is sent encoded, with the parameters behind it, and without a fragment."""
    assert send("GET", suffix, params=params).target.partition("?")[2] == query


@pytest.mark.parametrize(
    ("options", "body", "content_type"),
    [
        ({"data": b"\x00\xff"}, b"\x00\xff", "application/octet-stream"),
        ({"data": "käse"}, "käse".encode(), "text/plain; charset=utf-8"),
        ({"data": {"a": "b c", "d": ["1", "2"]}}, b"a=b+c&d=1&d=2", "application/x-www-form-urlencoded"),
        ({"json": {"a": [1, None]}}, b'{"a": [1, null]}', "application/json"),
        ({"json": False}, b"false", "application/json"),
        ({"data": b"", "json": 0}, b"0", "application/json"),
        ({"data": "<a/>", "headers": {"content-type": "text/xml"}}, b"<a/>", "text/xml"),
        ({"json": 1, "headers": {"Content-Type": "application/vnd.a+json"}}, b"1", "application/vnd.a+json"),
        ({}, b"", None),
    ],
)
def test_bodies(send: Send, options: dict[str, Any], body: bytes, content_type: str | None) -> None:
    """Each kind is written as it should be, with its length, and the type that FastHttpUser gives it."""
    seen = send("POST", **options)

    assert (seen.body, seen.header("Content-Type")) == (body, content_type)
    assert seen.header("Content-Length") == str(len(body))


def test_headers(send: Send) -> None:
    """Names keep their case; values may be any text of Latin-1."""
    seen = send(headers={"X-Camel-Case": "value", "x-lower": "käse", "X-Empty": "", "X-Spaces": "a  b"})

    assert ("X-Camel-Case", "value") in seen.headers
    assert ("x-lower", "käse") in seen.headers
    assert seen.header("X-Spaces") == "a  b"


def test_own_headers_win(server: ScriptedServer) -> None:
    """A header of the request replaces the class's, in any case; nothing is sent twice."""
    path = server.script([answer()])
    visitor = Visitor(server.url, default_headers={"User-Agent": "class", "X-A": "class"})
    visitor.get(path, headers={"user-agent": "request", "Host": "elsewhere.example"})
    (seen,) = server.seen(path)

    assert (seen.header("User-Agent"), seen.header("X-A")) == ("request", "class")
    assert seen.header("Host") == "elsewhere.example"


def test_headers_of_the_caller_are_left_alone(send: Send) -> None:
    """The dictionary that a task passes in is its own."""
    headers = {"X-A": "b"}
    send("POST", headers=headers, json={}, auth=("u", "p"), cookies={"a": "b"})

    assert headers == {"X-A": "b"}


def test_basic_auth(send: Send, server: ScriptedServer) -> None:
    """It is given with a request, or in the host; the former wins."""
    path = server.script([answer()])
    visitor = Visitor(server.url.replace("//", "//us%40er:p%3Ass@"))
    visitor.get(path)
    visitor.get(path, auth=("other", "pass"))

    assert send(auth=("user", "pass")).header("Authorization") == "Basic dXNlcjpwYXNz"
    assert [seen.header("Authorization") for seen in server.seen(path)] == [
        "Basic dXNAZXI6cDpzcw==",
        "Basic b3RoZXI6cGFzcw==",
    ]
    assert all("ss@" not in str(event) and "us%40er" not in str(event["url"]) for event in visitor.events)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-A": "b\r\nX-C: d"}},
        {"headers": {"X-A\r\nX-C": "b"}},
        {"auth": ("user\r\n", "pass"), "headers": {"X-A": "\r\n"}},
        {"method": "GET / HTTP/1.1\r\nX-A: b\r\n\r\nGET"},
        {"url": "no-slash"},
        {"url": "ftp://127.0.0.1/"},
        {"url": "http://"},
        {"json": {1, 2}},
        {"files": {"a": b"b"}},
    ],
)
def test_refused(server: ScriptedServer, options: dict[str, Any]) -> None:
    """What would break the request, or could not be meant, is the caller's mistake: nothing is sent."""
    visitor = Visitor(server.url)
    with pytest.raises((ValueError, TypeError)):
        visitor.ask(**({"method": "GET", "url": "/"} | options))

    assert (server.requests, server.connections, visitor.events) == ([], 0, [])


@pytest.mark.parametrize(
    "suffix", ["?a=\r\nX-A: b", "\r\n\r\nGET / HTTP/1.1", "?a=\x00", " HTTP/1.1\r\nX-A: b"]
)
def test_injection_by_path(server: ScriptedServer, suffix: str) -> None:
    """A path that would end the request line is encoded, or refused, but never sent as it is."""
    path = server.script([answer()])
    visitor = Visitor(server.url)
    try:
        visitor.get(f"{path}?{suffix}")
    except ValueError:
        assert server.requests == []
    else:
        (seen,) = server.requests
        assert seen.header("X-A") is None
