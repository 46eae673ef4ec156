"""WebSocket rooms of the bundled service."""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.fix_bundled_service import STOP_TIMEOUT_S, Visitor, new_student, running_service

RECEIVE_S = 60
SILENCE_S = 0.2


@contextmanager
def joined(visitor: Visitor, room: str, sock: socket.socket | None = None) -> Iterator[ClientConnection]:
    """Be in a room, such as classrooms/7, with the visitor's token."""
    url = f"ws{str(visitor.client.base_url).removeprefix('http').rstrip('/')}/ws/{room}"
    headers = {"Authorization": f"Bearer {visitor.token}"}
    with connect(url, additional_headers=headers, compression=None, sock=sock) as connection:
        yield connection


def hear(connection: ClientConnection) -> dict[str, Any]:
    """Wait for the next message."""
    message: dict[str, Any] = json.loads(connection.recv(timeout=RECEIVE_S))
    return message


def say(connection: ClientConnection, **message: object) -> dict[str, object]:
    """Send a message; return it."""
    connection.send(json.dumps(message))
    return message


def meet(*connections: ClientConnection) -> None:
    """Wait until the server has taken in all: whoever gets an answer to a ping is in the room."""
    for connection in connections:
        say(connection, type="ping", from_=id(connection))
        assert hear(connection) == {"type": "pong", "from_": id(connection)}


def test_everybody_in_the_room_hears(student: Visitor, other_student: Visitor) -> None:
    """What one sends, stamp and all, arrives as it is with all in the room, and nowhere else."""
    with (
        joined(student, "classrooms/7") as speaker,
        joined(other_student, "classrooms/7") as listener,
        joined(other_student, "classrooms/8") as elsewhere,
    ):
        meet(speaker, listener, elsewhere)
        said = say(speaker, type="classroom.update", sent_at=1234.5, text="Ω")

        assert hear(listener) == hear(speaker) == said
        with pytest.raises(TimeoutError):
            elsewhere.recv(timeout=SILENCE_S)


def test_own_words_can_be_left_out(student: Visitor, other_student: Visitor) -> None:
    """With echo=false one hears the others, not oneself."""
    with joined(student, "classrooms/9?echo=false") as one, joined(other_student, "classrooms/9") as other:
        meet(one, other)
        said = say(one, number=1)
        assert hear(other) == said
        answered = say(other, number=2)

        assert hear(one) == answered


def test_progress_goes_to_those_who_may_see_it(service_url: str, admin: Visitor) -> None:
    """A student's progress is heard by the student, its parent and an admin."""
    student = Visitor(service_url, "student-000003@plimsoll.test")
    parent = Visitor(service_url, "parent-000002@plimsoll.test")
    with student.client, parent.client, ExitStack() as stack:
        rooms = [
            stack.enter_context(joined(visitor, "students/3/progress"))
            for visitor in (student, parent, admin)
        ]
        meet(*rooms)
        said = say(rooms[0], type="student.progress", percentage=55)

        assert [hear(room) for room in rooms] == [said] * 3


def test_rooms_need_a_token(service_url: str) -> None:
    """Without a token, or with one nobody signed, there is no connection but a 401 in the common form."""
    for headers in ({}, {"Authorization": "Bearer not.a.token"}):
        url = f"ws{service_url.removeprefix('http')}/ws/classrooms/1"
        with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers):
            pass
        assert refused.value.response.status_code == 401
        assert set(json.loads(refused.value.response.body or b"{}")) == {"error", "detail"}


@pytest.mark.parametrize(
    ("email", "student_id", "status"),
    [
        ("student-000004", 3, 403),
        ("parent-000001", 3, 403),
        ("admin-000001", 987_654_321, 404),
        ("admin-000001", "x", 403),
    ],
)
def test_others_stay_outside(service_url: str, email: str, student_id: object, status: int) -> None:
    """Another student and another's parent may not follow; whom nobody knows nobody can follow."""
    visitor = Visitor(service_url, f"{email}@plimsoll.test")
    with visitor.client:
        with pytest.raises(InvalidStatus) as refused, joined(visitor, f"students/{student_id}/progress"):
            pass

        assert refused.value.response.status_code == status


@pytest.mark.parametrize("message", ["no JSON", "[1]", '"text"', b'{"binary": true}'])
def test_what_is_no_message_is_told_to_its_sender(student: Visitor, message: str | bytes) -> None:
    """Only JSON objects go round; the sender of anything else is told, and stays."""
    with joined(student, "classrooms/10") as speaker, joined(student, "classrooms/10") as listener:
        meet(speaker, listener)
        speaker.send(message)
        told = hear(speaker)
        said = say(speaker, number=1)

        assert told == {"type": "error", "error": "a message must be a JSON object, sent as text"}
        assert hear(listener) == said


@pytest.mark.parametrize(
    "message", ["[" * 5000, '{"type": "ping", "a": ' + '{"a":' * 5000 + "1" + "}" * 5001]
)
def test_what_is_nested_too_deeply_is_told_to_its_sender(student: Visitor, message: str) -> None:
    """A message of 5,000 levels is answered with an error, and its sender stays."""
    with joined(student, "classrooms/13") as speaker:
        speaker.send(message)

        assert hear(speaker) == {"type": "error", "error": "a message must not be nested as deeply as that"}
        meet(speaker)


def test_messages_over_64_kib_end_the_connection(student: Visitor) -> None:
    """A message that is too large closes its sender's connection, as the protocol has it."""
    with joined(student, "classrooms/11") as speaker:
        say(speaker, text="x" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            hear(speaker)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_who_is_slow_holds_up_nobody(student: Visitor, other_student: Visitor) -> None:
    """One who does not read misses messages and is told how many; the others hear every one."""
    total, text = 400, "x" * 30_000
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        address = httpx.URL(student.client.base_url)
        narrow.connect((address.host, address.port))
        with (
            joined(student, "classrooms/12") as speaker,
            joined(other_student, "classrooms/12?echo=false", narrow) as slow,
        ):
            meet(speaker, slow)
            for number in range(total):
                assert hear_back(speaker, number=number, text=text) == number
            heard = [hear(slow)]
            while heard[-1].get("number") != total - 1:
                heard.append(hear(slow))

    dropped = sum(message["count"] for message in heard if message.get("type") == "dropped")
    numbers = [message["number"] for message in heard if "number" in message]
    assert dropped > 0
    assert dropped + len(numbers) == total
    assert numbers == sorted(numbers)


def hear_back(speaker: ClientConnection, **message: object) -> object:
    """Say something and hear it oneself; return its number."""
    say(speaker, **message)
    return hear(speaker)["number"]


def test_shutdown_says_goodbye() -> None:
    """When the service stops, rooms are closed with 1012, service restart, and the process ends with 0."""
    with (
        running_service() as service,
        new_student(service.url) as student,
        joined(student, "classrooms/1") as connection,
    ):
        meet(connection)
        service.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=RECEIVE_S)
        service.process.wait(STOP_TIMEOUT_S)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert service.process.returncode == 0
