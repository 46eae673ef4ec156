"""Career selection and learning sessions of the bundled service."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from tests import plain_http
from tests.fix_bundled_service import ServiceProcess, Visitor, new_student


def draw_pool(visitor: Visitor, student_id: int | None = None) -> list[dict[str, Any]]:
    """Draw a pool and return its careers."""
    answer = visitor.client.get(f"/api/v1/students/{student_id or visitor.student_id}/careers/pool")
    assert answer.status_code == 200, answer.text
    careers: list[dict[str, Any]] = answer.json()["careers"]
    return careers


def select(visitor: Visitor, career_id: int) -> httpx.Response:
    """Select a career for oneself."""
    path = f"/api/v1/students/{visitor.student_id}/careers/select"
    return visitor.client.post(path, json={"careerId": career_id})


def open_session(visitor: Visitor) -> int:
    """Select a career from the pool and return the session it opens."""
    answer = select(visitor, draw_pool(visitor)[0]["careerId"])
    assert answer.status_code == 200, answer.text
    session_id: int = answer.json()["sessionId"]
    return session_id


def interact(visitor: Visitor, session_id: int, question_id: int, answer: str) -> httpx.Response:
    """Answer a question."""
    body = {"type": "answer", "data": {"questionId": question_id, "answer": answer}}
    return visitor.client.post(f"/api/v1/sessions/{session_id}/interact", json=body)


def test_pool_has_four_different_careers(student: Visitor) -> None:
    """A pool is four careers, each with an id of its own."""
    assert len({career["careerId"] for career in draw_pool(student)}) == 4


def test_pool_leaves_out_what_was_chosen(student: Visitor) -> None:
    """No pool ever offers a career chosen just now."""
    chosen: set[int] = set()
    for _ in range(20):
        pool = {career["careerId"] for career in draw_pool(student)}
        assert not pool & chosen
        chosen.add(min(pool))
        assert select(student, min(pool)).status_code == 200


def test_five_days_decide(database_url: str, open_service: ServiceProcess) -> None:
    """A career chosen just under five days ago is refused, one chosen just over five days ago is not."""
    with new_student(open_service.url) as student, psycopg.connect(database_url, autocommit=True) as database:
        for career_id, age in ((1, "4 days 23 hours"), (2, "5 days 1 hour")):
            database.execute(
                "INSERT INTO plimsoll.latest_choices VALUES (%s, %s, now() - %s::interval)",
                (student.student_id, career_id, age),
            )

        assert select(student, 1).status_code == 409
        assert select(student, 2).status_code == 200


def test_student_never_runs_out(database_url: str, open_service: ServiceProcess) -> None:
    """With three careers left the catalogue grows, and ten pools drawn at once are all full and fresh."""
    with new_student(open_service.url) as student, psycopg.connect(database_url, autocommit=True) as database:
        database.execute(
            "INSERT INTO plimsoll.latest_choices SELECT %s, id, now() FROM plimsoll.careers WHERE id > 3",
            (student.student_id,),
        )
        with ThreadPoolExecutor(10) as threads:
            pools = list(threads.map(lambda _: draw_pool(student), range(10)))
        chosen = database.execute(
            "SELECT career_id FROM plimsoll.latest_choices WHERE student_id = %s", (student.student_id,)
        ).fetchall()

    assert [len(pool) for pool in pools] == [4] * 10
    assert not {career["careerId"] for pool in pools for career in pool} & {row[0] for row in chosen}


def test_same_career_at_once_is_selected_once(student: Visitor) -> None:
    """Of eight equal selections at once one opens a session and seven are refused."""
    career_id = draw_pool(student)[0]["careerId"]

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(
            answer.status_code for answer in threads.map(lambda _: select(student, career_id), range(8))
        )

    assert statuses == [200] + [409] * 7


def test_selection_says_what_it_opened(student: Visitor) -> None:
    """A selection answers with the session, the student and the career."""
    career_id = draw_pool(student)[0]["careerId"]

    selection = select(student, career_id).json()

    assert selection["sessionId"] > 0
    assert (selection["studentId"], selection["careerId"]) == (student.student_id, career_id)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"careerId": 987_654_321}, 404),
        ({"careerId": 2**63}, 422),
        ({"careerId": "first"}, 422),
        ({"careerId": 0}, 422),
        ({}, 422),
    ],
)
def test_unacceptable_selection(student: Visitor, body: dict[str, object], status: int) -> None:
    """An unknown career is 404, one that cannot be is 422."""
    path = f"/api/v1/students/{student.student_id}/careers/select"

    assert student.client.post(path, json=body).status_code == status


def test_content_has_three_phases_and_ten_questions(student: Visitor) -> None:
    """The session teaches lessons in every phase and asks ten questions whose answer is among the choices."""
    content = student.client.get(f"/api/v1/sessions/{open_session(student)}/content").json()

    assert all(content[phase] for phase in ("learn", "experience", "discover"))
    assert len({question["questionId"] for question in content["questions"]}) == 10
    assert all(question["answer"] in question["choices"] for question in content["questions"])


def test_flow_is_the_share_of_right_answers(student: Visitor) -> None:
    """Seven right answers of ten are said to be right and make 70 %."""
    session_id = open_session(student)
    questions = student.client.get(f"/api/v1/sessions/{session_id}/content").json()["questions"]
    path = f"/api/v1/students/{student.student_id}/flow-state"
    assert student.client.get(path).json()["percentage"] == 0

    answers = [
        interact(student, session_id, question["questionId"], question["answer"] if i < 7 else "wrong")
        for i, question in enumerate(questions)
    ]

    assert [answer.json()["correct"] for answer in answers] == [True] * 7 + [False] * 3
    assert student.client.get(path).json() == {
        "studentId": student.student_id,
        "percentage": 70,
        "answers": 10,
        "state": "flow",
    }


def test_question_of_another_career_is_unknown(student: Visitor) -> None:
    """A session takes answers to its own questions only."""
    session_id = open_session(student)
    questions = student.client.get(f"/api/v1/sessions/{session_id}/content").json()["questions"]
    foreign = next(i for i in range(1, 400) if i not in {question["questionId"] for question in questions})

    assert interact(student, session_id, foreign, "north").status_code == 404


def test_unknown_interaction_is_422(student: Visitor) -> None:
    """Answering is the only interaction there is."""
    body = {"type": "dance", "data": {"questionId": 1, "answer": "north"}}

    assert (
        student.client.post(f"/api/v1/sessions/{open_session(student)}/interact", json=body).status_code
        == 422
    )


def test_students_see_themselves_only(student: Visitor, other_student: Visitor) -> None:
    """Another student's pool, selection, flow, session and analysis are 403."""
    client, other, session_id = student.client, other_student.student_id, open_session(other_student)

    answers = [
        client.get(f"/api/v1/students/{other}/careers/pool"),
        client.post(f"/api/v1/students/{other}/careers/select", json={"careerId": 1}),
        client.get(f"/api/v1/students/{other}/flow-state"),
        client.get(f"/api/v1/students/{other}/career-history"),
        client.get(f"/api/v1/sessions/{session_id}/content"),
        interact(student, session_id, 1, "north"),
        client.post("/api/v1/pathiq/analyze", json={"studentId": other}),
    ]

    assert [answer.status_code for answer in answers] == [403] * len(answers)


def test_admins_see_every_student_there_is(admin: Visitor, student: Visitor) -> None:
    """An admin sees a student's pool; an unknown student or session is 404; an admin has no dashboard."""
    assert student.student_id is not None
    assert len(draw_pool(admin, student.student_id)) == 4
    assert admin.client.get(f"/api/v1/sessions/{open_session(student)}/content").status_code == 200
    assert admin.client.get("/api/v1/students/987654321/flow-state").status_code == 404
    assert admin.client.get("/api/v1/sessions/987654321/content").status_code == 404
    assert admin.client.get("/api/v1/students/dashboard").status_code == 403


def test_seeded_students_have_recent_selections(service_url: str) -> None:
    """A seeded student has four past selections, and careers of the last five days are refused."""
    student = Visitor(service_url, "student-000500@plimsoll.test")
    with student.client:
        sessions = student.client.get("/api/v1/students/dashboard").json()["recentSessions"]

        assert len(sessions) == 4
        assert [select(student, session["careerId"]).status_code for session in sessions[:2]] == [409, 409]


def test_dashboard_shows_the_newest_sessions_first(student: Visitor) -> None:
    """The dashboard lists sessions newest first and counts answers."""
    opened = [open_session(student) for _ in range(3)]

    dashboard = student.client.get("/api/v1/students/dashboard").json()

    assert [session["sessionId"] for session in dashboard["recentSessions"]] == opened[::-1]
    assert dashboard["answers"] == {"total": 0, "right": 0}


def test_analysis_recommends_the_best_field(student: Visitor) -> None:
    """After one right answer its field has accuracy 1 and is recommended; no body means oneself."""
    session_id = open_session(student)
    question = student.client.get(f"/api/v1/sessions/{session_id}/content").json()["questions"][0]
    interact(student, session_id, question["questionId"], question["answer"])

    own = student.client.post("/api/v1/pathiq/analyze").json()
    named = student.client.post("/api/v1/pathiq/analyze", json={"studentId": student.student_id}).json()

    assert own == named
    assert own["answers"] == 1
    assert own["fields"] == [{"field": own["recommendedField"], "answers": 1, "accuracy": 1}]


def test_trending_is_cached(student: Visitor) -> None:
    """Of twenty answers in a row at most a few are computed; each says which, and all list ten careers."""
    answers = [student.client.get("/api/v1/careers/trending") for _ in range(20)]

    assert {answer.headers["X-Cache"] for answer in answers} <= {"HIT", "MISS"}
    assert [answer.headers["X-Cache"] for answer in answers].count("HIT") >= 15
    assert all(len(answer.json()["careers"]) == 10 for answer in answers)


def test_trending_can_be_limited(open_service: ServiceProcess) -> None:
    """Above the rate an admin sets, trending is 429 with a time to wait; set free again, it never is."""
    limit = f"{open_service.url}/api/v1/admin/rate-limits/trending"
    admin = Visitor(open_service.url, "admin-000001@plimsoll.test")
    with admin.client as client:
        assert client.put(limit, json={"requestsPerS": 0.05}).json() == {"requestsPerS": 0.05}
        limited = [client.get("/api/v1/careers/trending") for _ in range(3)]
        assert client.put(limit, json={"requestsPerS": None}).status_code == 200
        free = [client.get("/api/v1/careers/trending").status_code for _ in range(3)]

    assert [answer.status_code for answer in limited] == [200, 429, 429]
    assert limited[1].headers["Retry-After"] == "1"
    assert free == [200, 200, 200]


@pytest.mark.parametrize("rate", [0, -1, "fast", 1e9])
def test_rates_that_cannot_be_are_422(admin: Visitor, rate: object) -> None:
    """A rate is a number above 0."""
    setting = {"requestsPerS": rate}

    assert admin.client.put("/api/v1/admin/rate-limits/trending", json=setting).status_code == 422


def test_only_admins_limit(student: Visitor) -> None:
    """A student may not set the limits of others."""
    setting = {"requestsPerS": 1}

    assert student.client.put("/api/v1/admin/rate-limits/trending", json=setting).status_code == 403


def test_pod_is_named(open_service: ServiceProcess, anyone: httpx.Client) -> None:
    """X-Pod-Name is sent when POD_NAME is set, and only then."""
    assert plain_http.get(f"{open_service.url}/health").headers["X-Pod-Name"] == "pod-7"
    assert "X-Pod-Name" not in anyone.get("/health").headers
