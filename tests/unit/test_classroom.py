"""A classroom is unforgiving: what a right service would not say is a failure in both kinds of room."""

from __future__ import annotations

import gevent
from gevent.pool import Group
from locust.env import Environment

from contextlib import closing
from itertools import count
from typing import Any

import pytest

from locustfiles import classroom
from locustfiles.classroom import ClassroomUser
from tests.lying_rooms import LyingRooms, Talk

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
    with closing(LyingRooms({"lie": talk})) as rooms:
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
