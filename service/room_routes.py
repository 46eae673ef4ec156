"""WebSocket routes: classrooms and the progress of students."""

import asyncio
import json
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from service.errors import ApiError
from service.rooms import Member, Rooms
from service.routing import Id, account_of, error_answer, services

router = APIRouter(prefix="/ws")


@router.websocket("/classrooms/{classroom_id}")
async def join_classroom(websocket: WebSocket, classroom_id: Id, echo: bool = True) -> None:
    """Be in a classroom, open to every account: what one sends all get, oneself too unless echo=false."""
    await _serve(websocket, f"classroom {classroom_id}", _admit_anyone(websocket), echo)


@router.websocket("/students/{student_id}/progress")
async def follow_progress(websocket: WebSocket, student_id: Id, echo: bool = True) -> None:
    """Send or follow a student's progress: the student, its parents and admins may."""
    await _serve(websocket, f"student {student_id}", _admit_to_student(websocket, student_id), echo)


async def _admit_anyone(websocket: WebSocket) -> None:
    account_of(websocket)


async def _admit_to_student(websocket: WebSocket, student_id: int) -> None:
    account = account_of(websocket)
    if account.role == "parent":
        await services(websocket).parents.check_child(account, student_id)
    else:
        await services(websocket).careers.find_student(account, student_id)


async def _serve(websocket: WebSocket, room: str, admitted: Awaitable[None], echo: bool) -> None:
    try:
        await admitted
    except ApiError as error:
        await websocket.send_denial_response(error_answer(error))
        return
    rooms = services(websocket).rooms
    await websocket.accept()
    with rooms.joined(room, hears_itself=echo) as member:
        delivery = asyncio.create_task(_deliver(websocket, member))
        try:
            await _listen(websocket, rooms, room, member)
        finally:
            delivery.cancel()
            with suppress(asyncio.CancelledError):
                await delivery


async def _deliver(websocket: WebSocket, member: Member) -> None:
    # Waits while the client does not read; meanwhile its messages pile up here and delay no other client.
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text(await member.take())


async def _listen(websocket: WebSocket, rooms: Rooms, room: str, member: Member) -> None:
    while (event := await websocket.receive())["type"] == "websocket.receive":
        text = event.get("text") or ""
        answer = _answer(text)
        if answer is None:
            rooms.say(room, member, text)
        else:
            member.offer(json.dumps(answer))


def _answer(text: str) -> dict[str, Any] | None:
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
