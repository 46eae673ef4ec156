"""Registration, login, tokens and profiles of the bundled service."""

import httpx
import pytest

from service.authentication import Account, Tokens
from tests import plain_http
from tests.fix_bundled_service import PASSWORD, ServiceProcess, Visitor, running_service

PROTECTED = [
    ("GET", "/api/v1/students/1/careers/pool"),
    ("POST", "/api/v1/students/1/careers/select"),
    ("GET", "/api/v1/students/1/flow-state"),
    ("GET", "/api/v1/students/dashboard"),
    ("GET", "/api/v1/sessions/1/content"),
    ("POST", "/api/v1/sessions/1/interact"),
    ("GET", "/api/v1/careers/trending"),
    ("POST", "/api/v1/pathiq/analyze"),
    ("GET", "/api/v1/metrics/memory"),
    ("POST", "/api/orders"),
    ("GET", "/api/orders/1"),
    ("POST", "/api/orders/1/items"),
    ("POST", "/api/orders/1/confirm"),
    ("POST", "/api/orders/1/ship"),
    ("POST", "/api/orders/1/deliver"),
    ("GET", "/api/users/profile"),
    ("PUT", "/api/users/profile"),
    ("GET", "/api/admin/dashboard"),
    ("GET", "/api/admin/analytics"),
    ("GET", "/api/v1/students/1/career-history"),
    ("POST", "/api/v1/schools/bulk-enroll"),
    ("DELETE", "/api/v1/schools/1/students?prefix=new-12345"),
    ("POST", "/api/v1/reports/generate"),
    ("GET", "/api/v1/reports/jobs/1"),
    ("GET", "/api/v1/parents/dashboard"),
    ("POST", "/api/v1/parents/reports"),
    ("PUT", "/api/v1/admin/rate-limits/trending"),
    ("POST", "/graphql"),
]


def test_seeded_student_logs_in(anyone: httpx.Client) -> None:
    """The known credentials of the first student give a token and say whom it stands for."""
    credentials = {"email": "student-000001@plimsoll.test", "password": PASSWORD}

    login = anyone.post("/api/auth/login", json=credentials)

    assert login.status_code == 200
    assert login.json()["token"]
    assert {**login.json(), "token": ""} == {"token": "", "userId": 1, "studentId": 1, "role": "student"}


@pytest.mark.parametrize(("name", "student_id"), [("student-001000", 1000), ("admin-000020", None)])
def test_the_last_seeded_users_exist(service_url: str, name: str, student_id: int | None) -> None:
    """The small data set has 1,000 students, and twenty admins, who have no student id."""
    visitor = Visitor(service_url, f"{name}@plimsoll.test")
    with visitor.client:
        assert visitor.student_id == student_id


@pytest.mark.parametrize("email", ["student-000001@plimsoll.test", "nobody@plimsoll.test"])
def test_wrong_login_is_refused_alike(anyone: httpx.Client, email: str) -> None:
    """A wrong password and an unknown address get the same 401, so neither tells who is registered."""
    refused = anyone.post("/api/auth/login", json={"email": email, "password": "wrong-password"})

    assert refused.status_code == 401
    assert refused.json() == {"error": "email or password is wrong", "detail": None}


def test_addresses_are_the_same_in_any_case(anyone: httpx.Client, student: Visitor) -> None:
    """An address is taken and known whatever its case."""
    credentials = {"email": student.email.upper(), "password": PASSWORD}

    assert anyone.post("/api/auth/register", json=credentials).status_code == 409
    assert anyone.post("/api/auth/login", json=credentials).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"email": "not an address", "password": PASSWORD},
        {"email": "a@b.test", "password": "short"},
        {"email": "a@b.test"},
        {"email": 5, "password": PASSWORD},
        {"email": "nul\0@b.test", "password": PASSWORD},
        [],
    ],
)
def test_unacceptable_registration_is_422(anyone: httpx.Client, body: object) -> None:
    """Input that breaks a rule is refused with 422 and without repeating the password."""
    refused = anyone.post("/api/auth/register", json=body)

    assert refused.status_code == 422
    assert set(refused.json()) == {"error", "detail"}
    assert PASSWORD not in refused.text


def test_malformed_json_is_400(anyone: httpx.Client) -> None:
    """A body that is no JSON is the client's mistake, told as such."""
    headers = {"Content-Type": "application/json"}

    refused = anyone.post("/api/auth/login", content=b'{"email": ', headers=headers)

    assert refused.status_code == 400
    assert refused.json()["error"] == "the body is not valid JSON"


def test_oversized_body_is_413(anyone: httpx.Client) -> None:
    """A body over 64 KiB is refused."""
    refused = anyone.post("/api/auth/login", json={"email": "a" * 70_000, "password": PASSWORD})

    assert refused.status_code == 413
    assert refused.json()["error"] == "the body is over 65536 bytes"


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_everything_protected_wants_a_token(anyone: httpx.Client, method: str, path: str) -> None:
    """Without a token, and with one nobody signed, the answer is 401 in the common form."""
    without = anyone.request(method, path)
    forged = anyone.request(method, path, headers={"Authorization": "Bearer not.a.token"})

    assert (without.status_code, forged.status_code) == (401, 401)
    assert set(without.json()) == {"error", "detail"}
    assert without.headers["WWW-Authenticate"] == "Bearer"


def test_expired_and_foreign_tokens_are_refused(database_url: str, open_service: ServiceProcess) -> None:
    """A token counts until it expires, and only under the secret that signed it."""
    secret = "s" * 32
    account = Account(user_id=1, student_id=1, role="student")
    tokens = {
        200: Tokens(secret).issue(account),
        401: Tokens(secret).issue(account, lifetime_s=-1),
        "foreign": Tokens("t" * 32).issue(account),
    }
    assert open_service.ready["size"] == "small"  # the database is prepared

    with running_service(DATABASE_URL=database_url, SERVICE_TOKEN_SECRET=secret) as service:
        answers = {
            kind: plain_http.get(
                f"{service.url}/api/users/profile", headers={"Authorization": f"Bearer {token}"}
            )
            for kind, token in tokens.items()
        }

    assert [answer.status_code for answer in answers.values()] == [200, 401, 401]
    assert answers[401].json()["error"] == "the bearer token has expired"


def test_profile_is_kept(student: Visitor) -> None:
    """A profile changed is the profile read next."""
    update = {"name": "Ada Ω", "preferences": {"theme": "dark", "lessons_a_day": 3}}

    changed = student.client.put("/api/users/profile", json=update)
    profile = student.client.get("/api/users/profile")

    assert changed.status_code == 200
    assert changed.json() == profile.json()
    assert profile.json() | update == profile.json()
    assert profile.json()["email"] == student.email


@pytest.mark.parametrize(
    "update",
    [{"name": ""}, {"name": "x" * 201}, {"name": "x", "preferences": {"a": {"deep": 1}}}, {"name": "\0"}],
)
def test_unacceptable_profile_is_422(student: Visitor, update: dict[str, object]) -> None:
    """A profile that breaks a rule, or that PostgreSQL cannot hold, is refused with 422."""
    assert student.client.put("/api/users/profile", json=update).status_code == 422
