"""Whatever is asked, this client and `requests` send the same, follow the same and get the same."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.visitor import Visitor

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
def session() -> Iterator[requests.Session]:
    """Give a session that keeps its connection but not its cookies."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@settings(
    max_examples=200, derandomize=True
)  # the same 200 each time: a strange habit of `requests` is no news
@given(request=requests_to_send())
def test_same_as_requests(
    echo_url: str, session: requests.Session, request: tuple[str, str, dict[str, Any]]
) -> None:
    """Status, body, final URL and what the server saw are the same."""
    method, path, options = request
    session.cookies.clear()
    theirs = session.request(method, echo_url + path, timeout=10, **options)
    ours = Visitor(echo_url).ask(method, path, **options)

    assert ours.status_code == theirs.status_code
    assert what_was_seen(ours) == what_was_seen(theirs)
    assert len(ours.content) > 0 or method == "HEAD"
    assert ours.url == theirs.url
