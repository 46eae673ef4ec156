"""What is sent: paths, queries, headers and bodies of every kind, and what is refused before it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from clients.http import LeanHttpUser
from tests.hostile_server import HostileServer, Seen, answer
from tests.visitor import Visitor

Send = Callable[..., Seen]


@pytest.fixture
def send(hostile: HostileServer) -> Send:
    """Give a function that sends a request and returns what the server saw."""

    def send_one(method: str = "GET", suffix: str = "", **options: Any) -> Seen:
        path = hostile.script([answer()])
        assert Visitor(hostile.url).ask(method, path + suffix, **options).status_code == 200
        return hostile.requests[-1]

    return send_one


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_methods(hostile: HostileServer, method: str) -> None:
    """Each has a function of its own."""
    path = hostile.script([answer(b"" if method == "HEAD" else b"ok")])
    visitor = Visitor(hostile.url)

    assert getattr(visitor.client, method.lower())(path).status_code == 200
    assert hostile.seen(path)[0].method == visitor.events[0]["request_type"] == method


@pytest.mark.parametrize(
    ("suffix", "params", "query"),
    [
        ("", {"a": "b"}, "a=b"),
        ("", {"a": 1, "b": None, "c": True}, "a=1&c=True"),
        ("", {"a": ["b", "c"]}, "a=b&a=c"),
        ("", [("a", "b"), ("a", "c")], "a=b&a=c"),
        ("", {"ä": "ö ü", "&": "=?#/+"}, "%C3%A4=%C3%B6+%C3%BC&%26=%3D%3F%23%2F%2B"),
        ("?a=b", {"c": "d"}, "a=b&c=d"),
        ("", {}, ""),
        ("", "a=b", "a=b"),
    ],
)
def test_params(send: Send, suffix: str, params: Any, query: str) -> None:
    """They become the query, encoded, behind one that is there."""
    assert send("GET", suffix, params=params).target.partition("?")[2] == query


@pytest.mark.parametrize(
    ("suffix", "wanted"),
    [
        ("?a=ä b", "?a=%C3%A4%20b"),
        ("?a=%41%zz", "?a=%41%25zz"),
        ("?q=\N{SNOWMAN}", "?q=%E2%98%83"),
        ('?a="<>{}|^`\\', "?a=%22%3C%3E%7B%7D%7C%5E%60%5C"),
        ("?a=b#fragment", "?a=b"),
    ],
)
def test_encoding_of_the_path(send: Send, suffix: str, wanted: str) -> None:
    """What may not stand in a request line is encoded, what is encoded stays, and a fragment is not sent."""
    assert send("GET", suffix).target.endswith(wanted)


@pytest.mark.parametrize(
    ("options", "body", "content_type"),
    [
        ({"data": b"\x00\xff"}, b"\x00\xff", "application/octet-stream"),
        ({"data": "käse"}, "käse".encode(), "text/plain; charset=utf-8"),
        ({"data": {"a": "b c", "d": ["1", "2"]}}, b"a=b+c&d=1&d=2", "application/x-www-form-urlencoded"),
        ({"data": [("a", "b"), ("a", "ä")]}, b"a=b&a=%C3%A4", "application/x-www-form-urlencoded"),
        ({"json": {"a": [1, None]}}, b'{"a": [1, null]}', "application/json"),
        ({"json": []}, b"[]", "application/json"),
        ({"json": "text"}, b'"text"', "application/json"),
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


def test_json_text_is_text(send: Send) -> None:
    """Text beyond ASCII survives."""
    assert json.loads(send("POST", json={"ä": "\N{SNOWMAN}"}).body) == {"ä": "\N{SNOWMAN}"}


def test_json_asks_for_json(send: Send) -> None:
    """Whoever sends JSON wants JSON, as with FastHttpUser."""
    assert send("POST", json={}).header("Accept") == "application/json"


def test_get_without_body(send: Send) -> None:
    """No body, no length."""
    assert send("GET").header("Content-Length") is None


def test_headers(send: Send) -> None:
    """Names keep their case; values may be any text of Latin-1."""
    seen = send(headers={"X-Camel-Case": "value", "x-lower": "käse", "X-Empty": "", "X-Spaces": "a  b"})

    assert ("X-Camel-Case", "value") in seen.headers
    assert ("x-lower", "käse") in seen.headers
    assert seen.header("X-Spaces") == "a  b"


def test_own_headers_win(hostile: HostileServer) -> None:
    """A header of the request replaces the class's, in any case; nothing is sent twice."""
    path = hostile.script([answer()])
    visitor = Visitor(hostile.url, default_headers={"User-Agent": "class", "X-A": "class"})
    visitor.get(path, headers={"user-agent": "request", "Host": "elsewhere.example"})
    (seen,) = hostile.seen(path)

    assert (seen.header("User-Agent"), seen.header("X-A")) == ("request", "class")
    assert seen.header("Host") == "elsewhere.example"


def test_headers_of_the_caller_are_left_alone(send: Send) -> None:
    """The dictionary that a task passes in is its own."""
    headers = {"X-A": "b"}
    send("POST", headers=headers, json={}, auth=("u", "p"), cookies={"a": "b"})

    assert headers == {"X-A": "b"}


def test_basic_auth(send: Send, hostile: HostileServer) -> None:
    """It is given with a request, or in the host; the former wins."""
    path = hostile.script([answer()])
    visitor = Visitor(hostile.url.replace("//", "//us%40er:p%3Ass@"))
    visitor.get(path)
    visitor.get(path, auth=("other", "pass"))

    assert send(auth=("user", "pass")).header("Authorization") == "Basic dXNlcjpwYXNz"
    assert [seen.header("Authorization") for seen in hostile.seen(path)] == [
        "Basic dXNAZXI6cDpzcw==",
        "Basic b3RoZXI6cGFzcw==",
    ]
    assert all("ss@" not in str(event) and "us%40er" not in str(event["url"]) for event in visitor.events)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-A": "b\r\nX-C: d"}},
        {"headers": {"X-A": "b\nX-C: d"}},
        {"headers": {"X-A": "b\rc"}},
        {"headers": {"X-A": "b\x00"}},
        {"headers": {"X-A\r\nX-C": "b"}},
        {"headers": {"X A": "b"}},
        {"headers": {"": "b"}},
        {"auth": ("user\r\n", "pass"), "headers": {"X-A": "\r\n"}},
        {"method": "GET / HTTP/1.1\r\nX-A: b\r\n\r\nGET"},
        {"method": ""},
        {"url": "no-slash"},
        {"url": "ftp://127.0.0.1/"},
        {"url": "http://"},
        {"json": {1, 2}},
        {"files": {"a": b"b"}},
    ],
)
def test_refused(hostile: HostileServer, options: dict[str, Any]) -> None:
    """What would break the request, or could not be meant, is the caller's mistake: nothing is sent."""
    visitor = Visitor(hostile.url)
    with pytest.raises((ValueError, TypeError)):
        visitor.ask(**({"method": "GET", "url": "/"} | options))

    assert (hostile.requests, hostile.connections, visitor.events) == ([], 0, [])


@pytest.mark.parametrize(
    "suffix", ["?a=\r\nX-A: b", "\r\n\r\nGET / HTTP/1.1", "?a=\x00", " HTTP/1.1\r\nX-A: b"]
)
def test_injection_by_path(hostile: HostileServer, suffix: str) -> None:
    """A path that would end the request line is encoded, or refused, but never sent as it is."""
    path = hostile.script([answer()])
    visitor = Visitor(hostile.url)
    try:
        visitor.get(f"{path}?{suffix}")
    except ValueError:
        assert hostile.requests == []
    else:
        (seen,) = hostile.requests
        assert seen.header("X-A") is None


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It would be ignored, so it is refused when the user is made, in words that keep its password."""
    monkeypatch.setenv(name, "http://user:s3cret@proxy.example:3128")
    with pytest.raises(Exception, match=r"(?i)proxy") as refusal:
        Visitor("http://10.0.0.1")

    assert "s3cret" not in str(refusal.value)


def test_proxy_for_others(monkeypatch: pytest.MonkeyPatch, hostile: HostileServer) -> None:
    """A host in NO_PROXY, or a proxy for the other scheme, is none of our business."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")

    assert Visitor(hostile.url).get(hostile.script([answer()])).text == "ok"


def test_host_is_missing() -> None:
    """A user without a host says what to do, as FastHttpUser does."""
    with pytest.raises(Exception, match="host"):
        Visitor(None)  # type: ignore[arg-type]  # the mistake that is tested


@pytest.mark.parametrize(
    "host", ["no-scheme.example", "ftp://a.example", "http://", "http://a:99999", "http://[::1"]
)
def test_host_is_wrong(host: str) -> None:
    """A host that is no URL of HTTP is said when the user is made."""
    with pytest.raises(Exception, match=r"(?i)url|host"):
        Visitor(host)


def test_base_class_is_abstract() -> None:
    """Locust does not run the base class itself."""
    assert LeanHttpUser.abstract is True
