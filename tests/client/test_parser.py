"""Responses parsed from bytes, however these come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.http1.errors import ClosedEarly, HeadersTooLarge, IncompleteBody, MalformedResponse
from plimsoll.http1.parser import MAX_HEAD_BYTES, ResponseParser
from plimsoll.http1.response import ResponseHeaders
from tests.client.test_failures import MALFORMED

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX-Trailer: 1\r\n\r\n"
)
# name -> the bytes, and what they say: status, body, whether the connection may be used again
ANSWERS = {
    "length": (OK, (200, b"ok", True)),
    "chunked": (CHUNKED, (200, b"ok", True)),
    "no body": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"", True)),
    "status 204": (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
    "status 304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"", True)),
    "last of the connection": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        (200, b"ok", False),
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", (200, b"ok", False)),
    "HTTP/1.0 kept": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        (200, b"ok", True),
    ),
    "empty lines before": (b"\r\n\r\n" + OK, (200, b"ok", True)),
    "interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
        (200, b"ok", True),
    ),
}


def read(parser: ResponseParser, *pieces: bytes, without_body: bool = False) -> tuple[int, bytes, bool]:
    """Feed an answer and return what it says; it must be whole with the last piece and not before."""
    parser.expect(without_body=without_body)
    assert [parser.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return parser.status, parser.body, parser.is_reusable


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_at_once(name: str) -> None:
    """An answer that comes in one piece is whole, and says what it says."""
    data, said = ANSWERS[name]

    assert read(ResponseParser(), data) == said


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_byte_by_byte(name: str) -> None:
    """It is the same answer in pieces of one byte, and whole with the last one only."""
    data, said = ANSWERS[name]

    assert read(ResponseParser(), *(bytes([byte]) for byte in data)) == said


@given(name=st.sampled_from(sorted(ANSWERS)), data=st.data())
def test_answer_in_any_pieces(name: str, data: st.DataObject) -> None:
    """Wherever the network cuts it, it is the same answer with the same headers."""
    answer, said = ANSWERS[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(answer) - 1), max_size=5)))
    parser, whole = ResponseParser(), ResponseParser()
    read(whole, answer)
    pieces = [answer[start:end] for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True)]

    assert read(parser, *pieces) == said
    assert dict(ResponseHeaders(parser.raw_head)) == dict(ResponseHeaders(whole.raw_head))
    assert parser.raw_head == whole.raw_head
    assert parser.raw_head.find(b"\r\n\r\n") == len(parser.raw_head) - 4


def test_one_after_the_other() -> None:
    """A parser reads as many answers as it is told to expect."""
    parser = ResponseParser()

    assert [read(parser, data)[1] for data in (OK, CHUNKED, OK)] == [b"ok"] * 3


def test_answer_to_head() -> None:
    """It has no body, whatever length it tells, and leaves the connection usable."""
    parser, answer = ResponseParser(), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"

    assert read(parser, answer, without_body=True) == (200, b"", True)
    assert read(parser, answer[:20], answer[20:], without_body=True) == (200, b"", True)
    assert read(parser, OK) == (200, b"ok", True)


def test_answer_to_head_with_a_body() -> None:
    """A body after an answer to HEAD is nothing to go on with."""
    assert read(ResponseParser(), OK, without_body=True) == (200, b"", False)


@pytest.mark.parametrize("junk", [b"junk", OK, OK[:9], b"\x00"])
def test_junk_after_the_answer(junk: bytes) -> None:
    """What nobody asked for leaves the answer right and the connection unusable."""
    assert read(ResponseParser(), OK + junk) == (200, b"ok", False)


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed(data: bytes) -> None:
    """What breaks the protocol is a failure whose text does not depend on what came."""
    parser = ResponseParser()
    with pytest.raises(MalformedResponse, match=r"^the answer breaks the protocol: (\D+|unexpected 101\D+)$"):
        parser.feed(data)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "]
)
def test_headers_and_trailers_end(start: bytes) -> None:
    """Headers of 64 KB and more are a failure as soon as they come, and so are trailers."""
    parser = ResponseParser()
    parser.feed(start)
    for _ in range(MAX_HEAD_BYTES // 1024 - 1):
        assert not parser.feed(b"x" * 1024)
    with pytest.raises(HeadersTooLarge):
        parser.feed(b"x" * 2048)


def test_large_headers() -> None:
    """Headers just below the limit are right, and the body does not count."""
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nX: "
    padding = b"x" * (MAX_HEAD_BYTES - len(start))
    parser = ResponseParser()

    assert read(parser, start, padding, b"\r\n\r\n", b"y" * 100_000) == (200, b"y" * 100_000, True)


def test_headers_too_large_in_the_last_piece() -> None:
    """They are too large also when the whole answer has come with their end."""
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_HEAD_BYTES - 20))
    with pytest.raises(HeadersTooLarge):
        parser.feed(b"xx\r\nContent-Length: 0\r\n\r\n")


def test_body_until_the_end() -> None:
    """Without a length the body ends with the connection, if that ends in order."""
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 200 OK\r\n\r\nsome")
    parser.feed(b"thing")
    parser.finish(is_clean=True)

    assert (parser.status, parser.body, parser.is_complete, parser.is_reusable) == (
        200,
        b"something",
        True,
        False,
    )


@pytest.mark.parametrize(
    ("data", "is_clean", "failure"),
    [
        (b"", True, ClosedEarly),
        (b"HTTP/1.1 200 OK\r\nX", True, ClosedEarly),
        (OK[:-1], True, IncompleteBody),
        (CHUNKED[:-1], True, IncompleteBody),
        (b"HTTP/1.1 200 OK\r\n\r\nsome", False, IncompleteBody),
    ],
)
def test_end_before_the_end(data: bytes, is_clean: bool, failure: type[ClosedEarly]) -> None:
    """A connection that ends in an answer is a failure, named by where in it."""
    parser = ResponseParser()
    if data:
        parser.feed(data)
    with pytest.raises(ClosedEarly) as raised:
        parser.finish(is_clean=is_clean)

    assert type(raised.value) is failure


@pytest.mark.parametrize(
    ("head", "is_reusable"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", True),
    ],
)
def test_answer_to_head_without_length(head: bytes, is_reusable: bool) -> None:
    """It needs no end of the connection, unlike an answer with a body of unknown length."""
    assert read(ResponseParser(), head, without_body=True) == (200, b"", is_reusable)
