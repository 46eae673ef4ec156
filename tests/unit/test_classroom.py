"""A classroom counts its messages by their stamps, and what a right service would not say as a failure."""

from __future__ import annotations

import gevent
from gevent.pool import Group
from locust.env import Environment

import json
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locustfiles import classroom
from locustfiles.classroom import ClassroomUser
from locustfiles.school._stamps import MAX_GAP, StampedListener, StampedSender
from plimsoll.users.answers import WrongAnswerError
from tests.http_service import FaultyWebSocketServer, Talk

SOON_S = 60.0
SAID = '{"type": "KIND", "sender": "a", "seq": %d, "sentAt": %d}'
# name: (what is said in each room, what it is counted as)
LIES: dict[str, tuple[Talk, set[str]]] = {
    "nonsense": (Talk(("nonsense",)), {"the message is not JSON"}),
    "other talk": (
        Talk(('{"type": "quiz"}',)),
        {
            "expected messages of type classroom.update, got another",
            "expected messages of type student.progress, got another",
        },
    ),
    "twice": (Talk((SAID % (1, 0),) * 2), {"came twice, or out of order"}),
    "from the future": (
        Talk((SAID % (1, 4_000_000_000),)),
        {"received before it was sent: the clocks differ"},
    ),
    "gap": (Talk((SAID % (1, 0), SAID % (3, 0))), {"a message was dropped on an open connection"}),
    "no stamp": (Talk(('{"type": "KIND"}',)), {"'sentAt' is missing"}),
    "turned away": (Talk(status=403), {"the server refused the WebSocket: status 403"}),
    "hung up": (Talk(stays=False), {"the connection was lost: closed by the server without a word"}),
}


@pytest.mark.parametrize(("talk", "errors"), LIES.values(), ids=LIES)
def test_every_lie_is_counted(talk: Talk, errors: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A student, who is in rooms of both kinds, has each lie counted in both, and goes on."""
    monkeypatch.setattr(classroom, "_seats", count(1))  # the first of all would teach, in one room only
    events: list[dict[str, Any]] = []
    environment, users = Environment(), Group()
    environment.events.request.add_listener(lambda **event: events.append(event))  # type: ignore[no-untyped-call]
    with closing(FaultyWebSocketServer({"lie": talk})) as rooms:
        student = type("Student", (ClassroomUser,), {"host": f"{rooms.url}/lie"})(environment)
        greenlet = student.start(users)
        with gevent.Timeout(SOON_S):
            while len({event["name"] for event in failures(events)}) < 2:
                gevent.sleep(0.01)
        is_alive = not greenlet.ready()
        users.kill()

    assert {str(event["exception"]) for event in failures(events)} == errors
    assert is_alive


def failures(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of failures."""
    return [event for event in events if event["exception"] is not None]


NOW_S = 1_000.25


def message(number: object, sender: object = "a", **changes: object) -> bytes:
    """Return a message as a service may pass it on."""
    return json.dumps({"type": "talk", "sender": sender, "seq": number, "sentAt": NOW_S, **changes}).encode()


@pytest.mark.parametrize("size_bytes", [512, 1024])
def test_messages_have_their_size_and_number(size_bytes: int) -> None:
    """However long its number is, a message has the bytes it is to have, and parses."""
    speaker = StampedSender("talk", size_bytes)
    said = [speaker.next_message() for _ in range(1001)]

    assert {len(text) for text in said} == {size_bytes}
    assert [json.loads(text)["seq"] for text in said] == list(range(1, 1002))
    assert len({json.loads(text)["sender"] for text in said}) == 1


def test_messages_too_small_are_refused() -> None:
    """There is no room for a stamp in ten bytes."""
    with pytest.raises(ValueError, match=r"size_bytes must be at least .*, got 10"):
        StampedSender("talk", 10)


def test_latency_is_from_the_stamp() -> None:
    """What is heard says when it was sent, whenever the listener began to listen."""
    heard = StampedListener("talk").hear(message(7), NOW_S + 0.5)

    assert heard is not None
    assert (heard.sent_s, heard.missing) == (NOW_S, 0)


@given(st.sets(st.integers(1, 200), min_size=1))
def test_every_missing_message_is_counted_once(numbers: set[int]) -> None:
    """From the first that is heard to the last, heard and missing make all."""
    listener = StampedListener("talk")
    heard = [listener.hear(message(number), NOW_S) for number in sorted(numbers)]

    assert len(heard) + sum(one.missing for one in heard if one) == max(numbers) - min(numbers) + 1


def test_senders_are_counted_apart() -> None:
    """Numbers of two senders are no gaps in each other's."""
    listener = StampedListener("talk")
    heard = [listener.hear(message(n, sender), NOW_S) for n, sender in ((1, "a"), (9, "b"), (2, "a"))]

    assert [one.missing for one in heard if one] == [0, 0, 0]


def test_the_servers_word_is_no_message() -> None:
    """That some were dropped is told by their numbers; the server's own word on it is not counted again."""
    assert StampedListener("talk").hear(b'{"type": "dropped", "count": 3}', NOW_S) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"no JSON", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "expected an object"),
        (b'{"type": "error"}', "expected messages of type talk"),
        (message(2, sentAt="now"), "'sentAt' is a string"),
        (message("2"), "'seq' is a string"),
        (message(2, sender=""), "'sender' is empty"),
        (message(2, sentAt=NOW_S + 1), "clocks differ"),
        (message(1), "twice, or out of order"),
        (message(MAX_GAP + 3), "more than 10,000 above"),
    ],
)
def test_what_is_no_message_is_told(text: bytes, reason: str) -> None:
    """Whatever a server sends, a fault has a text without values."""
    listener = StampedListener("talk")
    listener.hear(message(1), NOW_S)

    with pytest.raises(WrongAnswerError, match=reason):
        listener.hear(text, NOW_S)


def test_senders_without_end_take_no_memory() -> None:
    """A server that makes up senders is not remembered for ever."""
    listener = StampedListener("talk")
    for number in range(5000):
        listener.hear(message(1, f"sender {number}"), NOW_S)

    assert len(listener._last_numbers) <= 1000
