"""The test users of the service, one roster for each kind, and as many students as a load needs."""

from __future__ import annotations

from locust import User
from locust.env import Environment

import logging
from collections.abc import Generator, Mapping
from typing import Any

from plimsoll.data import seed_of, set_up
from plimsoll.users.enrolment import enrol
from plimsoll.users.identities import Roster

logger = logging.getLogger("plimsoll")

# Every size of the bundled service has at least these. There is one roster per kind for all user classes.
STUDENTS = Roster("student", seeded=1000)
# Admins and parents cannot be enrolled: where there are more users than accounts, users share accounts, and
# the start of the load logs that.
ADMINS = Roster("admin", seeded=20, way="circular")
PARENTS = Roster("parent", seeded=500, way="circular")
# The users of a lost worker go to others, who must not be whom it may still be.
SPARE_FACTOR = 2
ENROLMENT_LIMIT_S = 300.0


@set_up(limit_s=ENROLMENT_LIMIT_S)
def students(environment: Environment) -> Generator[int, None, None]:
    """Enrol the students that a load needs besides the seeded ones; yield how many there are.

    They stay, and a later run with the same seed finds them.
    """
    for roster in (ADMINS, PARENTS):
        warn_of_shared(environment, roster)
    needed = SPARE_FACTOR * _most_users(environment) if _plays_students(environment) else 0
    if needed > STUDENTS.seeded:
        seed = seed_of(environment)
        numbers = range(STUDENTS.seeded + 1, needed + 1)
        logger.info("enrolling %d students", len(numbers))
        newcomers = (STUDENTS.credentials(number, seed) for number in numbers)
        enrol(_host_of(environment), ADMINS.credentials(1, seed), newcomers)
    STUDENTS.grow(needed)
    yield needed


def warn_of_shared(environment: Environment, roster: Roster) -> None:
    """Say so when a load will have more users of a roster at once than there are test users in it."""
    classes = environment.user_classes
    weight = sum(user_class.weight * _share_of(user_class, roster) for user_class in classes)
    wanted = round(_most_users(environment) * weight / (sum(each.weight for each in classes) or 1))
    if wanted > roster.seeded:
        logger.warning(
            "about %d users are to be %ss at once, and there are %d: several will be the same one",
            wanted,
            roster.kind,
            roster.seeded,
        )


def _share_of(user_class: type[User], roster: Roster) -> float:
    others: Mapping[Roster, float] = getattr(user_class, "other_rosters", {})
    if getattr(user_class, "roster", None) is roster:
        return 1.0 - sum(others.values())
    return others.get(roster, 0.0)


def _plays_students(environment: Environment) -> bool:
    return any(getattr(user_class, "roster", None) is STUDENTS for user_class in environment.user_classes)


def _most_users(environment: Environment) -> int:
    """Return the most users that are planned at once: by the shape, if it tells, or by --users."""
    shape: Any = environment.shape_class
    planned = shape.planned() if hasattr(shape, "planned") else None
    for most in ("peak_users", "most_users"):
        if hasattr(planned, most):
            return int(getattr(planned, most))
    return int(getattr(environment.parsed_options, "num_users", None) or 1)


def _host_of(environment: Environment) -> str:
    hosts = [user_class.host for user_class in environment.user_classes if user_class.host]
    return str(environment.host or next(iter(hosts), ""))
