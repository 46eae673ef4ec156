"""Responses that break off or break the protocol are failures with names of their own, of one request only.

However a response is cut or damaged, one request ends in one event, and the next one is not harmed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.http1 import errors
from tests.client.visitor import Visitor, wait_in_loop
from tests.scripted_server import PATIENCE_S, Ending, ScriptedServer, Steps, answer

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TEN_BYTES = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
BREAKS_OFF: dict[str, tuple[Steps, type[Exception]]] = {
    "closed before the first byte": ([Ending.CLOSE], errors.ClosedEarly),
    "reset before the first byte": ([Ending.RESET], errors.ClosedEarly),
    "closed in the status line": ([b"HTTP/1.1 20", Ending.CLOSE], errors.ClosedEarly),
    "closed in the headers": ([b"HTTP/1.1 200 OK\r\nContent-Le", Ending.CLOSE], errors.ClosedEarly),
    "reset in the headers": ([b"HTTP/1.1 200 OK\r\nContent-Le", 0.05, Ending.RESET], errors.ClosedEarly),
    "closed after an interim answer": ([b"HTTP/1.1 100 Continue\r\n\r\n", Ending.CLOSE], errors.ClosedEarly),
    "closed before the body": ([TEN_BYTES, Ending.CLOSE], errors.IncompleteBody),
    "closed in the body": ([TEN_BYTES + b"half", Ending.CLOSE], errors.IncompleteBody),
    "reset in the body": ([TEN_BYTES + b"half", 0.05, Ending.RESET], errors.IncompleteBody),
    "closed in a chunk": ([CHUNKED + b"a\r\nhalf", Ending.CLOSE], errors.IncompleteBody),
    "closed in a chunk's size": ([CHUNKED + b"1", Ending.CLOSE], errors.IncompleteBody),
    "closed between chunks": ([CHUNKED + b"2\r\nok\r\n", Ending.CLOSE], errors.IncompleteBody),
    "closed before the end of the trailers": ([CHUNKED + b"0\r\n", Ending.CLOSE], errors.IncompleteBody),
    "reset in a chunk": ([CHUNKED + b"a\r\nhalf", 0.05, Ending.RESET], errors.IncompleteBody),
    "reset in a body until the end": (
        [b"HTTP/1.0 200 OK\r\n\r\nhalf", 0.05, Ending.RESET],
        errors.IncompleteBody,
    ),
}
# The test of the parser takes all of them, and some come over a connection here.
MALFORMED = {
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.2\r\n",
    "an alert of TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "an empty line and text": b"\r\n\r\nhello\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "another protocol unasked": b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "a version yet to come": b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "another protocol's name": b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nContent-Length 2\r\n\r\nok",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: value\r\nContent-Length: 2\r\n\r\nok",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "a NUL in a header": b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\nok",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
    "a length of 30 digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a length and chunks": CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"),
    "a chunk's size that is no number": CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",
    "a negative chunk's size": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "a chunk's size of 30 digits": CHUNKED + b"f" * 30 + b"\r\nok",
    "a chunk longer than it said": CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
}
OVERSIZE = {
    "one header of 70 kB": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000,
    "3000 headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: 0123456789abcdef\r\n" * 3000,
    "a header name of 70 kB": b"HTTP/1.1 200 OK\r\n" + b"a" * 70_000,
    "a reason of 70 kB": b"HTTP/1.1 200 " + b"O" * 70_000,
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500_000,
    "trailers of 200 kB": CHUNKED + b"0\r\nX-A: " + b"a" * 200_000,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
}
ANSWERS = [
    answer(b"body", X_A="b"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"body", "404 Not Found"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;a=b\r\ndy\r\n0\r\nX-A: b\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nbody",
    answer(b"", "302 Found", Location="/nowhere"),
]
FAILURES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.HttpFailure) and kind is not errors.BadStatus
]


@pytest.mark.parametrize("kind", FAILURES)
def test_text_of_a_failure(kind: type[errors.HttpFailure]) -> None:
    """Each failure says what happened, in one phrase, the same each time."""
    assert str(kind()) == str(kind())
    assert str(kind())
    assert not str(kind()).endswith(".")


def test_text_with_a_detail() -> None:
    """A detail follows the phrase."""
    assert str(errors.TlsFailed("no shared cipher")) == "the TLS handshake failed: no shared cipher"


def test_text_of_a_status() -> None:
    """An error status is named, and can be asked for."""
    assert str(errors.BadStatus(404)) == "the server answered with an error status: 404"
    assert errors.BadStatus(404).code == 404


def test_tree() -> None:
    """The tree at the top of the module names every failure."""
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in FAILURES)


@pytest.mark.parametrize("name", BREAKS_OFF)
def test_response_breaks_off(server: ScriptedServer, name: str) -> None:
    """The failure says how far the response came; the next request is answered on a new connection."""
    turn, fault = BREAKS_OFF[name]
    visitor = Visitor(server.url)

    assert visitor.fault("GET", server.script(turn)) is fault
    assert visitor.get(server.script([answer()])).text == "ok"
    assert len(visitor.events) == 2


@pytest.mark.parametrize("name", ["no HTTP at all", "a length and chunks", "a negative chunk's size"])
def test_malformed_response(server: ScriptedServer, name: str) -> None:
    """What breaks the protocol is a failure at once, and the connection is closed."""
    visitor = Visitor(server.url)

    assert visitor.fault("GET", server.script([MALFORMED[name], Ending.HOLD])) is errors.MalformedResponse
    wait_in_loop(lambda: server.open_connections == 0)
    assert visitor.get(server.script([answer()])).text == "ok"


@pytest.mark.parametrize("name", OVERSIZE)
def test_oversize_headers(server: ScriptedServer, name: str) -> None:
    """Headers beyond 64 kB are not taken, so that no server fills the generator's memory with them."""
    visitor = Visitor(server.url)

    assert visitor.fault("GET", server.script([OVERSIZE[name], Ending.HOLD])) is errors.HeadersTooLarge
    wait_in_loop(lambda: server.open_connections == 0)
    assert visitor.get(server.script([answer()])).text == "ok"


def test_headers_of_60_kb_are_taken(server: ScriptedServer) -> None:
    """The limit is for all headers together, and what is below it is right."""
    response = Visitor(server.url).get(server.script([answer(X_A="a" * 60_000)]))

    assert response.headers["X-A"] == "a" * 60_000


@pytest.mark.parametrize(
    "junk", [b"junk", b"\x00", answer(b"never asked for")], ids=["text", "a NUL", "a second answer"]
)
@pytest.mark.parametrize("pause_s", [0.0, 0.05], ids=["at once", "later"])
def test_junk_after_the_response(server: ScriptedServer, junk: bytes, pause_s: float) -> None:
    """What comes after the response belongs to no request: the connection is closed, nothing fails."""
    steps: Steps = [answer() + junk] if not pause_s else [answer(), pause_s, junk]
    visitor = Visitor(server.url)
    first = visitor.get(server.script([*steps, Ending.HOLD]))
    wait_in_loop(lambda: server.open_connections == 0)
    second = visitor.get(server.script([answer(b"second")]))

    assert (first.text, second.text) == ("ok", "second")
    assert [event["exception"] for event in visitor.events] == [None, None]


def test_connection_refused() -> None:
    """A port that nothing listens on is named, at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        visitor = Visitor(f"http://127.0.0.1:{unused.getsockname()[1]}")

        assert visitor.fault("GET", "/") is errors.ConnectionRefused


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "a..b"])
def test_name_is_not_resolved(host: str) -> None:
    """A name that is unknown, or can be no name, is the same failure."""
    assert Visitor(f"http://{host}").fault("GET", "/") is errors.NameNotResolved


def test_equal_faults_group(server: ScriptedServer) -> None:
    """The text of a failure names what failed, not ports, addresses or sizes, so that reports count it."""
    visitor = Visitor(server.url)
    for received in (b"half", b"hal"):
        visitor.fault("GET", server.script([TEN_BYTES + received, Ending.CLOSE]))

    assert len({str(event["exception"]) for event in visitor.events}) == 1


@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.HOLD])
def test_early_refusal_of_an_upload(ending: Ending) -> None:
    """A server that answers without reading the body has answered; nothing follows half a request."""
    refusal = answer(b"too much", "413 Content Too Large")
    with closing(ScriptedServer(on_connect=[0.05, refusal, ending])) as server:
        visitor = Visitor(server.url)
        response = visitor.ask("POST", "/", data=bytes(16 << 20))
        wait_in_loop(lambda: server.open_connections == 0)

    assert (response.status_code, response.text) == (413, "too much")


@pytest.fixture(scope="module")
def lasting_server() -> Iterator[ScriptedServer]:
    """Run one server for all examples."""
    with closing(ScriptedServer()) as running:
        yield running


@given(data=st.data(), whole=st.sampled_from(ANSWERS[:3]), body_chars=st.integers(0, 300))
def test_response_in_pieces(
    lasting_server: ScriptedServer, data: st.DataObject, whole: bytes, body_chars: int
) -> None:
    """Where the network cuts a response into pieces changes nothing."""
    whole = whole if body_chars % 2 else answer(b"x" * body_chars)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    turn: list[bytes | float] = [step for piece in pieces for step in (piece, 0.0005)]
    visitor = Visitor(lasting_server.url)
    at_once, cut = visitor.get(lasting_server.script([whole])), visitor.get(lasting_server.script(turn))

    assert (cut.status_code, cut.content, dict(cut.headers)) == (
        at_once.status_code,
        at_once.content,
        dict(at_once.headers),
    )
    assert cut.status_code in {200, 404}


@given(
    whole=st.sampled_from(ANSWERS),
    position=st.floats(0, 1),
    cut_bytes=st.integers(0, 8),
    inserted=st.one_of(
        st.binary(max_size=8), st.sampled_from([b"\r\n", b"\n", b"0", b": ", b"\r\n\r\n", b"-"])
    ),
    ending=st.sampled_from([Ending.CLOSE, Ending.RESET]),
)
def test_damaged_response(
    lasting_server: ScriptedServer,
    whole: bytes,
    position: float,
    cut_bytes: int,
    inserted: bytes,
    ending: Ending,
) -> None:
    """Bytes lost and bytes added make a response or a named failure, in time, and never an exception."""
    at = int(position * len(whole))
    turn: Steps = [whole[:at] + inserted + whole[at + cut_bytes :], ending]
    visitor = Visitor(lasting_server.url)
    response = visitor.get(lasting_server.script(turn), timeout=PATIENCE_S - 1)

    assert len(visitor.events) == 1
    assert response.error is None or isinstance(response.error, errors.HttpFailure)
    assert not isinstance(response.error, errors.TotalTimeout)
    assert visitor.get(lasting_server.script([answer(b"next")])).text == "next"
