"""What the bundled service says about itself: health, memory, OpenAPI, and its named queries."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import psycopg
import pytest

from service.database import QUERIES
from service.embedded_postgres import embedded_postgres
from tests import plain_http
from tests.fix_bundled_service import ServiceProcess, Visitor, new_student, running_service
from tests.fix_runs import SOON_S

PARAMETERS = {
    "email": "query@plimsoll.test",
    "password_hash": "none",
    "name": "Query",
    "preferences": "{}",
    "user_id": 1,
    "student_id": 1,
    "session_id": 1,
    "career_id": 200,
    "question_id": 1,
    "answer": "north",
    "limit": 10,
    "offset": 0,
    "product_id": 1,
    "order_id": 1,
    "quantity": 1,
    "status": "shipped",
    "payment_method": "invoice",
    "parameters": "{}",
    "job_id": 0,  # none: what another test has left may not be finished
    "result": "{}",
    "error": "none",
    "student_ids": [1, 2],
    "first_day": "2026-01-01",
    "last_day": "2026-01-31",
    "school_id": 1,
    "emails": ["query@plimsoll.test"],
    "names": ["Query"],
    "ids": [1, 2],
    "firsts": [3, 3],
    "first": 3,
    "field": None,
    "prefix": "query",
}


@pytest.mark.parametrize("path", ["/health", "/api/health", "/api/v1/health"])
def test_health_needs_no_token(anyone: httpx.Client, path: str) -> None:
    """Anyone may ask whether the service is healthy."""
    answer = anyone.get(path)

    assert answer.status_code == 200
    assert answer.json()["status"] in {"healthy", "degraded"}


def test_lost_database_is_told() -> None:
    """When its database goes, the service is degraded, answers 503 where it needs it, and stops cleanly."""
    with ExitStack() as database:
        conninfo = database.enter_context(embedded_postgres())
        with running_service(DATABASE_URL=conninfo) as service:
            database.close()
            paths = ["/health", "/api/v1/status", "/api/v1/health", "/api/products/1"]
            answers = [plain_http.get(f"{service.url}{path}", timeout=15) for path in paths]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 503]
    assert answers[2].json()["status"] == "degraded"
    assert answers[2].json()["reason"] == "the database does not answer"
    assert answers[3].json() == {"error": "the database is not available", "detail": None}
    assert service.process.returncode == 0


def test_status_needs_no_database(anyone: httpx.Client) -> None:
    """The status tells the version, for how long the process runs, and that its ten connections are there."""
    status = anyone.get("/api/v1/status").json()

    assert status["status"] == "operational"
    assert 0 < status["uptime_s"] < 3600
    assert status["pool"]["size"] == 10


def test_exhausted_pool_is_told(database_url: str, open_service: ServiceProcess) -> None:
    """While requests wait for a connection, health says degraded at once, and recovers after."""
    with psycopg.connect(database_url) as obstacle, ThreadPoolExecutor(20) as threads:
        obstacle.execute("LOCK TABLE plimsoll.products")
        url = open_service.url
        blocked = [threads.submit(plain_http.get, f"{url}/api/products/1", timeout=30) for _ in range(20)]
        await_status(url, "degraded")
        health = plain_http.get(f"{url}/api/v1/health").json()
        obstacle.rollback()
        served = [answer.result().status_code for answer in blocked]

    assert health["reason"] == "requests wait for a database connection"
    assert served == [200] * 20
    await_status(url, "healthy")


def await_status(url: str, status: str) -> None:
    """Ask for the health until it is this."""
    deadline_s = time.monotonic() + SOON_S
    while plain_http.get(f"{url}/api/v1/health").json()["status"] != status:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_memory_is_in_bytes(student: Visitor) -> None:
    """The process uses between 10 MB and 1 GB, and never more than its total."""
    memory = student.client.get("/api/v1/metrics/memory").json()

    assert 10_000_000 < memory["heapUsed"] <= memory["heapTotal"] < 1_000_000_000


def test_unknown_paths_and_methods_answer_in_the_common_form(anyone: httpx.Client) -> None:
    """What does not exist is 404, what may not be done 405, both as JSON."""
    unknown, refused = anyone.get("/nowhere"), anyone.delete("/api/products")

    assert (unknown.status_code, refused.status_code) == (404, 405)
    assert set(unknown.json()) == set(refused.json()) == {"error", "detail"}


def test_openapi_describes_every_route(anyone: httpx.Client) -> None:
    """All 36 routes have a tag, a summary and a description; the 28 that want a token tell their 401."""
    paths = anyone.get("/openapi.json").json()["paths"]
    routes = [route for methods in paths.values() for route in methods.values()]

    assert len(routes) == 36
    assert all(route["tags"] and route["summary"] and route["description"] for route in routes)
    assert all("401" in route["responses"] for route in routes if "security" in route)
    assert sum("security" in route for route in routes) == 28


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_every_named_query_runs(database_url: str, open_service: ServiceProcess, name: str) -> None:
    """PostgreSQL accepts every query of the sql folder with the parameters it names."""
    assert open_service.ready["size"] == "small"  # the database is prepared
    with psycopg.connect(database_url) as database:
        database.execute("SET search_path TO plimsoll")
        database.execute(QUERIES[name], PARAMETERS)
        database.rollback()


def test_data_survive_a_restart_on_the_same_database(database_url: str, open_service: ServiceProcess) -> None:
    """A second service on a database finds what the first stored and does not seed again."""
    with new_student(open_service.url) as student, running_service(DATABASE_URL=database_url) as second:
        visitor = Visitor(second.url, student.email)
        with visitor.client:
            assert visitor.user_id == student.user_id
