"""However an answer is cut or damaged, one request ends in one event, and the next one is not harmed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.wire import errors
from tests.hostile_server import Ending, HostileServer, Turn, answer
from tests.visitor import Visitor

ANSWERS = [
    answer(b"body", X_A="b"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"body", "404 Not Found"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;a=b\r\ndy\r\n0\r\nX-A: b\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nbody",
    answer(b"", "302 Found", Location="/nowhere"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    """Run one hostile server for all examples."""
    with closing(HostileServer()) as running:
        yield running


@given(data=st.data(), whole=st.sampled_from(ANSWERS[:3]), body_chars=st.integers(0, 300))
def test_cuts(server: HostileServer, data: st.DataObject, whole: bytes, body_chars: int) -> None:
    """Where the network cuts an answer into pieces changes nothing."""
    whole = whole if body_chars % 2 else answer(b"x" * body_chars)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    turn: list[bytes | float] = [step for piece in pieces for step in (piece, 0.0005)]
    visitor = Visitor(server.url)
    at_once, cut = visitor.get(server.script([whole])), visitor.get(server.script(turn))

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
def test_damage(
    server: HostileServer, whole: bytes, position: float, cut_bytes: int, inserted: bytes, ending: Ending
) -> None:
    """Bytes lost and bytes added make an answer or a named failure, in time, and never an exception."""
    at = int(position * len(whole))
    turn: Turn = [whole[:at] + inserted + whole[at + cut_bytes :], ending]
    visitor = Visitor(server.url)
    response = visitor.get(server.script(turn), timeout=5)

    assert len(visitor.events) == 1
    assert response.error is None or isinstance(response.error, errors.HttpFailure)
    assert not isinstance(response.error, errors.TotalTimeout)
    assert visitor.get(server.script([answer(b"next")])).text == "next"
