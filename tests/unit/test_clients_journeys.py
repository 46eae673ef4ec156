"""The journeys as declared: names, shares, think times, and what loads when a locustfile is opened."""

from __future__ import annotations

from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from clients.api import ApiUser
from locustfiles.auth import WRONG_PASSWORD_SHARE, AuthUser
from locustfiles.careers import RIGHT_ANSWER_SHARE, THINK_TIME_S, CareersUser
from locustfiles.orders import CONFIRMED_SHARE, PROFILE_UPDATED_SHARE, OrdersUser

ROOT = Path(__file__).resolve().parents[2]
JOURNEYS: dict[str, type[ApiUser]] = {"auth": AuthUser, "careers": CareersUser, "orders": OrdersUser}
NAME = re.compile(r"[a-z]+\.[a-z_]+")


def names_in_calls(path: Path) -> Iterator[str]:
    """Yield each request name that a method of a locustfile sends."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            first = str(node.args[0].value)
            if isinstance(node.func, ast.Attribute) and NAME.fullmatch(first):
                yield first


@pytest.mark.parametrize("journey", JOURNEYS)
def test_the_declared_names_are_those_that_are_sent(journey: str) -> None:
    """A journey declares every name it sends, its login included, and none that it does not."""
    sent = set(names_in_calls(ROOT / "locustfiles" / f"{journey}.py"))

    assert JOURNEYS[journey].request_names == sent | {"auth.login"}


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_locustfile_has_one_user_class_and_no_shape(journey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust finds exactly one class to run in each file, also when it is opened from another folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, journey, ModuleType(journey))

    users, shapes = load_locustfile(str(ROOT / "locustfiles" / f"{journey}.py"))

    assert set(users) == {JOURNEYS[journey].__name__}
    assert shapes == []


def shares(journey: type[ApiUser]) -> dict[str, float]:
    """Return the share of each task in per cent."""
    counts = Counter(task.__name__ for task in journey.tasks if isinstance(task, FunctionType))
    return {name: 100 * number / counts.total() for name, number in counts.items()}


def test_orders_are_mixed_as_in_the_catalogue() -> None:
    """Browse 40 %, order 30 %, profile 20 %, admin 10 %; 30 % confirmed, 20 % updated."""
    assert shares(OrdersUser) == {"browse": 40, "order": 30, "keep_profile": 20, "administer": 10}
    assert (CONFIRMED_SHARE, PROFILE_UPDATED_SHARE) == (0.3, 0.2)


def test_most_students_learn() -> None:
    """The main journey dominates, and 70 % of its answers are meant to be right."""
    assert shares(CareersUser)["learn"] == 70
    assert RIGHT_ANSWER_SHARE == 0.7


def test_one_login_in_twenty_is_mistyped() -> None:
    """5 % of logins use a wrong password."""
    assert WRONG_PASSWORD_SHARE == 0.05


@pytest.mark.parametrize(
    ("journey", "least_s", "most_s"), [("auth", 1, 3), ("careers", 1, 1), ("orders", 1, 4)]
)
def test_users_pause_between_iterations(journey: str, least_s: float, most_s: float) -> None:
    """The pause is within its bounds and never nothing, so a user whose login fails does not hammer."""
    user = type(f"Local{journey}", (JOURNEYS[journey],), {"host": "http://127.0.0.1:1"})(Environment())

    assert all(least_s <= user.wait_time() <= most_s for _ in range(200))


def test_a_student_thinks_between_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The think time before an answer is drawn between 1 and 3 s."""
    slept: list[float] = []
    monkeypatch.setattr("gevent.sleep", slept.append)
    user = type("LocalStudent", (CareersUser,), {"host": "http://127.0.0.1:1"})(Environment())

    for _ in range(200):
        user.pause(*THINK_TIME_S)
    user.pause(2)

    assert all(1 <= pause_s <= 3 for pause_s in slept)
    assert min(slept) < 1.5 < 2.5 < max(slept)
    assert slept[-1] == 2
