"""WebSocket rooms, in which what one member sends reaches all: classrooms, and the progress of students."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from service.authentication import account_of
from service.careers import Careers
from service.errors import ApiError
from service.parents import Parents
from service.routing import Id, error_answer, resolve

router = APIRouter(prefix="/ws")

QUEUE_LENGTH = 64
"""Messages kept for a member that reads slowly."""


class Member:
    """A member of a room and its unread messages; of too many the oldest are dropped and counted."""

    def __init__(self, *, hears_itself: bool) -> None:
        self.hears_itself = hears_itself
        self._waiting: deque[str] = deque(maxlen=QUEUE_LENGTH)
        self._dropped = 0
        self._arrived = asyncio.Event()

    def offer(self, text: str) -> None:
        """Queue a message, at once however slowly the member reads."""
        if len(self._waiting) == QUEUE_LENGTH:
            self._dropped += 1
        self._waiting.append(text)
        self._arrived.set()

    async def take(self) -> str:
        """Wait for the next message; where some were dropped, the next one says how many."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        if self._dropped:
            count, self._dropped = self._dropped, 0
            return json.dumps({"type": "dropped", "count": count})
        return self._waiting.popleft()


class Rooms:
    """All rooms of this process; a room exists while it has members."""

    def __init__(self) -> None:
        self._members: defaultdict[str, set[Member]] = defaultdict(set)

    @contextmanager
    def joined(self, room: str, *, hears_itself: bool) -> Iterator[Member]:
        """Make a member of the room for the length of the block."""
        member = Member(hears_itself=hears_itself)
        self._members[room].add(member)
        try:
            yield member
        finally:
            self._members[room].remove(member)
            if not self._members[room]:
                del self._members[room]

    def send(self, room: str, sender: Member, text: str) -> None:
        """Queue the text for all members of the room, for the sender too if it hears itself."""
        for member in self._members[room]:
            if member is not sender or member.hears_itself:
                member.offer(text)


@router.websocket("/classrooms/{classroom_id}")
async def join_classroom(websocket: WebSocket, classroom_id: Id, echo: bool = True) -> None:
    """Join a classroom, open to every account: a message reaches all, and its sender unless echo=false."""
    await _serve(websocket, f"classroom {classroom_id}", echo, None)


@router.websocket("/students/{student_id}/progress")
async def follow_progress(websocket: WebSocket, student_id: Id, echo: bool = True) -> None:
    """Send or follow a student's progress: the student, its parents and admins may."""
    await _serve(websocket, f"student {student_id}", echo, student_id)


async def _serve(websocket: WebSocket, room: str, echo: bool, student_id: int | None) -> None:
    """Admit who may enter, to a student's room only those who may see the student; deliver and receive."""
    try:
        account = account_of(websocket)
        if student_id is not None and account.role == "parent":
            await resolve(websocket, Parents).check_child(account, student_id)
        elif student_id is not None:
            await resolve(websocket, Careers).find_student(account, student_id)
    except ApiError as error:
        await websocket.send_denial_response(error_answer(error))
        return
    rooms = resolve(websocket, Rooms)
    await websocket.accept()
    with rooms.joined(room, hears_itself=echo) as member:
        delivery = asyncio.create_task(_deliver(websocket, member))
        try:
            while (event := await websocket.receive())["type"] == "websocket.receive":
                text = event.get("text") or ""
                reply = _reply(text)
                if reply is None:
                    rooms.send(room, member, text)
                else:
                    member.offer(json.dumps(reply))
        finally:
            delivery.cancel()
            with suppress(asyncio.CancelledError):
                await delivery


async def _deliver(websocket: WebSocket, member: Member) -> None:
    # Waits while the client does not read; meanwhile its messages pile up here and delay no other client.
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text(await member.take())


def _reply(text: str) -> dict[str, Any] | None:
    """Return a pong or what is wrong with a message; None for one that goes to the room."""
    try:
        message = json.loads(text)
    except RecursionError:
        return {"type": "error", "error": "a message must not be nested as deeply as that"}
    except ValueError:
        message = None
    if not isinstance(message, dict):
        return {"type": "error", "error": "a message must be a JSON object, sent as text"}
    return message | {"type": "pong"} if message.get("type") == "ping" else None
