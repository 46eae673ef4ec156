"""Bodies are decoded where the user asked for an encoding, and only there."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest

from clients.wire import errors
from tests.fix_http_servers import TEXT, Nginx
from tests.hostile_server import HostileServer, answer
from tests.visitor import Visitor

BODY = b"a body that is worth it " * 1000
ASKING = {"Accept-Encoding": "gzip, deflate, br"}
RAW_DEFLATE = zlib.compressobj(wbits=-15)
ENCODED = {
    "gzip": ("gzip", gzip.compress(BODY)),
    "gzip under its old name": ("x-gzip", gzip.compress(BODY)),
    "gzip in capitals": ("GZIP", gzip.compress(BODY)),
    "gzip in two members": ("gzip", gzip.compress(BODY[:100]) + gzip.compress(BODY[100:])),
    "deflate": ("deflate", zlib.compress(BODY)),
    "deflate as some servers have it": ("deflate", RAW_DEFLATE.compress(BODY) + RAW_DEFLATE.flush()),
    "br": ("br", brotli.compress(BODY)),
    "identity": ("identity", BODY),
    "gzip over deflate": ("deflate, gzip", gzip.compress(zlib.compress(BODY))),
}


def encoded(encoding: str, body: bytes) -> bytes:
    """Return an answer with a body of this encoding."""
    return answer(body, Content_Encoding=encoding)


@pytest.mark.parametrize("name", ENCODED)
def test_decoded(hostile: HostileServer, name: str) -> None:
    """What was asked for is decoded; the length reported is the decoded body's, as with FastHttpUser."""
    visitor = Visitor(hostile.url)
    response = visitor.get(hostile.script([encoded(*ENCODED[name])]), headers=ASKING)

    assert response.content == BODY
    assert visitor.events[0]["response_length"] == len(BODY)


@pytest.mark.parametrize("name", ENCODED)
def test_not_asked_for(hostile: HostileServer, name: str) -> None:
    """What was not asked for stays as it came, and no encoding is offered."""
    encoding, body = ENCODED[name]
    path = hostile.script([encoded(encoding, body)])

    assert Visitor(hostile.url).get(path).content == body
    assert hostile.seen(path)[0].header("Accept-Encoding") is None


def test_asked_for_by_the_user_class(hostile: HostileServer) -> None:
    """A default header asks as well."""
    path = hostile.script([encoded("gzip", gzip.compress(BODY))])

    assert Visitor(hostile.url, default_headers=ASKING).get(path).content == BODY


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("damage", ["cut", "bit", "text"])
def test_damaged(hostile: HostileServer, encoding: str, damage: str) -> None:
    """A body that cannot be decoded is a failure with a name, and the connection is fine."""
    whole = ENCODED[encoding][1]
    body = {
        "cut": whole[:-5],
        "bit": whole[:20] + bytes([whole[20] ^ 0xFF]) + whole[21:],
        "text": b"not encoded at all",
    }[damage]
    visitor = Visitor(hostile.url)

    assert (
        visitor.fault("GET", hostile.script([encoded(encoding, body)]), headers=ASKING)
        is errors.DecodingFailed
    )
    assert visitor.get(hostile.script([answer()])).text == "ok"
    assert hostile.connections == 1


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_empty_body(hostile: HostileServer, method: str) -> None:
    """No body is no damage."""
    path = hostile.script([encoded("gzip", b"")])

    assert Visitor(hostile.url).ask(method, path, headers=ASKING).content == b""


def test_unknown_encoding(hostile: HostileServer) -> None:
    """An encoding that nobody here knows stays as it came, as `requests` has it."""
    path = hostile.script([encoded("zebra", b"stripes")])

    assert Visitor(hostile.url).get(path, headers={"Accept-Encoding": "zebra"}).content == b"stripes"


def test_nginx_compresses(nginx: Nginx) -> None:
    """A real server's stream of chunks is decoded; without being asked it sends plain text."""
    visitor = Visitor(nginx.url)
    asked, unasked = visitor.get("/text.txt", headers=ASKING), visitor.get("/text.txt")

    assert asked.headers["Content-Encoding"] == "gzip"
    assert asked.text == unasked.text == TEXT
    assert "Content-Encoding" not in unasked.headers


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain; charset=utf-8", "käse".encode(), "käse"),
        ("text/plain; charset=ISO-8859-1", "käse".encode("latin-1"), "käse"),
        ('text/plain; charset="utf-8"', "käse".encode(), "käse"),
        ("application/json", "käse".encode(), "käse"),
        ("text/plain; charset=utf-8", b"k\xe4se", "k\ufffdse"),
        ("text/plain; charset=no-such-charset", b"kase", "kase"),
    ],
)
def test_text(hostile: HostileServer, content_type: str, body: bytes, text: str) -> None:
    """It follows the charset that the server names, and never raises."""
    response = Visitor(hostile.url).get(hostile.script([answer(body, Content_Type=content_type)]))

    assert (response.text, response.content) == (text, body)


def test_json(hostile: HostileServer) -> None:
    """JSON is parsed when looked at."""
    visitor = Visitor(hostile.url)
    right = visitor.get(hostile.script([answer('{"a": ["ä"]}'.encode())]))
    wrong = visitor.get(hostile.script([answer(b"<html>")]))

    assert right.json() == {"a": ["ä"]}
    with pytest.raises(ValueError, match="Expecting value"):
        wrong.json()
    assert [event["exception"] for event in visitor.events] == [None, None]
