"""Much at once: long histories, enrolment of a whole list, reports as jobs."""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from service.database import QUERIES, prepare_database
from service.seeding import SIZES
from tests.fix_bundled_service import PASSWORD, ServiceProcess, Visitor, running_service

DEADLINE_S = 120


def enroll(visitor: Visitor, emails: list[str], school_id: int = 1, **more: object) -> httpx.Response:
    """Enrol these addresses."""
    students = [{"email": email, "name": f"New {i}"} for i, email in enumerate(emails)]
    body = {"schoolId": school_id, "students": students, **more}
    return visitor.client.post("/api/v1/schools/bulk-enroll", json=body)


def order_report(visitor: Visitor, student_ids: list[int], **more: object) -> int:
    """Order a report; return the job's id."""
    answer = visitor.client.post("/api/v1/reports/generate", json={"studentIds": student_ids, **more})
    assert answer.status_code == 202, answer.text
    job_id: int = answer.json()["jobId"]
    return job_id


def get_job(visitor: Visitor, job_id: int) -> dict[str, Any]:
    """Ask how a job is doing."""
    answer = visitor.client.get(f"/api/v1/reports/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


def await_job(
    visitor: Visitor, job_id: int, statuses: tuple[str, ...] = ("done", "failed")
) -> dict[str, Any]:
    """Poll a job until it has one of these statuses."""
    deadline_s = time.monotonic() + DEADLINE_S
    while (job := get_job(visitor, job_id))["status"] not in statuses:
        assert time.monotonic() < deadline_s, job
        time.sleep(0.02)
    return job


def addresses(number: int) -> list[str]:
    """Make addresses that nobody has."""
    return [f"{uuid.uuid4()}@plimsoll.test" for _ in range(number)]


@contextmanager
def admin_of(service: ServiceProcess) -> Iterator[Visitor]:
    """Log in as an admin of this service."""
    visitor = Visitor(service.url, "admin-000001@plimsoll.test")
    with visitor.client:
        yield visitor


@pytest.fixture
def own_database_url(database_url: str) -> Iterator[str]:
    """Make an empty database that no other service works on."""
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("CREATE DATABASE restarted")
        yield make_conninfo(database_url, dbname="restarted")
        server.execute("DROP DATABASE restarted WITH (FORCE)")


def test_history_comes_in_pages(service_url: str) -> None:
    """The first student's 1,204 selections, and any of tests before, come newest first in two pages."""
    student = Visitor(service_url, "student-000001@plimsoll.test")
    with student.client as client:
        first, second = (
            client.get("/api/v1/students/1/career-history", params={"limit": 1000, "offset": offset}).json()
            for offset in (0, 1000)
        )

    sessions = [selection["sessionId"] for page in (first, second) for selection in page["selections"]]
    assert (len(first["selections"]), first["hasMore"]) == (1000, True)
    assert (len(second["selections"]) >= 204, second["hasMore"]) == (True, False)
    assert sessions == sorted(set(sessions), reverse=True)


def test_last_page_may_be_full(service_url: str) -> None:
    """A page that ends with the last selection has no more after it."""
    student = Visitor(service_url, "student-000002@plimsoll.test")
    with student.client as client:
        path = "/api/v1/students/2/career-history"
        there = len(client.get(path, params={"limit": 1000}).json()["selections"])
        full = client.get(path, params={"limit": there}).json()
        short = client.get(path, params={"limit": there - 1}).json()

    assert there >= 4  # more where a journey has been played before
    assert (len(full["selections"]), full["hasMore"]) == (there, False)
    assert (len(short["selections"]), short["hasMore"]) == (there - 1, True)


@pytest.mark.parametrize("page", [{"limit": 0}, {"limit": 1001}, {"offset": -1}, {"limit": "all"}])
def test_pages_that_cannot_be_are_422(student: Visitor, page: dict[str, int | str]) -> None:
    """A page has 1 to 1000 selections and starts at 0 or later."""
    path = f"/api/v1/students/{student.student_id}/career-history"

    assert student.client.get(path, params=page).status_code == 422


def test_hundred_students_are_enrolled(admin: Visitor, service_url: str) -> None:
    """All hundred are created at once and can log in with the password they were given."""
    emails = addresses(100)

    enrolled = enroll(admin, emails, password=PASSWORD).json()

    assert (enrolled["created"], enrolled["taken"]) == (100, [])
    newest = enrolled["students"][-1]
    newcomer = Visitor(service_url, newest["email"])
    with newcomer.client:
        assert newcomer.student_id == newest["studentId"]


def test_known_addresses_are_left_alone(admin: Visitor, student: Visitor) -> None:
    """Of a list with an address that is taken and one named twice, each newcomer is created once."""
    (email,) = addresses(1)

    enrolled = enroll(admin, [student.email.upper(), email, email]).json()

    assert (enrolled["created"], enrolled["taken"]) == (1, [student.email])
    assert [newcomer["email"] for newcomer in enrolled["students"]] == [email]


def test_enrolment_that_cannot_be(admin: Visitor, student: Visitor) -> None:
    """An unknown school is 404, an empty list 422, and a student may not enrol anybody."""
    assert enroll(admin, addresses(1), school_id=987_654_321).status_code == 404
    assert enroll(admin, []).status_code == 422
    assert enroll(student, addresses(1)).status_code == 403


def test_students_are_removed_by_what_their_addresses_begin_with(admin: Visitor, student: Visitor) -> None:
    """Those of one school and no others go; a short beginning is 422, and a student may remove nobody."""
    prefix = f"gone-{uuid.uuid4().hex}-"
    gone, (stays,) = [f"{prefix}{number}@plimsoll.test" for number in range(3)], addresses(1)
    assert enroll(admin, [*gone, stays]).json()["created"] == 4
    path = "/api/v1/schools/1/students"

    def remove(visitor: Visitor, beginning: str, of: str = path) -> httpx.Response:
        return visitor.client.delete(of, params={"prefix": beginning})

    assert remove(admin, prefix, path.replace("1/students", "2/students")).json() == {"removed": 0}
    assert [remove(admin, prefix.upper()).json()["removed"] for _ in range(2)] == [3, 0]
    assert enroll(admin, [*gone, stays]).json()["taken"] == [stays]
    assert (remove(admin, "gone").status_code, remove(student, prefix).status_code) == (422, 403)


def test_report_on_500_students_over_a_year(admin: Visitor) -> None:
    """The job ends with a line for each student, and counts what the first one chose in its months."""
    job = await_job(admin, order_report(admin, list(range(1, 501))))

    report = job["result"]
    assert (job["status"], job["error"], len(report["students"])) == ("done", None, 500)
    assert sum(month["selections"] for month in report["months"]) == sum(
        student["selections"] for student in report["students"]
    )
    assert report["students"][0]["selections"] > 500  # two a day from a year to 100 days ago


def test_report_on_nobody_fails_and_says_so(admin: Visitor) -> None:
    """A report on students who do not exist ends failed and names them."""
    job = await_job(admin, order_report(admin, [1, 987_654_321, 987_654_320]))

    assert (job["status"], job["result"]) == ("failed", None)
    assert job["error"] == "there are no such students: 987654320, 987654321"


@pytest.mark.parametrize(
    "more",
    [
        {"firstDay": "2026-02-01", "lastDay": "2026-01-31"},
        {"firstDay": "the first"},
        {"lastDay": "0001-01-01"},
        {"studentIds": []},
        {"studentIds": [0]},
    ],
)
def test_reports_that_cannot_be_are_422(admin: Visitor, more: dict[str, object]) -> None:
    """Days in the wrong order, or none, and students that cannot be are refused at once."""
    body = {"studentIds": [1], **more}

    assert admin.client.post("/api/v1/reports/generate", json=body).status_code == 422


def test_jobs_are_their_requesters(admin: Visitor, student: Visitor) -> None:
    """Students may neither order reports nor see an admin's; an unknown job is 404."""
    job_id = order_report(admin, [1])

    assert student.client.post("/api/v1/reports/generate", json={"studentIds": [1]}).status_code == 403
    assert student.client.get(f"/api/v1/reports/jobs/{job_id}").status_code == 403
    assert admin.client.get("/api/v1/reports/jobs/987654321").status_code == 404


def test_a_job_outlives_its_worker(own_database_url: str) -> None:
    """A job in the hands of a service that is killed is taken up by the next one and done."""
    with (
        running_service(DATABASE_URL=own_database_url) as killed,
        admin_of(killed) as admin,
        psycopg.connect(own_database_url) as obstacle,
    ):
        obstacle.execute("LOCK TABLE plimsoll.answers")
        job_id = order_report(admin, [1])
        await_job(admin, job_id, ("running",))
        killed.process.kill()
        killed.process.wait()
        obstacle.rollback()

    with running_service(DATABASE_URL=own_database_url) as service, admin_of(service) as admin:
        job = await_job(admin, job_id)

    assert (job["status"], job["attempts"]) == ("done", 2)


def test_no_job_has_two_workers(own_database_url: str) -> None:
    """Three workers that claim at once get the two jobs there are, one each, and none waits for another."""
    prepare_database(own_database_url, SIZES["small"])
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                psycopg.connect(own_database_url, options="-c search_path=plimsoll -c lock_timeout=1s")
            )
            for _ in range(3)
        ]
        with workers[0].transaction():
            workers[0].execute("INSERT INTO jobs (requested_by, parameters) VALUES (1, '{}'), (2, '{}')")
        claimed = [worker.execute(QUERIES["claim_job"]).fetchone() for worker in workers]

    assert claimed == [(1, 1), (2, 1), None]


def test_a_job_that_kills_its_workers_is_given_up(database_url: str, open_service: ServiceProcess) -> None:
    """After three attempts that ended with their worker a job fails and says so."""
    with admin_of(open_service) as admin, psycopg.connect(database_url, autocommit=True) as database:
        row = database.execute(
            "INSERT INTO plimsoll.jobs (requested_by, parameters, status, attempts) "
            "VALUES (%s, '{}', 'running', 3) RETURNING id",
            (admin.user_id,),
        ).fetchone()
        assert row is not None

        assert await_job(admin, row[0])["error"] == "given up: 3 workers died of it"


def test_a_job_that_breaks_fails(database_url: str, open_service: ServiceProcess) -> None:
    """A job nobody foresaw fails without its insides being told, and the next one is done."""
    with admin_of(open_service) as admin, psycopg.connect(database_url, autocommit=True) as database:
        row = database.execute(
            "INSERT INTO plimsoll.jobs (requested_by, parameters) VALUES (%s, '{}') RETURNING id",
            (admin.user_id,),
        ).fetchone()
        assert row is not None

        assert await_job(admin, row[0])["error"] == "the service failed; its log says why"
        assert await_job(admin, order_report(admin, [1]))["status"] == "done"
