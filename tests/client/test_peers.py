"""This client reports what FastHttpUser does, and sends, follows and gets what `requests` does."""

from __future__ import annotations

from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

import base64
import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.visitor import Visitor
from tests.scripted_server import PATIENCE_S, Ending, ScriptedServer, Seen, Steps, answer

OWN_TO_THE_CLIENT = {"user-agent", "accept", "accept-encoding", "connection", "host"}
TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_-", min_size=1, max_size=8)
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)
# Dots alone would be a folder's name, which `requests` resolves; a lone % it shows as it came.
SEGMENT = TEXT.map(lambda text: re.sub("[./?#%]", "", text))
HEADER_VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
PAIRS = st.dictionaries(
    TEXT.filter(bool), st.one_of(TEXT, st.integers(), st.none(), st.lists(TEXT, max_size=3)), max_size=3
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
# The type of a raw body is named, as ours is FastHttpUser's by default and not `requests`'s.
RAW = {"Content-Type": "text/plain"}
BODY = st.one_of(
    st.just({}),
    st.builds(lambda data: {"data": data, "headers": RAW}, st.one_of(TEXT, st.binary(max_size=64))),
    st.builds(lambda data: {"data": data}, PAIRS),
    st.builds(lambda value: {"json": value}, JSON),
)
REDIRECTS = st.lists(st.sampled_from([301, 302, 303, 307, 308]), max_size=3)


def events_of_fast_http_user(
    host: str, requests: list[tuple[str, str, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Return what Locust's own client reports of these requests."""
    environment, events = Environment(), list[dict[str, Any]]()
    add_listener: Any = environment.events.request.add_listener  # which Locust gives no type
    add_listener(lambda **event: events.append(event))
    user = type("Peer", (FastHttpUser,), {"host": host})(environment)
    for method, url, options in requests:
        user.client.request(method, url, **options)
    user.client.client.close()
    return events


def test_fields_are_those_of_fast_http_user(server: ScriptedServer) -> None:
    """Listeners written for FastHttpUser see the same fields with the same meaning."""
    path = server.script([answer(b"body")])
    target = server.script([answer(b"there")])
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", path, {}),
        ("POST", f"{path}?a=b", {"json": {}, "name": "named", "context": {"key": "value"}}),
        ("GET", path, {"params": {"c": "d"}}),
        ("GET", server.script([answer(b"gone", "404 Not Found")]), {}),
        ("GET", server.script([answer(b"", "302 Found", Location=target)]), {}),
        ("HEAD", server.script([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]), {}),
        ("GET", server.url + path, {}),
        ("GET", server.script([Ending.CLOSE]), {}),
        ("GET", "http://127.0.0.1:1/", {}),
    ]
    theirs = events_of_fast_http_user(server.url, requests)
    visitor = Visitor(server.url)
    for method, url, options in requests:
        visitor.ask(method, url, **options)

    for ours, their in zip(visitor.events, theirs, strict=True):
        assert ours.keys() == their.keys()
        for field in ("request_type", "name", "response_length", "context"):
            assert ours[field] == their[field], field
        assert ours["url"].partition("?")[0] == their["url"].partition("?")[0]  # theirs leaves `params` out
        assert (ours["exception"] is None) == (their["exception"] is None)
        assert ours["response"].status_code == their["response"].status_code


def echo(seen: Seen) -> Steps:
    """Answer with what came in, also as `X-Saw`; `/redirect/302?to=URL` redirects, `?set=` sets cookies."""
    path, _, query = seen.target.partition("?")
    fields = parse_qs(query)
    saw = {
        "method": seen.method,
        "path": path,
        "query": query,
        "headers": [[name.lower(), value] for name, value in seen.headers],
        "body": seen.body.decode("latin-1"),
    }
    lines = [f"X-Saw: {base64.b64encode(json.dumps(saw).encode()).decode()}"]
    lines += [f"Set-Cookie: {cookie}" for cookie in fields.get("set", [])]
    lines += [f"Location: {target}" for target in fields.get("to", [])]
    status, body = path.split("/")[2] if "to" in fields else "200", b"" if seen.method == "HEAD" else b"seen"
    head = "".join(
        f"{line}\r\n" for line in [f"HTTP/1.1 {status} Echo", *lines, f"Content-Length: {len(body)}"]
    )
    return [f"{head}\r\n".encode("latin-1") + body]


@st.composite
def requests_to_send(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """Draw a method, a path behind any number of redirects, and options."""
    path = "/" + "/".join(["seen", *draw(st.lists(SEGMENT.filter(bool), max_size=3))])
    if draw(st.booleans()):
        path += "?" + quote(draw(TEXT)) + "=" + quote(draw(TEXT))
    for status in draw(REDIRECTS):
        cookie = f"&set={draw(TOKEN)}%3D{draw(TOKEN)}%3B%20Path=/" if draw(st.booleans()) else ""
        path = f"/redirect/{status}?to={quote(quote(path, safe='/?=&%'), safe='')}{cookie}"
    method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]))
    options: dict[str, Any] = dict(draw(BODY))
    if draw(st.booleans()):
        options["params"] = draw(PAIRS)
    options["headers"] = options.get("headers", {}) | {
        f"x-{name}": value for name, value in draw(st.dictionaries(TOKEN, HEADER_VALUE, max_size=3)).items()
    }
    if draw(st.booleans()):
        options["cookies"] = {  # not one that a server sets: `requests` would send both
            f"own-{name}": value for name, value in draw(st.dictionaries(TOKEN, TOKEN, max_size=2)).items()
        }
    if draw(st.booleans()):
        options["auth"] = (draw(TOKEN), draw(TOKEN))
    return method, path, options


def what_was_seen(response: Any) -> dict[str, Any]:
    """Return what the echo saw of the last request, without what each client has of its own."""
    saw: dict[str, Any] = json.loads(base64.b64decode(response.headers["x-saw"]))
    headers = {name: value for name, value in saw["headers"] if name not in OWN_TO_THE_CLIENT}
    if not saw["body"]:  # `requests` has ways of its own to say so, one for each kind of no body
        headers = {name: headers[name] for name in headers.keys() - {"content-length", "transfer-encoding"}}
    if "cookie" in headers:
        headers["cookie"] = "; ".join(sorted(headers["cookie"].split("; ")))
    return saw | {"headers": headers}


@pytest.fixture(scope="module")
def echo_server() -> Iterator[ScriptedServer]:
    """Run an echo for all examples."""
    with closing(ScriptedServer(otherwise=echo)) as running:
        yield running


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Give a session that keeps its connection but not its cookies."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@settings(max_examples=200)
@given(request=requests_to_send())
def test_same_as_requests(
    echo_server: ScriptedServer, session: requests.Session, request: tuple[str, str, dict[str, Any]]
) -> None:
    """Status, body, final URL and what the server saw are the same."""
    method, path, options = request
    session.cookies.clear()
    theirs = session.request(method, echo_server.url + path, timeout=PATIENCE_S, **options)
    ours = Visitor(echo_server.url).ask(method, path, **options)

    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert what_was_seen(ours) == what_was_seen(theirs)
    assert ours.url == theirs.url
