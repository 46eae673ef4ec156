"""What a response is to who asked: headers, content, text and JSON, and why there is none."""

from __future__ import annotations

import gzip
import zlib
from datetime import timedelta
from functools import partial
from json import JSONDecodeError

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.http1.errors import DecodingFailed
from plimsoll.http1.response import (
    Response,
    ResponseHeaders,
    content_type_of,
    decode_content,
    decode_text,
    encoding_of,
)
from tests.client.visitor import Visitor
from tests.fix_http_servers import TEXT, Nginx
from tests.scripted_server import ScriptedServer, answer

BODY = b"a body that is worth it " * 1000
ASKING = {"Accept-Encoding": "gzip, deflate, br"}
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: a/b \r\nSET-COOKIE: a=1, b\r\nSet-Cookie:c=2\r\nX-\xfc: \xfc\r\n\r\n"
    b"Body: 1\r\n"
)


def test_names_in_any_case() -> None:
    """A header is found by its name in any case, and only by its name."""
    headers = ResponseHeaders(HEAD)

    assert headers["content-TYPE"] == "a/b"
    assert "CONTENT-type" in headers
    assert headers.get("Body") is None
    assert 1 not in headers  # type: ignore[comparison-overlap]  # what a Mapping must bear


def test_values_of_one_name() -> None:
    """They are joined by commas, and given one by one where asked for."""
    headers = ResponseHeaders(HEAD)

    assert headers["Set-Cookie"] == "a=1, b, c=2"
    assert headers.getlist("set-cookie") == ["a=1, b", "c=2"]
    assert headers.getlist("x-none") == []


def test_as_mapping() -> None:
    """Names come once, as they were first written."""
    assert dict(ResponseHeaders(HEAD)) == {"Content-Type": "a/b", "SET-COOKIE": "a=1, b, c=2", "X-ü": "ü"}
    assert len(ResponseHeaders(HEAD)) == 3


@pytest.mark.parametrize(
    ("raw_head", "content_type"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-TYPE: \ttext/html \r\nX: 1\r\n\r\n", "text/html"),
        (b"HTTP/1.1 200 OK\r\nContent-Type:\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nX-Content-Type: a/b\r\n\r\n", ""),
        (b"", ""),
    ],
)
def test_content_type(raw_head: bytes, content_type: str) -> None:
    """It is found in any case, as all of the headers have it, and only where a line begins with its name."""
    assert content_type_of(raw_head) == content_type
    assert ResponseHeaders(raw_head).get("content-type", "") == content_type


def json_response(content: bytes = b'{"a": 1}', content_type: str = "application/json") -> Response:
    """Return a response with this content."""
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {content_type}", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2")
    response = Response("http://a/", 200, "".join(f"{line}\r\n" for line in lines).encode(), content)
    response.elapsed_s = 0.25
    return response


def test_response() -> None:
    """A response gives its content in every form."""
    response = json_response()

    assert (response.json(), response.text, response.ok) == ({"a": 1}, '{"a": 1}', True)
    assert response.headers["content-type"] == "application/json"
    assert response.cookies == {"a": "1", "b": "2"}
    assert response.elapsed == timedelta(milliseconds=250)
    response.raise_for_status()


def test_no_response() -> None:
    """Where none came there is no content, and what went wrong can be raised."""
    response = Response("http://a/", 0, b"", None)
    response.error = ConnectionError("gone")

    assert (response.status_code, response.content, response.text, response.ok) == (0, None, None, False)
    assert dict(response.headers) == response.cookies == {}
    with pytest.raises(ConnectionError, match="gone"):
        response.raise_for_status()
    with pytest.raises(JSONDecodeError):
        response.json()


def test_text_by_a_given_encoding() -> None:
    """A charset that is set goes before that of the headers."""
    response = json_response(b"\xfc")
    response.encoding = "latin-1"

    assert response.text == "ü"


def test_json_of_another_charset() -> None:
    """JSON that is not UTF-8 is read by the charset that the headers name."""
    assert json_response(b'"\xfc"', "a/json; charset=latin-1").json() == "ü"


ENCODERS = {
    # The time in the header is fixed: the same content is encoded twice and compared.
    "gzip": partial(gzip.compress, mtime=0),
    "x-gzip": partial(gzip.compress, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "identity": bytes,
}


@given(name=st.sampled_from(sorted(ENCODERS)), content=st.binary(min_size=1))
def test_content_comes_back(name: str, content: bytes) -> None:
    """What was encoded in a known way is the same when decoded."""
    assert decode_content(ENCODERS[name](content), name.upper()) == content


@pytest.mark.parametrize(
    ("raw", "coding", "content"),
    [
        pytest.param(zlib.compress(b"abc")[2:-4], "deflate", b"abc", id="without the header of zlib"),
        pytest.param(gzip.compress(zlib.compress(b"abc")), "deflate, gzip", b"abc", id="the last first"),
        pytest.param(gzip.compress(b"ab") + gzip.compress(b"c"), "gzip", b"abc", id="of several members"),
        pytest.param(b"stripes", "gzip, zebra", b"stripes", id="an unknown one stays, and what is below it"),
    ],
)
def test_codings(raw: bytes, coding: str, content: bytes) -> None:
    """Codings are undone as servers may have made them, and what is unknown stays as it came."""
    assert decode_content(raw, coding) == content


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("damage", ["corrupt", "truncated"])
def test_damaged(name: str, damage: str) -> None:
    """A damaged body is a failure that names its coding."""
    body = ENCODERS[name](b"content" * 9)
    damaged = b"\xff" + body[1:] if damage == "corrupt" else body[:-1]
    with pytest.raises(DecodingFailed, match=name):
        decode_content(damaged, name)


@pytest.mark.parametrize(
    ("content_type", "content", "encoding"),
    [
        ("text/html; charset=UTF-8", b"", "UTF-8"),
        ('text/html; charset="koi8-r"; x=y', b"", "koi8-r"),
        ("text/html", b"\xc3\xbc", "iso-8859-1"),
        ("application/json", b"\xfc", "utf-8"),
        ("", b"\xc3\xbc", "utf-8"),
        ("application/x", b"\xfc", "iso-8859-1"),
    ],
)
def test_charset(content_type: str, content: bytes, encoding: str) -> None:
    """A charset is what the type names or implies, else what fits."""
    assert encoding_of(content_type, content) == encoding


@pytest.mark.parametrize(
    ("content", "encoding", "text"),
    [(b"\xfc", "latin-1", "ü"), (b"\xfc", "utf-8", "�"), (b"\xc3\xbc", "martian", "ü")],
)
def test_text_of_any_bytes(content: bytes, encoding: str, text: str) -> None:
    """Text is read whatever the bytes and the charset are."""
    assert decode_text(content, encoding) == text


def encoded(name: str, body: bytes) -> bytes:
    """Return what a server sends that encodes a body."""
    return answer(ENCODERS[name](body), Content_Encoding=name)


@pytest.mark.parametrize("name", ENCODERS)
def test_decoded_where_asked_for(server: ScriptedServer, name: str) -> None:
    """What was asked for is decoded; the length reported is the decoded body's, as with FastHttpUser."""
    visitor = Visitor(server.url)
    response = visitor.get(server.script([encoded(name, BODY)]), headers=ASKING)

    assert response.content == BODY
    assert visitor.events[0]["response_length"] == len(BODY)


@pytest.mark.parametrize("name", ENCODERS)
def test_not_decoded_where_not_asked_for(server: ScriptedServer, name: str) -> None:
    """What was not asked for stays as it came, and no encoding is offered."""
    path = server.script([encoded(name, BODY)])

    assert Visitor(server.url).get(path).content == ENCODERS[name](BODY)
    assert server.seen(path)[0].header("Accept-Encoding") is None


def test_asked_for_by_the_user_class(server: ScriptedServer) -> None:
    """A default header asks as well."""
    path = server.script([encoded("gzip", BODY)])

    assert Visitor(server.url, default_headers=ASKING).get(path).content == BODY


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
def test_damaged_body(server: ScriptedServer, name: str) -> None:
    """A body that cannot be decoded is a failure with a name, and the connection is kept."""
    damaged = answer(ENCODERS[name](BODY)[:-5], Content_Encoding=name)
    visitor = Visitor(server.url)

    assert visitor.fault("GET", server.script([damaged]), headers=ASKING) is DecodingFailed
    assert visitor.get(server.script([answer()])).text == "ok"
    assert server.connections == 1


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_empty_body(server: ScriptedServer, method: str) -> None:
    """No body is no damage."""
    path = server.script([answer(b"", Content_Encoding="gzip")])

    assert Visitor(server.url).ask(method, path, headers=ASKING).content == b""


def test_nginx_compresses(nginx: Nginx) -> None:
    """A real server's stream of chunks is decoded; without being asked it sends plain text."""
    visitor = Visitor(nginx.url)
    asked, unasked = visitor.get("/text.txt", headers=ASKING), visitor.get("/text.txt")

    assert asked.headers["Content-Encoding"] == "gzip"
    assert asked.text == unasked.text == TEXT
    assert "Content-Encoding" not in unasked.headers
