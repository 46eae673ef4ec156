"""Accounts that are made before a load which needs more than there are, or removed after it."""

from __future__ import annotations

from locust.env import Environment
from locust.event import Events
from locust.exception import RescheduleTask

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from locustfiles.school._accounts import Account, Credentials
from locustfiles.school._member import MemberUser
from plimsoll import SetUpError, field, status_only

STUDENTS_AT_ONCE = 500
SCHOOL_ID = 1


class Registrar(MemberUser):
    """Makes accounts and removes them; its requests are not recorded."""

    abstract = True
    request_names: ClassVar[frozenset[str]] = frozenset(
        {"auth.login", "dashboard", "enrol", "profile", "register", "remove"}
    )

    def enrol(self, students: Sequence[Credentials]) -> None:
        """Enrol students who share a password; those who are enrolled already stay as they are."""
        body = {
            "schoolId": SCHOOL_ID,
            "students": [{"email": student.email, "name": "Test user"} for student in students],
            "password": students[0].password,
        }
        self.ask("enrol", "POST", "/api/v1/schools/bulk-enroll", status_only, json=body)

    def register(self, student: Credentials) -> None:
        """Register a student; one who is registered already (409) stays as it is."""
        body = {"email": student.email, "password": student.password}
        self.ask("register", "POST", "/api/auth/register", status_only, json=body, statuses=(201, 409))

    def remove(self, prefix: str) -> int:
        """Remove some of the students whose addresses begin so, and return how many."""
        path = f"/api/v1/schools/{SCHOOL_ID}/students?prefix={prefix}"
        return self.ask("remove", "DELETE", path, lambda answer: field(answer.body, "removed", int))

    def look_up(self, token: str) -> Credentials:
        """Return whose token it is."""
        self._account = Account(token, 0, None, "")
        body = self.ask("profile", "GET", "/api/users/profile", lambda answer: answer.body)
        role, student_id = body["role"], None
        if role == "student":
            path = "/api/v1/students/dashboard"
            student_id = self.ask("dashboard", "GET", path, lambda answer: answer.body["studentId"])
        return Credentials(body["email"], "", Account(token, body["userId"], student_id, role))


def enrol(host: str, admin: Credentials, students: Sequence[Credentials]) -> None:
    """Have an admin enrol students at a service.

    Raises:
        SetUpError: the service does not do it.
    """
    with _registrar(host, "students cannot be enrolled at the service") as registrar:
        registrar.sign_in(admin)
        for start in range(0, len(students), STUDENTS_AT_ONCE):
            registrar.enrol(students[start : start + STUDENTS_AT_ONCE])


def register(host: str, students: Sequence[Credentials]) -> None:
    """Register students at a service, one after the other.

    Raises:
        SetUpError: the service does not do it.
    """
    with _registrar(host, "students cannot be registered at the service") as registrar:
        for student in students:
            registrar.register(student)


def look_up(host: str, token: str) -> Credentials:
    """Return whose token it is.

    Raises:
        SetUpError: the service does not take it.
    """
    with _registrar(host, "the service does not say whose the token is") as registrar:
        return registrar.look_up(token)


def remove(host: str, admin: Credentials, prefix: str) -> None:
    """Have an admin remove all students whose addresses begin so.

    Raises:
        SetUpError: the service does not do it.
    """
    with _registrar(host, f"students {prefix}… cannot be removed from the service") as registrar:
        registrar.sign_in(admin)
        while registrar.remove(prefix):
            pass


@contextmanager
def _registrar(host: str, fault: str) -> Iterator[Registrar]:
    """Yield a registrar at a service; SetUpError, with the fault and why, when the service refuses."""
    failures: list[str] = []
    # Events of its own: these requests are no part of the load.
    apart = Environment(events=Events(), host=host)
    apart.events.request.add_listener(lambda exception=None, **_: failures.append(str(exception)))
    registrar = _registrar_at(host)(apart)
    try:
        yield registrar
    except RescheduleTask:
        raise SetUpError(f"{fault}: {failures[-1]}") from None
    finally:
        registrar.client.close()


def _registrar_at(host: str) -> type[Registrar]:
    attributes: dict[str, Any] = {"host": host, "abstract": True}
    return type("RegistrarThere", (Registrar,), attributes)
