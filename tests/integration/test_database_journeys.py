"""The SQL journeys on a real server: what each asks for, what holds after it, and broken ones caught."""

from __future__ import annotations

import gevent
from locust.env import Environment

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from typing import Any

import pytest

from locustfiles.database import DatabaseUser
from locustfiles.database.audit import AuditUser
from locustfiles.database.breaker import BreakerUser
from locustfiles.database.crud import STATEMENTS, CrudUser
from locustfiles.database.memory import MemoryPressureUser
from locustfiles.database.optimistic_locking import CHANGE, OptimisticLockingUser
from locustfiles.database.retries import RetriesUser
from locustfiles.database.sessions import SessionsUser
from locustfiles.database.storm import ConnectionStormUser
from locustfiles.database.timeouts import TimeoutsUser
from locustfiles.database.transfers import TransfersUser
from plimsoll import Breaker, Queries, Retry, SqlError
from tests.database_runs import SMALL_POOL, database_run, play
from tests.journeys import DATABASE, POOLED
from tests.processes import user_environment

OWN = {"sql.connect"}
"""Made once by a user."""
ALL = sorted((each for of_file in DATABASE.values() for each in of_file), key=lambda each: each.__name__)
JOURNEYS = [each for each in ALL if each not in POOLED]
MORE_THAN_ALLOWED = 8


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the journeys fill their database with little, hold connections and wait for a moment."""
    monkeypatch.setattr("locustfiles.database.timeouts.SLOW_S", 1.2)
    monkeypatch.setattr("locustfiles.database.timeouts.SLACK_S", 60.0)  # what a busy machine adds is no fault
    monkeypatch.setattr("locustfiles.database.breaker.OUTAGE_S", 0.0)
    monkeypatch.setattr(ConnectionStormUser, "hold_s", 0.5)
    monkeypatch.setenv("SQL_DATA_SIZE", "small")


@pytest.fixture(scope="module")
def any_run(database_url: str) -> Iterator[Environment]:
    """Set up a database for all journeys that leave it as right as they found it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SQL_DATA_SIZE", "small")
        with database_run(database_url, *JOURNEYS) as environment:
            yield environment


def variant(user_class: type[DatabaseUser], **changes: Any) -> type[DatabaseUser]:
    """Return a class that does it another way."""
    return type(user_class.__name__, (user_class,), changes)


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda each: each.__name__)
def test_a_journey_asks_for_what_it_declares(any_run: Environment, journey: type[DatabaseUser]) -> None:
    """Every request is declared and is one of a task's steps, and all invariants hold."""
    played = play(any_run, journey, iterations=2)
    steps = {
        name
        for task in journey.task_requests.values()
        for step in task
        if isinstance(step, str | dict)
        for name in ([step] if isinstance(step, str) else step)
    }

    assert set(played.iterations) == set(journey.task_requests)
    assert set(played.asked) <= (steps | OWN) & journey.request_names
    assert steps <= journey.request_names | journey.metric_names
    assert [name for name in played.recorded if not known(name, journey)] == []
    assert played.wrong == {}


def known(metric: str, journey: type[DatabaseUser]) -> bool:
    """Return whether a class declares a metric, itself or as an SQL user."""
    return any(fnmatch(metric, each) for each in journey.metric_names | journey.client_metric_names)


def test_no_update_is_lost(database_url: str) -> None:
    """Users who change the same rows conflict, and no change is lost; without the version some are."""
    blind = Queries(
        {
            "locking.read": "SELECT version, value FROM load.items WHERE id = %(id)s",
            "locking.change": CHANGE.replace("AND version =", "AND 0 <="),
        }
    )
    with database_run(database_url, OptimisticLockingUser) as run:
        right = play(run, OptimisticLockingUser, users=20, iterations=5)
        wrong = play(run, variant(OptimisticLockingUser, queries=blind), users=20, iterations=5)

    assert right.wrong == {}
    assert 0 < sum(right.recorded["locking.conflict"]) < len(right.recorded["locking.conflict"])
    assert wrong.wrong.keys() == {"no update is lost"}


def test_money_is_conserved(database_url: str) -> None:
    """Opposite transfers deadlock and are all made; stopped without a transaction, they lose money."""

    def without_transaction(user: TransfersUser) -> None:
        with gevent.Timeout(0.05, exception=False):  # stopped between its two parts
            user.take_and_give(None)

    # Locust calls what is in `tasks`; so a class without a transaction has another one.
    stopped = variant(TransfersUser, tasks=[without_transaction])
    with database_run(f"{database_url} options='-c deadlock_timeout=50ms'", TransfersUser) as run:
        right = play(run, TransfersUser, users=2, iterations=3)
        wrong = play(run, stopped, users=1)

    assert right.wrong == {}
    assert right.recorded["transfers.deadlocks"]
    assert not any(failure.startswith("transfers.transfer:") for failure in right.failures)
    assert wrong.wrong.keys() == {"money is conserved"}


def test_no_session_is_left(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After failures and batches no session is left; users who do not close theirs are caught."""
    monkeypatch.setattr("locustfiles.database._database.LEFT_LIMIT_S", 0.5)
    kept: list[Any] = []

    def keep(user: Any) -> None:
        kept.append(user.sql._connection)
        user.sql._connection = None

    leaking = variant(SessionsUser, end_session=keep)
    with database_run(database_url, SessionsUser) as run:
        right = play(run, SessionsUser, users=3, iterations=3)
        wrong = play(run, leaking)
        for connection in kept:
            connection.close()

    assert right.wrong == {}
    assert set(right.failures) == {
        "sessions.fail: 22012 DivisionByZero",
        "sessions.failing: 22012 DivisionByZero",
    }
    assert wrong.wrong == {"no session is left": f"{len(kept)} sessions are left"}


def test_a_pool_is_never_over_its_size(database_url: str) -> None:
    """More users than connections wait for their turn; users who connect by themselves are caught."""
    command = [sys.executable, "-m", "tests.database_runs", database_url]
    done = subprocess.run(
        command, env=user_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    for journey in POOLED:
        right, wrong = found[journey.__name__]["right"], found[journey.__name__]["wrong"]
        assert set(right["asked"]) == {"sql.pool", "pools.borrow"}
        assert not right["failures"]
        assert right["wrong"] == {}
        assert wrong["wrong"].keys() == {"no pool is over its size"}
    assert max(found["PoolMonitorUser"]["right"]["recorded"]["pools.waiting"]) > 0
    assert max(found["PoolMonitorUser"]["right"]["recorded"]["pools.size"]) == SMALL_POOL
    assert max(found["PoolMonitorUser"]["right"]["recorded"]["pools.idle"]) > 0


def test_a_storm_is_refused_by_the_limit(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are allowed are served; each other is refused by 53300 and nobody hangs."""
    monkeypatch.setattr("locustfiles.database.storm.ALLOWED", MORE_THAN_ALLOWED // 2)
    with database_run(database_url, ConnectionStormUser) as run:
        played = play(run, ConnectionStormUser, users=MORE_THAN_ALLOWED)

    assert played.asked["storm.hold"] - played.failures.total() // 2 == MORE_THAN_ALLOWED // 2
    assert set(played.recorded["storm.refused_by_limit"]) == {1}
    assert played.wrong == {}


def test_retries_recover(database_url: str) -> None:
    """Jobs fail in between and are done once all the same; without transaction or retry they are caught."""
    quick = variant(RetriesUser, retry=Retry(max_tries=6, first_delay_s=0.001))

    def without_transaction(_: Any, work: Any) -> None:
        is_done = False
        while not is_done:
            with suppress(SqlError):
                work(None)
                is_done = True

    with database_run(database_url, RetriesUser) as run:
        right = play(run, quick, iterations=40)
        twice = play(run, variant(quick, attempt=without_transaction), iterations=20)
    with database_run(database_url, RetriesUser) as run:
        never = play(run, variant(RetriesUser, retry=None), iterations=20)

    assert right.wrong == {}
    assert sum(right.recorded["retries.recovered"]) > 0
    assert twice.wrong.keys() == {"a job is done once or not at all"}
    assert never.wrong.keys() == {"more jobs recover than fail"}
    assert list(RetriesUser.retry.delays_s()) == [0.1, 0.2, 0.4, 0.8]


def test_a_breaker_opens_half_opens_and_closes(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an outage it opens and refuses, and after it lets one try and closes; without it none is seen."""
    monkeypatch.setattr("locustfiles.database.breaker.OUTAGE_S", 2.0)
    quick = {"statement_timeout_s": 0.25}
    states = {"sql.breaker_open", "sql.breaker_half_open", "sql.breaker_closed"}

    def ask(user: Any) -> None:
        BreakerUser.ask(user)
        gevent.sleep(0.02)

    own = quick | {"tasks": [ask]}
    with database_run(database_url, BreakerUser) as run:
        right = play(run, variant(BreakerUser, breaker=Breaker(5, 1.0), **own), iterations=100)
        wrong = play(run, variant(BreakerUser, breaker=None, **own), iterations=10)

    assert right.recorded.keys() >= states
    assert right.failures["breaker.ask: circuit breaker open"] > 0
    assert not wrong.recorded.keys() & states


def test_timeouts_are_enforced(database_url: str) -> None:
    """A slow statement is ended at its limit and the session is usable after; without a limit it is seen."""
    with database_run(database_url, TimeoutsUser) as run:
        right = play(run, TimeoutsUser, iterations=2)
        wrong = play(run, variant(TimeoutsUser, statement_timeout_s=None))

    assert (right.recorded["timeouts.enforced"], right.recorded["timeouts.usable_after"]) == ([1], [1, 1])
    assert wrong.recorded["timeouts.enforced"] == [0]


def test_every_change_is_in_the_audit(database_url: str) -> None:
    """A change and its audit row are both there; of one stopped in between without transaction one is not."""

    def without_transaction(user: Any) -> None:
        user.sql.run("audit.change", id=1)

    with database_run(database_url, AuditUser) as run:
        right = play(run, AuditUser, users=3, iterations=3)
        wrong = play(run, variant(AuditUser, tasks=[without_transaction]))

    assert right.wrong == {}
    assert wrong.wrong.keys() == {"every change is in the audit"}


def test_what_is_read_is_what_was_written(any_run: Environment) -> None:
    """A user is found as it was made, a document as it was written; a user that stays is seen."""
    delete = "SELECT deleted_at IS NULL FROM load.users WHERE id = %(id)s"
    undeleted = Queries(STATEMENTS | {"crud.delete": delete})

    assert play(any_run, CrudUser).recorded["crud.right"] == [1]
    assert play(any_run, variant(CrudUser, queries=undeleted)).recorded["crud.right"] == [0]
    assert play(any_run, MemoryPressureUser).recorded["memory.same"] == [1]
