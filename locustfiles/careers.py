"""A student's day: choose one of four careers, answer ten questions, look at flow, trends and dashboard.

A right answer is more than status 200: exactly four careers and none that the student chose in the last five
days, content in three parts, answers judged as they were meant, a percentage within 0–100.
"""

from __future__ import annotations

from locust import constant, task
from locust.env import Environment

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar, NamedTuple

from locustfiles.school import STUDENTS, MemberUser
from plimsoll import Answer, Identifier, Step, WrongAnswerError, field, filled, identifier, record_run

record_run()

POOL_SIZE = 4
ANSWERS_PER_SESSION = 10
RIGHT_ANSWER_SHARE = 0.7
THINK_TIME_S = (1, 3)
SESSIONS_PER_MEMORY_LOOK = 1000

_sessions = count(1)


class Question(NamedTuple):
    """A question to answer rightly or wrongly on purpose."""

    id: Identifier
    answer: str
    wrong_answers: list[str]


class Trending(NamedTuple):
    """Whether trending came from a cache, and from which pod, where it says so."""

    is_hit: bool
    pod: str | None


class CareersUser(MemberUser):
    """Learn (14 of 20), look at trends and dashboard (2 each), PathIQ analysis and health (1 each)."""

    weight = 3  # the main journey of the platform: half of the users where all three run together
    wait_time = constant(1)
    accounts = STUDENTS
    request_names: ClassVar[frozenset[str]] = frozenset(
        {
            "auth.login",
            "careers.content",
            "careers.dashboard",
            "careers.flow_state",
            "careers.health",
            "careers.interact",
            "careers.memory",
            "careers.pathiq",
            "careers.pool",
            "careers.select",
            "careers.trending",
        }
    )
    metric_names: ClassVar[frozenset[str]] = frozenset(
        {
            "careers.cache",
            "careers.health.*",
            "careers.heap_used_mb",
            "careers.pod.*",
            "careers.rate_limited",
        }
    )
    transaction_names: ClassVar[frozenset[str]] = frozenset({"careers.learn", "careers.learn/session"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "learn": (
            *("careers.pool", "careers.select", "careers.content"),
            *(ANSWERS_PER_SESSION * (THINK_TIME_S, "careers.interact")),
            *("transaction:careers.learn/session", "careers.flow_state", "transaction:careers.learn"),
            dict.fromkeys(("careers.memory", "careers.heap_used_mb"), 1 / SESSIONS_PER_MEMORY_LOOK),
        ),
        "look_at_trends": ("careers.trending", "careers.rate_limited", "careers.cache"),
        "look_at_dashboard": ("careers.dashboard",),
        "analyse": ("careers.pathiq",),
        "check_health": ("careers.health",),
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.chosen: set[Identifier] = set()  # a run is shorter than five days

    @task(14)
    def learn(self) -> None:
        """Take the six steps of the main journey; the last, a pause of 1 s, is the wait time."""
        student_id = self.account().student_id
        with self.transaction("careers.learn"):
            session_id = self.select(student_id, random.choice(self.pool(student_id)))
            questions = self.ask(
                "careers.content", "GET", f"/api/v1/sessions/{session_id}/content", content_questions
            )
            with self.transaction("session"):
                for number in range(ANSWERS_PER_SESSION):
                    self.pause(*THINK_TIME_S)
                    self.answer(session_id, questions[number % len(questions)])
            path = f"/api/v1/students/{student_id}/flow-state"
            self.ask("careers.flow_state", "GET", path, flow_percentage)
        if next(_sessions) % SESSIONS_PER_MEMORY_LOOK == 0:
            used_bytes = self.ask("careers.memory", "GET", "/api/v1/metrics/memory", memory)
            self.gauge("careers.heap_used_mb", used_bytes / 1e6)

    @task(2)
    def look_at_trends(self) -> None:
        """See what others choose, cached and limited in rate; count cache hits and which pod answered."""
        self.account()
        path = "/api/v1/careers/trending"
        seen = self.ask("careers.trending", "GET", path, trending, statuses=(200, 429))
        self.rate("careers.rate_limited", seen is None)
        if seen is None:
            return
        self.rate("careers.cache", seen.is_hit)
        if seen.pod:
            self.count(f"careers.pod.{seen.pod}")

    @task(2)
    def look_at_dashboard(self) -> None:
        """Open the student's own dashboard."""
        student_id = self.account().student_id
        self.ask("careers.dashboard", "GET", "/api/v1/students/dashboard", about_student(student_id))

    @task(1)
    def analyse(self) -> None:
        """Have PathIQ analyse the student."""
        student_id = self.account().student_id
        body = {"studentId": student_id}
        self.ask("careers.pathiq", "POST", "/api/v1/pathiq/analyze", about_student(student_id), json=body)

    @task(1)
    def check_health(self) -> None:
        """Ask the service how it is."""
        self.check_health_of("careers.health", "/api/v1/health")

    def pool(self, student_id: Identifier) -> list[Identifier]:
        """Return the ids of the careers to choose from."""
        path = f"/api/v1/students/{student_id}/careers/pool"
        return self.ask("careers.pool", "GET", path, lambda answer: fresh_pool(answer, self.chosen))

    def select(self, student_id: Identifier, career_id: Identifier) -> Identifier:
        """Choose a career, remember the choice, and return the session it opens."""
        path = f"/api/v1/students/{student_id}/careers/select"
        session_id = self.ask("careers.select", "POST", path, opened_session, json={"careerId": career_id})
        self.chosen.add(career_id)
        return session_id

    def answer(self, session_id: Identifier, question: Question) -> None:
        """Answer a question, rightly in 70 % of all cases; the service must see which."""
        right = random.random() < RIGHT_ANSWER_SHARE
        given = question.answer if right else random.choice(question.wrong_answers)
        body = {"type": "answer", "data": {"questionId": question.id, "answer": given}}
        path = f"/api/v1/sessions/{session_id}/interact"
        self.ask("careers.interact", "POST", path, lambda answer: judged_as(answer, right=right), json=body)


def fresh_pool(answer: Answer, chosen: set[Identifier]) -> list[Identifier]:
    """Read the careers' ids: exactly four, none of them chosen by this student in the last five days."""
    careers = field(answer.body, "careers", list)
    if len(careers) != POOL_SIZE:
        raise WrongAnswerError(f"got {len(careers)} careers, expected exactly {POOL_SIZE}")
    career_ids = [identifier(career, "careerId") for career in careers]
    if len(set(career_ids)) != POOL_SIZE:
        raise WrongAnswerError("got the same career more than once")
    if not chosen.isdisjoint(career_ids):
        raise WrongAnswerError("got a career that was chosen in the last 5 days")
    return career_ids


def opened_session(answer: Answer) -> Identifier:
    """Read the id of the session that a selection opens."""
    return identifier(answer.body, "sessionId")


def content_questions(answer: Answer) -> list[Question]:
    """Read the questions that come with a session's three parts of content."""
    for part in ("learn", "experience", "discover"):
        filled(answer.body, part, list)
    return [question_of(item) for item in filled(answer.body, "questions", list)]


def question_of(item: Any) -> Question:
    """Read one question; answering it wrongly takes a choice that is not the answer."""
    answer = filled(item, "answer", str)
    wrong_answers = [choice for choice in field(item, "choices", list) if choice != answer]
    if not wrong_answers:
        raise WrongAnswerError("'choices' has no wrong answer")
    return Question(identifier(item, "questionId"), answer, wrong_answers)


def judged_as(answer: Answer, *, right: bool) -> None:
    """Check that the service saw whether the answer to its question was right."""
    if field(answer.body, "correct", bool) != right:
        raise WrongAnswerError(f"a {'right' if right else 'wrong'} answer was judged otherwise")


def about_student(student_id: Identifier) -> Callable[[Answer], None]:
    """Return a check that the answer is about this student and no other."""

    def check(answer: Answer) -> None:
        if identifier(answer.body, "studentId") != student_id:
            raise WrongAnswerError("'studentId' is another student's")

    return check


def flow_percentage(answer: Answer) -> float:
    """Read how much of the learning is done, 0–100."""
    percentage = field(answer.body, "percentage", float)
    if not 0 <= percentage <= 100:
        raise WrongAnswerError("'percentage' is outside 0–100")
    return percentage


def memory(answer: Answer) -> float:
    """Read how much memory the service uses, which must be within what it has."""
    used_bytes = field(answer.body, "heapUsed", float)
    if not 0 < used_bytes <= field(answer.body, "heapTotal", float):
        raise WrongAnswerError("'heapUsed' is not within 'heapTotal'")
    return used_bytes


def trending(answer: Answer) -> Trending | None:
    """Read where the trending careers came from; None for a limited rate, a right answer too."""
    if answer.status == 429:
        return None
    field(answer.body, "careers", list)
    cache = answer.headers.get("X-Cache")
    if cache not in {"HIT", "MISS"}:
        raise WrongAnswerError("header X-Cache says neither HIT nor MISS")
    return Trending(cache == "HIT", answer.headers.get("X-Pod-Name"))
