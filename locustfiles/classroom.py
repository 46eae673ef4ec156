"""Classrooms in real time: a teacher's updates reach all students, and each follows its own progress.

A class is a teacher and 24 students, all users of one process, so that one clock stamps what is sent and what
is received. The teacher sends `classroom.update` (1 KiB, 10 a second), each student `student.progress` (512
bytes, 1 a second). Response times are those from the sender's stamp to receipt, once for each who receives.
"""

from __future__ import annotations

from locust import task
from locust.env import Environment

import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import ClassVar

from locustfiles.school import STUDENTS, MemberUser, StampedListener, StampedSender
from plimsoll import Step, WebSocket, WebSocketUser, record_run, websocket_request_names

record_run()

CLASS_SIZE = 25
STUDENT_SHARE = (CLASS_SIZE - 1) / CLASS_SIZE
CLASSROOMS_PER_PROCESS = 100_000
UPDATE_BYTES, UPDATES_PER_S = 1024, 10
PROGRESS_BYTES, PROGRESS_PER_S = 512, 1

_seats = count()


class ClassroomUser(MemberUser, WebSocketUser):
    """The first user of each class is the teacher, the other 24 are students."""

    accounts = STUDENTS  # any account may teach
    request_names: ClassVar[frozenset[str]] = frozenset(
        {"auth.login", "classroom.update", "student.progress"}
        | websocket_request_names("classroom")
        | websocket_request_names("student")
    )

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        # Of what any of them receives in a second; 24 of 25 are students.
        "take_part": (
            {
                "classroom.update": UPDATES_PER_S * STUDENT_SHARE,
                "student.progress": PROGRESS_PER_S * STUDENT_SHARE,
            },
            1.0,
        )
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        classroom, seat = divmod(next(_seats), CLASS_SIZE)
        process: int = getattr(environment.runner, "worker_index", 0)
        self.classroom_id = process * CLASSROOMS_PER_PROCESS + classroom + 1
        self.teaches = seat == 0
        self.stage: WebSocket | None = None
        self.sender = (
            StampedSender("classroom.update", UPDATE_BYTES)
            if self.teaches
            else StampedSender("student.progress", PROGRESS_BYTES)
        )
        self.next_s = time.monotonic()

    @task
    def take_part(self) -> None:
        """Say the next thing; before the first, enter the rooms."""
        if self.stage is None:
            self.stage = self.enter_rooms()
        if self.stage.is_open:
            self.stage.send(self.sender.next_message())

    def wait_time(self) -> float:
        """Keep to the rate of what this user says, without catching up on what was missed."""
        now_s = time.monotonic()
        interval_s = 1 / (UPDATES_PER_S if self.teaches else PROGRESS_PER_S)
        self.next_s = max(self.next_s + interval_s, now_s)
        return self.next_s - now_s

    def enter_rooms(self) -> WebSocket:
        """Enter the classroom, and as a student the room of one's own progress; return where to speak."""
        student_id = self.account().student_id
        classroom = f"/ws/classrooms/{self.classroom_id}?echo=false"
        room = self.connect("classroom", classroom, StampedListener("classroom.update"))
        if self.teaches:
            return room
        progress = f"/ws/students/{student_id}/progress"
        return self.connect("student", progress, StampedListener("student.progress"))

    def auth_headers(self) -> Mapping[str, str]:
        """Return the header with the token, signing in first: a handshake is never anonymous."""
        self.account()
        return super().auth_headers()
