"""The pools of accounts, one for each role, filled before each run as SCHOOL_ACCOUNTS says.

`seeded`, the default: the test users that the bundled service has, and students whom an admin enrols where a
load needs more. `register`: students who register before the load. `csv:FILE`: those of a file with the
columns role, email and password. `token:TOKEN`: every user has the account of one token, and none logs in.
Only the master, or the single process, reads it.
"""

from __future__ import annotations

from locust import User
from locust.env import Environment
from locust.event import Events
from locust.exception import RescheduleTask

import logging
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from locustfiles.school._accounts import (
    Account,
    AccountPool,
    Credentials,
    generated_accounts,
    seeded_accounts,
)
from locustfiles.school._member import MemberUser
from plimsoll import CsvFile, FeedError, SetUpError, field, seed_of, set_up, status_only

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


logger = logging.getLogger("plimsoll")

VARIABLE = "SCHOOL_ACCOUNTS"
CSV_COLUMNS = {"role", "email", "password"}
# Every size of the bundled service has at least these. There is one pool per role for all user classes.
STUDENTS = AccountPool("student", seeded=1000)
# Admins and parents cannot be enrolled: where there are more users than accounts, users share accounts, and
# the start of the load logs that.
ADMINS = AccountPool("admin", seeded=20, strategy="circular")
PARENTS = AccountPool("parent", seeded=500, strategy="circular")
# The users of a lost worker go to others, who must not be whom it may still be.
SPARE_FACTOR = 2
ACCOUNTS_LIMIT_S = 300.0


@set_up(limit_s=ACCOUNTS_LIMIT_S)
def accounts(environment: Environment) -> Generator[None, None, None]:
    """Fill the pools for a run; accounts that are made for it stay, and a later run with its seed finds them.

    Raises:
        FeedError: SCHOOL_ACCOUNTS, or the file that it names, is wrong; the text shows no token.
    """
    kind, _, value = os.environ.get(VARIABLE, "seeded").partition(":")
    pools = [pool for pool in (STUDENTS, ADMINS, PARENTS) if _is_used(environment, pool)]
    for pool in (STUDENTS, ADMINS, PARENTS):
        pool.fill(seeded_accounts(pool.role, pool.seeded))
    needed = SPARE_FACTOR * _most_users(environment)
    match kind:
        case "seeded" if not value:
            if STUDENTS in pools and needed > STUDENTS.seeded:
                _enrol_more(environment, needed)
        case "register" if not value:
            if STUDENTS in pools:
                STUDENTS.fill(generated_accounts("student", range(1, needed + 1), seed_of(environment)))
                logger.info("registering %d students", needed)
                register(_host_of(environment), STUDENTS.accounts)
        case "csv" if value:
            _fill_from_csv(value, pools)
        case "token" if value:
            credentials = look_up(_host_of(environment), value)
            for pool in pools:
                pool.fill([credentials] * max(needed, 1))
        case _:
            raise FeedError(f"{VARIABLE} must be seeded, register, csv:FILE or token:TOKEN")
    for pool in (ADMINS, PARENTS):
        warn_of_shared(environment, pool)
    yield


def _enrol_more(environment: Environment, needed: int) -> None:
    seed = seed_of(environment)
    newcomers = generated_accounts("student", range(STUDENTS.seeded + 1, needed + 1), seed)
    logger.info("enrolling %d students", len(newcomers))
    enrol(_host_of(environment), ADMINS.accounts[0], newcomers)
    STUDENTS.fill([*STUDENTS.accounts, *newcomers])


def _fill_from_csv(path: str, pools: list[AccountPool]) -> None:
    """Fill the pools in use; FeedError with all faults of the file."""
    file = CsvFile(path)
    rows = file.read()
    if missing := CSV_COLUMNS - rows[0].keys():
        raise FeedError(f"{file}: no column {', '.join(sorted(missing))}; role, email, password are needed")
    faults = []
    for pool in pools:
        pool.fill(Credentials(row["email"], row["password"]) for row in rows if row["role"] == pool.role)
        if not pool.accounts:
            faults.append(f"{file}: no row has the role {pool.role!r}, which the chosen user classes need")
    if faults:
        raise FeedError("\n".join(faults))


def warn_of_shared(environment: Environment, pool: AccountPool) -> None:
    """Say so when a load will have more users of a pool at once than there are accounts in it."""
    classes = environment.user_classes
    weight = sum(user_class.weight * _share_of(user_class, pool) for user_class in classes)
    wanted = round(_most_users(environment) * weight / (sum(each.weight for each in classes) or 1))
    if wanted > len(pool.accounts):
        logger.warning(
            "about %d users are to be %ss at once, and there are %d: several will be the same one",
            wanted,
            pool.role,
            len(pool.accounts),
        )


def _share_of(user_class: type[User], pool: AccountPool) -> float:
    others: Mapping[AccountPool, float] = getattr(user_class, "other_accounts", {})
    if getattr(user_class, "accounts", None) is pool:
        return 1.0 - sum(others.values())
    return others.get(pool, 0.0)


def _is_used(environment: Environment, pool: AccountPool) -> bool:
    return any(_share_of(user_class, pool) > 0 for user_class in environment.user_classes)


def _most_users(environment: Environment) -> int:
    """Return the most users that are planned at once: by the shape, if it tells, or by --users."""
    shape: Any = environment.shape_class
    planned = shape.planned() if hasattr(shape, "planned") else None
    for most in ("peak_users", "max_users"):
        if hasattr(planned, most):
            return int(getattr(planned, most))
    return int(getattr(environment.parsed_options, "num_users", None) or 1)


def _host_of(environment: Environment) -> str:
    hosts = [user_class.host for user_class in environment.user_classes if user_class.host]
    return str(environment.host or next(iter(hosts), ""))
