"""The bundled service in a few lines: the right answer to each request of the journeys, or a wrong one."""

from __future__ import annotations

from locust.env import Environment
from locust.exception import RescheduleTask

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple, Self

from locustfiles.school import Credentials
from plimsoll.http1.errors import BadStatus
from plimsoll.users.api import ApiUser
from tests.virtual_time import virtual_time

EMAIL, STUDENT = "student-000007@plimsoll.test", 7
MOST_ITERATIONS = 50
RIGHT = "right"


class Reply(NamedTuple):
    """What is answered; a status of 0 with an error where nothing is."""

    status: int
    body: bytes
    headers: dict[str, str]
    error: Exception | None = None
    elapsed_s: float = 0.0


Tamper = Callable[[Reply], Reply]


def rewritten(change: Callable[[Any], Any]) -> Tamper:
    """Return a tamper that changes the JSON of a right answer."""

    def tamper(reply: Reply) -> Reply:
        return reply._replace(body=json.dumps(change(json.loads(reply.body))).encode())

    return tamper


def with_field(key: str, value: object) -> Tamper:
    """Return a tamper that puts a wrong value into a right answer."""
    return rewritten(lambda body: body | {key: value})


def without_field(key: str) -> Tamper:
    """Return a tamper that leaves a key out of a right answer."""
    return rewritten(lambda body: {name: value for name, value in body.items() if name != key})


def said(status: int, body: bytes = b"{}") -> Tamper:
    """Return a tamper that gives this answer whatever would be right."""
    return lambda reply: reply._replace(status=status, body=body)


def lost(error: Exception) -> Tamper:
    """Return a tamper by which no answer comes."""
    return lambda reply: reply._replace(status=0, body=b"", error=error)


def without_headers(reply: Reply) -> Reply:
    """Leave all headers out."""
    return reply._replace(headers={})


class Response:
    """What the client hands out."""

    def __init__(self, reply: Reply, note_failure: Callable[[str], None]) -> None:
        self.status_code, self.content, self.headers = reply.status, reply.body, reply.headers
        self.error = reply.error or (BadStatus(reply.status) if reply.status >= 400 else None)
        self.elapsed_s, self._note_failure = reply.elapsed_s, note_failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def success(self) -> None:
        """Have been right."""

    def failure(self, text: str) -> None:
        """Have been wrong."""
        self._note_failure(text)


class School:
    """A client of the service: it answers each request by its name, right but where a tamper changes it."""

    def __init__(self, name: str, tamper: Tamper, role: str) -> None:
        self._name, self._tamper, self._role = name, tamper, role
        self._numbers, self._total = count(1), 0.0
        self.asked: Counter[str] = Counter()
        self.iteration_s = 0.0
        self.failures: list[str] = []

    def request(self, method: str, path: str, *, name: str, json: Any = None, **_: Any) -> Response:
        """Answer."""
        assert method in {"GET", "POST", "PUT"}
        self.asked[name] += 1
        reply = self._right_reply(name, path, json)
        return Response(self._tamper(reply) if name == self._name else reply, self.failures.append)

    def _right_reply(self, name: str, path: str, asked: Any) -> Reply:
        headers = {"X-Cache": "HIT", "X-Pod-Name": "pod-7", "Content-Type": "text/html; charset=utf-8"}
        body = {} if name in STATUSES else self._right_body(name.partition(".")[2], path, asked)
        status = STATUSES.get(name, 201 if name == "orders.create" else 200)
        return Reply(status, json.dumps(body).encode(), headers)

    def _right_body(self, what: str, path: str, asked: Any) -> Any:
        match what:
            case "pool":
                return {"careers": [{"careerId": next(self._numbers)} for _ in range(4)]}
            case "interact" | "activity":
                return {"correct": asked["data"]["answer"] == RIGHT}
            case "login":
                return {"token": "t", "userId": 1, "studentId": STUDENT, "role": self._role}
            case "add_item":
                self._total = PRICE * asked["quantity"]
                return {"status": "pending", "total": self._total}
            case "get" | "confirm" | "ship" | "deliver":
                return {"status": ORDER_STATES[what], "total": self._total}
            case "profile_update":
                return {"name": asked["name"]}
            case "enroll":
                return {"created": len(asked["students"]), "students": asked["students"]}
            case "report":
                return report_on([asked["studentId"]])
            case "history":
                return history(int(path.rpartition("offset=")[2]))
        return BODIES[what]


STATUSES = {
    "auth.login_wrong_password": 401,
    "auth.no_token": 401,
    "auth.register": 201,
    "auth.register_taken": 409,
    "orders.admin_refused": 403,
    "orders.move_refused": 409,
    "parents.report_refused": 403,
}
"""Of requests whose status says it all."""

PRICE = 2.5
ORDER_STATES = {"get": "pending", "confirm": "confirmed", "ship": "shipped", "deliver": "delivered"}
PAGE_SIZE, NEWEST = 1000, datetime(2026, 1, 1, tzinfo=UTC)


def report_on(students: list[int]) -> dict[str, Any]:
    """Return a report on these students, whose months add up."""
    rows = [{"studentId": student, "selections": 2, "answers": 20} for student in students]
    return {"students": rows, "months": [{"selections": 2 * len(rows), "answers": 20 * len(rows)}]}


def history(offset: int) -> dict[str, Any]:
    """Return one of two pages of a history, newest first."""
    numbers = range(offset, offset + (PAGE_SIZE if offset == 0 else 10))
    selections = [
        {"sessionId": number, "startedAt": (NEWEST - timedelta(hours=number)).isoformat()}
        for number in numbers
    ]
    return {"selections": selections, "hasMore": offset == 0}


def graphql(complexity: int, **data: Any) -> dict[str, Any]:
    """Return the answer to a query."""
    return {"data": data, "extensions": {"complexity": complexity}}


QUESTION = {"questionId": 1, "answer": RIGHT, "choices": [RIGHT, "wrong"]}
PRODUCT = {"id": 1, "price": PRICE}
DISCUSSION = {"title": "One", "comments": [{"body": "Yes", "author": {"name": "Ada"}}]}
POSTS = graphql(200, users=[{"posts": [{"title": f"{user} {n}"} for n in range(2)]} for user in range(100)])
BODIES: dict[str, Any] = {
    "select": {"sessionId": 1},
    "content": {"learn": ["…"], "experience": ["…"], "discover": ["…"], "questions": [QUESTION] * 10},
    "flow_state": {"percentage": 50},
    "memory": {"heapUsed": 1e6, "heapTotal": 2e6},
    "trending": {"careers": []},
    "pathiq": {"studentId": STUDENT},
    "health": {"status": "healthy"},
    "products": {"data": [PRODUCT]},
    "borrow": {"data": [PRODUCT]},
    "product": PRODUCT,
    "create": {"id": 1},
    "profile": {"email": EMAIL},
    "admin_dashboard": {"orders": {}},
    "admin_analytics": {"days": []},
    "report_generate": {"jobId": 1},
    "report_job": {"status": "done", "result": report_on(list(range(1, 501)))},
    "dashboard": {
        "studentId": STUDENT,
        "children": [{"studentId": n, "percentage": 50, "recentSessions": []} for n in (1, 2)],
    },
    "status": {"status": "healthy", "pool": {"size": 10, "available": 4, "waiting": 0}},
    "navigate": "<html>",
    "simple": graphql(3, user={"id": "1", "name": "Ada"}),
    "student_dashboard": graphql(
        9,
        studentDashboard={
            "profile": {"email": EMAIL},
            "recentSessions": [{}],
            "upcoming": [{}],
            "metrics": {"percentage": 50},
        },
    ),
    "career_exploration": graphql(9, careerExploration={"careers": [{}], "trending": [{}], "fields": [{}]}),
    "nested": graphql(70, user={"name": "Ada", "posts": [DISCUSSION] * 3}),
    "analytics": graphql(
        100,
        analytics={"posts": 8, "authors": 4, "comments": 24, "postsPerAuthor": 2.0, "commentsPerPost": 3.0},
    ),
    "posts_singly": POSTS,
    "posts_batched": POSTS,
}


def play(
    journey: type[ApiUser],
    task: str,
    name: str = "",
    tamper: Tamper = lambda reply: reply,
    role: str = "student",
    iterations: int = MOST_ITERATIONS,
) -> School:
    """Have a user do one of its tasks again and again, until something is wrong, under virtual time."""
    school = School(name, tamper, role)
    with virtual_time() as clock:
        user: Any = type("Local", (journey,), {"host": "http://127.0.0.1:1"})(Environment())
        user.client, user.credentials = school, Credentials(EMAIL)
        for _ in range(iterations):
            with suppress(RescheduleTask):
                getattr(user, task)()
            if school.failures:
                break
        school.iteration_s = clock.elapsed_s / iterations
    return school
