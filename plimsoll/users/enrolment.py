"""Test users whom an admin enrols before a load that needs more than there are, or removes after it."""

from __future__ import annotations

from locust.env import Environment
from locust.event import Events
from locust.exception import RescheduleTask

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, ClassVar

from plimsoll.data.set_up import SetUpError
from plimsoll.users.answers import field, status_only
from plimsoll.users.api import ApiUser
from plimsoll.users.identities import Credentials

STUDENTS_AT_ONCE = 500
SCHOOL_ID = 1


class Registrar(ApiUser):
    """An admin who enrols students and removes them; its requests are not recorded."""

    abstract = True
    request_names: ClassVar[frozenset[str]] = frozenset({"auth.login", "enrol", "remove"})

    def enrol(self, students: Sequence[Credentials]) -> None:
        """Enrol students who share a password; those who are enrolled already stay as they are."""
        body = {
            "schoolId": SCHOOL_ID,
            "students": [{"email": student.email, "name": "Test user"} for student in students],
            "password": students[0].password,
        }
        self.ask("enrol", "POST", "/api/v1/schools/bulk-enroll", status_only, json=body)

    def remove(self, prefix: str) -> int:
        """Remove some of the students whose addresses begin so, and return how many."""
        path = f"/api/v1/schools/{SCHOOL_ID}/students?prefix={prefix}"
        return self.ask("remove", "DELETE", path, lambda answer: field(answer.body, "removed", int))


def enrol(host: str, admin: Credentials, students: Iterator[Credentials]) -> None:
    """Have an admin enrol students at a service.

    Raises:
        SetUpError: the service does not do it.
    """
    with _registrar(host, admin, "students cannot be enrolled at the service") as registrar:
        while batch := list(islice(students, STUDENTS_AT_ONCE)):
            registrar.enrol(batch)


def remove(host: str, admin: Credentials, prefix: str) -> None:
    """Have an admin remove all students whose addresses begin so.

    Raises:
        SetUpError: the service does not do it.
    """
    with _registrar(host, admin, f"students {prefix}… cannot be removed from the service") as registrar:
        while registrar.remove(prefix):
            pass


@contextmanager
def _registrar(host: str, admin: Credentials, fault: str) -> Iterator[Registrar]:
    """Yield an admin who has signed in; SetUpError, with the fault and why, when the service refuses."""
    failures: list[str] = []
    # Events of its own: these requests are no part of the load.
    apart = Environment(events=Events(), host=host)
    apart.events.request.add_listener(lambda exception=None, **_: failures.append(str(exception)))
    registrar = _registrar_at(host)(apart)
    try:
        registrar.sign_in(admin)
        yield registrar
    except RescheduleTask:
        raise SetUpError(f"{fault}: {failures[-1]}") from None
    finally:
        registrar.client.close()


def _registrar_at(host: str) -> type[Registrar]:
    attributes: dict[str, Any] = {"host": host, "abstract": True}
    return type("RegistrarThere", (Registrar,), attributes)
