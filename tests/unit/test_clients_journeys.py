"""The journeys as declared: names, shares, think times, and what loads when a locustfile is opened."""

from __future__ import annotations

from locust.env import Environment
from locust.exception import RescheduleTask
from locust.util.load_locustfile import load_locustfile

import ast
import re
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from locustfiles.auth import WRONG_PASSWORD_SHARE
from locustfiles.careers import RIGHT_ANSWER_SHARE, THINK_TIME_S, CareersUser
from locustfiles.orders import CONFIRMED_SHARE, PROFILE_UPDATED_SHARE, OrdersUser
from locustfiles.school import MemberUser
from locustfiles.school._member import allowed_ms
from locustfiles.storefront import StorefrontUser
from locustfiles.synthetic import SyntheticHealthUser, SyntheticLoginUser
from locustfiles.volume import is_done
from plimsoll.users.answers import Answer, WrongAnswerError
from plimsoll.users.api import ApiUser
from plimsoll.users.scheduled_check import ScheduledCheckUser, within
from tests.journeys import BROWSERS, DATABASE, JOURNEYS, ROOMS
from tests.virtual_time import virtual_time

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[a-z]+\.[a-z_]+")
FILES = JOURNEYS | ROOMS | BROWSERS | DATABASE
# What sends a request under the name that is its first argument.
SENDERS = {"ask", "check_health_of", "refused", "PricedQuery", "GraphqlQuery", "n_plus_one"}


def names_in_calls(path: Path) -> Iterator[str]:
    """Yield each request name that a locustfile sends."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            if called in SENDERS and NAME.fullmatch(str(node.args[0].value)):
                yield str(node.args[0].value)


def declared_by(journey: str) -> set[str]:
    """Return the names that a file's user classes declare."""
    return set().union(*(user_class.request_names for user_class in JOURNEYS[journey]))


@pytest.mark.parametrize("journey", sorted(set(JOURNEYS) - {"storefront"}))
def test_the_declared_names_are_those_that_are_sent(journey: str) -> None:
    """A journey declares every name it sends, its login included, and none that it does not."""
    sent = set(names_in_calls(ROOT / "locustfiles" / f"{journey}.py"))
    signs_in = any(issubclass(user_class, MemberUser) for user_class in JOURNEYS[journey])

    assert declared_by(journey) == sent | ({"auth.login"} if signs_in else set())


def test_the_storefront_sends_what_the_shop_does_but_for_profiles() -> None:
    """Both mixes send the same requests; only the first has profiles."""
    profiles = {"orders.profile", "orders.profile_update"}

    assert StorefrontUser.request_names == OrdersUser.request_names - profiles


@pytest.mark.parametrize("journey", FILES)
def test_a_locustfile_has_its_user_classes_and_no_shape(
    journey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locust finds exactly the classes that are to run in a file, also when opened from another folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, journey, ModuleType(journey))

    users, shapes = load_locustfile(str(ROOT / "locustfiles" / f"{journey}.py"))

    assert set(users) == {user_class.__name__ for user_class in FILES[journey]}
    assert shapes == []


def test_no_locustfile_is_forgotten() -> None:
    """Whatever Locust finds in the folder is one of the journeys that are tested."""
    folder = ROOT / "locustfiles"
    found = {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("[a-z]*.py")}

    assert {name for name in found if not name.startswith("school/")} == set(FILES)


@pytest.mark.parametrize("journey", DATABASE)
def test_names_of_sql_requests_have_two_words(journey: str) -> None:
    """Those of queries and transactions begin with the journey's own word, as in `orders.confirm`."""
    suffixes = (".try", ".commit")
    names = {
        name.removesuffix(suffix)
        for user_class in DATABASE[journey]
        for name in user_class.request_names
        for suffix in suffixes
        if not name.removesuffix(suffix).endswith(suffixes)
    }

    assert [name for name in names if not NAME.fullmatch(name)] == []


def local(user_class: type[ApiUser]) -> type[ApiUser]:
    """Return the class with a host, which a user cannot do without."""
    return type("Local" + user_class.__name__, (user_class,), {"host": "http://127.0.0.1:1"})


def shares(journey: type[ApiUser]) -> dict[str, float]:
    """Return the share of each task in per cent."""
    counts = Counter(task.__name__ for task in journey.tasks if isinstance(task, FunctionType))
    return {name: 100 * number / counts.total() for name, number in counts.items()}


@pytest.mark.parametrize(
    ("journey", "planned"),
    [
        (OrdersUser, {"browse": 40, "order": 30, "keep_profile": 20, "administer": 10}),
        (StorefrontUser, {"browse_and_buy": 60, "oversee": 20, "check_health": 20}),
        (CareersUser, {"learn": 70}),
    ],
)
def test_journeys_are_mixed_as_planned(journey: type[ApiUser], planned: dict[str, float]) -> None:
    """Each task has the share in per cent that is planned for it."""
    assert shares(journey).items() >= planned.items()


def test_what_happens_within_a_task_has_its_share() -> None:
    """30 % of orders are confirmed, 20 % of profiles updated, 70 % of answers right, 5 % of logins wrong."""
    found = (CONFIRMED_SHARE, PROFILE_UPDATED_SHARE, RIGHT_ANSWER_SHARE, WRONG_PASSWORD_SHARE)
    assert found == (0.3, 0.2, 0.7, 0.05)


@pytest.mark.parametrize(
    ("journey", "least_s", "most_s"),
    [
        ("auth", 1, 3),
        ("careers", 1, 1),
        ("graphql", 1, 3),
        ("morning", 1, 3),
        ("orders", 1, 4),
        ("parents", 2, 5),
        ("storefront", 1, 4),
        ("volume", 1, 3),
    ],
)
def test_users_pause_between_iterations(journey: str, least_s: float, most_s: float) -> None:
    """The pause is within its bounds and never nothing, so a user whose login fails does not hammer."""
    (user_class,) = JOURNEYS[journey]
    user = local(user_class)(Environment())

    assert all(least_s <= user.wait_time() <= most_s for _ in range(200))


def test_a_student_thinks_between_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The think time before an answer is drawn between 1 and 3 s."""
    slept: list[float] = []
    monkeypatch.setattr("gevent.sleep", slept.append)
    user = local(CareersUser)(Environment())

    for _ in range(200):
        user.pause(*THINK_TIME_S)
    user.pause(2)

    assert all(1 <= pause_s <= 3 for pause_s in slept)
    assert min(slept) < 1.5 < 2.5 < max(slept)
    assert slept[-1] == 2


@pytest.mark.parametrize(("points", "most_ms"), [(3, 16), (70, 150), (100, 210), (200, 410)])
def test_a_costly_query_may_take_longer(points: int, most_ms: float) -> None:
    """10 ms and 2 ms for each point."""
    assert allowed_ms(points) == most_ms


@pytest.mark.parametrize(("elapsed_ms", "is_refused"), [(500.0, False), (500.1, True)])
def test_an_answer_may_take_its_limit_and_no_more(elapsed_ms: float, is_refused: bool) -> None:
    """A right answer that came too late is a wrong one."""
    read = within(500, lambda answer: answer.status)
    answer = Answer(200, None, None, elapsed_ms)

    if is_refused:
        with pytest.raises(WrongAnswerError, match="took over 500 ms"):
            read(answer)
    else:
        assert read(answer) == 200


def test_a_job_that_does_not_end_is_given_up() -> None:
    """Before its deadline a job may run, after it no more."""
    running = Answer(200, None, b'{"status": "running"}')

    assert not is_done(time.monotonic() + 60)(running)
    with pytest.raises(WrongAnswerError, match="the job has not ended within 60 s"):
        is_done(time.monotonic() - 1)(running)


class Rehearsal(ScheduledCheckUser):
    """A scenario whose steps are told by the test."""

    abstract = True
    host = "http://127.0.0.1:1"
    scenario = "synthetic.rehearsal"
    every_s, limit_s = 10.0, 5.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.rates: list[bool] = []

    def play(self) -> None:
        """Take one step."""
        with self.step("only"):
            self.take()

    def take(self) -> None:
        """Do nothing, or what the test says."""

    def rate(self, name: str, hit: object) -> None:
        """Remember whether it was available."""
        assert name == "synthetic.rehearsal.available"
        self.rates.append(bool(hit))


@pytest.mark.parametrize(
    ("user_class", "every_s", "limit_s"), [(SyntheticLoginUser, 300, 10), (SyntheticHealthUser, 60, 1)]
)
def test_scenarios_are_played_as_often_as_planned(
    user_class: type[ScheduledCheckUser], every_s: float, limit_s: float
) -> None:
    """The login flow every 5 minutes within 10 s, the health check every minute; one user for each."""
    assert (user_class.every_s, user_class.limit_s, user_class.fixed_count) == (every_s, limit_s, 1)


def test_intervals_follow_the_time_scale() -> None:
    """Every 10 s scaled by a tenth is every second, counted from the start of the scenario before."""
    user = Rehearsal(Environment(parsed_options=Namespace(time_scale=0.1)))

    with virtual_time() as clock:
        user.play_and_tell()
        clock.stand_still(0.25)
        assert user.rates == [True]
        assert user.wait_time() == pytest.approx(0.75)


def test_a_failed_step_is_told_with_scenario_location_and_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step with a failed request ends the scenario, which was not available, and is alerted of."""
    user = Rehearsal(Environment(parsed_options=Namespace(location="Oslo")))

    def refuse() -> None:
        user.failure_text("synthetic.request", "got status 500, expected 200")
        raise RescheduleTask

    monkeypatch.setattr(user, "take", refuse)
    user.play_and_tell()

    told = "synthetic.rehearsal at 'Oslo' failed at step 'only': got status 500, expected 200"
    assert user.rates == [False]
    assert [record.getMessage() for record in caplog.records] == [told]


def test_a_scenario_that_takes_too_long_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    """When all steps were right but took longer than the whole may, it was not available."""
    user = type("Strict", (Rehearsal,), {"limit_s": -1.0})(Environment())

    user.play_and_tell()

    assert user.rates == [False]
    assert "failed at step 'total': took over -1 s" in caplog.text
