"""Test users enrolled by an admin before a load that needs more of them than there are."""

from __future__ import annotations

from locust.env import Environment
from locust.event import Events
from locust.exception import RescheduleTask

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

from clients.answers import status_only
from clients.api import ApiUser
from clients.data.set_up import SetUpError
from clients.identities import Credentials

STUDENTS_AT_ONCE = 500
SCHOOL_ID = 1


class Registrar(ApiUser):
    """An admin who enrols students; nobody measures what it asks for."""

    abstract = True
    request_names: ClassVar[frozenset[str]] = frozenset({"auth.login", "enrol"})

    def enrol(self, students: Sequence[Credentials]) -> None:
        """Enrol students who share a password; those who are enrolled already stay as they are."""
        body = {
            "schoolId": SCHOOL_ID,
            "students": [{"email": student.email, "name": "Test user"} for student in students],
            "password": students[0].password,
        }
        self.ask("enrol", "POST", "/api/v1/schools/bulk-enroll", status_only, json=body)


def enrol(host: str, admin: Credentials, students: Iterator[Credentials]) -> None:
    """Have an admin enrol students at a service.

    Raises:
        SetUpError: the service does not do it.
    """
    failures: list[str] = []
    # Events of its own: these requests are no part of the load.
    apart = Environment(events=Events(), host=host)
    apart.events.request.add_listener(lambda exception=None, **_: failures.append(str(exception)))
    registrar = _registrar_at(host)(apart)
    try:
        registrar.sign_in(admin)
        while batch := list(islice(students, STUDENTS_AT_ONCE)):
            registrar.enrol(batch)
    except RescheduleTask:
        raise SetUpError(f"students cannot be enrolled at the service: {failures[-1]}") from None
    finally:
        registrar.client.close()


def _registrar_at(host: str) -> type[Registrar]:
    attributes: dict[str, Any] = {"host": host, "abstract": True}
    return type("RegistrarThere", (Registrar,), attributes)
