"""A student's day: choose one of four careers, learn by ten questions, watch the flow; and glance around.

A right answer is more than status 200: exactly four careers and none that the student chose in the last five
days, content in three parts, answers judged as they were meant, a percentage within 0–100.
"""

from __future__ import annotations

from locust import constant, events, task
from locust.env import Environment

import logging
import random
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any, ClassVar, NamedTuple

from clients.answers import Answer, Identifier, WrongAnswerError, field, filled, identifier
from clients.api import MemberUser
from clients.rosters import STUDENTS
from telemetry.switch import record_run

record_run()

POOL_SIZE = 4
ANSWERS_PER_SESSION = 10
RIGHT_ANSWER_SHARE = 0.7
THINK_TIME_S = (1, 3)
SESSIONS_PER_MEMORY_LOOK = 1000

_sessions = count(1)

# Which cache state and which pod answered, in this process; logged when the load ends.
trending_answers: Counter[str] = Counter()


class Question(NamedTuple):
    """A question to answer rightly or wrongly on purpose."""

    id: Identifier
    answer: str
    wrong_answers: list[str]


class CareersUser(MemberUser):
    """Mostly learn (14 of 20); trends and dashboard between (2 each), PathIQ analysis and health (1 each)."""

    weight = 3  # the main journey of the platform: half of the users where all three run together
    wait_time = constant(1)
    roster = STUDENTS
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

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.chosen: set[Identifier] = set()  # a run is shorter than five days

    @task(14)
    def learn(self) -> None:
        """Take the six steps of the main journey; the last, a pause of 1 s, is the wait time."""
        student_id = self.account().student_id
        session_id = self.select(student_id, random.choice(self.pool(student_id)))
        questions = self.ask(
            "careers.content", "GET", f"/api/v1/sessions/{session_id}/content", content_questions
        )
        for number in range(ANSWERS_PER_SESSION):
            self.pause(*THINK_TIME_S)
            self.answer(session_id, questions[number % len(questions)])
        self.ask("careers.flow_state", "GET", f"/api/v1/students/{student_id}/flow-state", flow_percentage)
        if next(_sessions) % SESSIONS_PER_MEMORY_LOOK == 0:
            self.ask("careers.memory", "GET", "/api/v1/metrics/memory", memory)

    @task(2)
    def look_at_trends(self) -> None:
        """See what others choose: cached, and limited in rate."""
        self.account()
        self.ask("careers.trending", "GET", "/api/v1/careers/trending", trending, statuses=(200, 429))

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


def memory(answer: Answer) -> None:
    """Check that the service says how much memory it uses of how much."""
    if not 0 < field(answer.body, "heapUsed", float) <= field(answer.body, "heapTotal", float):
        raise WrongAnswerError("'heapUsed' is not within 'heapTotal'")


def trending(answer: Answer) -> None:
    """Count which pod answered, and whether from its cache; a limited rate is a right answer too."""
    if answer.status == 429:
        trending_answers["rate limited"] += 1
        return
    field(answer.body, "careers", list)
    cache = answer.headers.get("X-Cache")
    if cache not in {"HIT", "MISS"}:
        raise WrongAnswerError("header X-Cache says neither HIT nor MISS")
    trending_answers[f"X-Cache {cache}"] += 1
    if pod := answer.headers.get("X-Pod-Name"):
        trending_answers[f"pod {pod}"] += 1


def forget_trending_answers(**_: Any) -> None:
    """Begin each run at zero."""
    trending_answers.clear()


def log_trending_answers(**_: Any) -> None:
    """Say how often each cache state and pod was seen, if any was."""
    if trending_answers:
        counts = ", ".join(f"{seen}: {times}" for seen, times in sorted(trending_answers.items()))
        logging.getLogger(__name__).info("careers.trending: %s", counts)


# Locust's events carry no types.
events.test_start.add_listener(forget_trending_answers)
events.test_stop.add_listener(log_trending_answers)
