"""SQL journeys in one process: a database set up, users who play their tasks so often, invariants asked.

`python -m tests.database_runs URL` plays those with a pool, right and wrong, and prints what came of it:
pytest's own process is not patched for gevent, which a pool that is waited for needs.
"""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from locust.env import Environment
from locust.event import Events
from locust.exception import RescheduleTask

import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FunctionType
from typing import Any, NamedTuple
from unittest.mock import patch

from locustfiles.database import DatabaseUser
from plimsoll.context import execution_of, give_context
from plimsoll.data.set_up import _RESULTS, DECLARED, SetUps

PLAY_LIMIT_S = 20.0
SMALL_POOL = 3


class Played(NamedTuple):
    """What a run has asked for, what of that failed, what it recorded, and what does not hold after it."""

    asked: Counter[str]
    failures: Counter[str]
    recorded: dict[str, list[float]]
    iterations: Counter[str]
    wrong: dict[str, str]


class Values:
    """Stands in for the recorder of a run, and keeps the values that users record."""

    def __init__(self) -> None:
        self.by_name: dict[str, list[float]] = {}

    def record_value(self, kind: str, name: str, value: float) -> None:  # noqa: ARG002 - as the recorder's
        """Keep a value."""
        self.by_name.setdefault(name, []).append(value)


@contextmanager
def database_run(database_url: str, *classes: type[DatabaseUser]) -> Iterator[Environment]:
    """Set up what the classes need, as a run does, and clean up."""
    options = Namespace(database_url=database_url)
    environment = Environment(user_classes=list(classes), events=Events(), parsed_options=options)
    own = {name: each for name, each in DECLARED.items() if name.startswith("locustfiles.database")}
    runner: Any = None
    with patch.dict(DECLARED, own, clear=True), patch.dict(_RESULTS.by_name, clear=True):
        set_ups = SetUps(environment, runner)
        try:
            set_ups.begin()
            yield environment
        finally:
            set_ups.end()


def play(
    environment: Environment, user_class: type[DatabaseUser], users: int = 1, iterations: int = 1
) -> Played:
    """Have users play each of their tasks so often, one after the other, and stop; say what came of it."""
    asked: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    made: Counter[str] = Counter()
    values = Values()
    environment.events = Events()
    vars(environment).pop("plimsoll_sql_pools", None)

    def on_request(name: str, exception: Exception | None, **_: Any) -> None:
        asked[name] += 1
        if exception is not None:
            failures[f"{name}: {exception}"] += 1

    environment.events.request.add_listener(on_request)

    def visit() -> None:
        user = user_class(environment)
        give_context(user, gevent.getcurrent())
        try:
            user.on_start()
            for task in dict.fromkeys(each for each in user.tasks if isinstance(each, FunctionType)):
                for _ in range(iterations):
                    with suppress(RescheduleTask):
                        task(user)
                    made[task.__name__] += 1
        finally:
            user.on_stop()

    execution = execution_of(environment)
    with patch.object(execution, "recorder", values), gevent.Timeout(PLAY_LIMIT_S):
        greenlets = [gevent.spawn(visit) for _ in range(users)]
        gevent.joinall(greenlets, raise_error=True)
    environment.events.test_stop.fire(environment=environment)
    wrong = {
        name: said
        for declared in DECLARED.values()
        for name, ask in declared.invariants.items()
        if (said := ask(environment))
    }
    return Played(asked, failures, values.by_name, made, wrong)


def play_pools(database_url: str, classes: Iterable[type[DatabaseUser]]) -> dict[str, dict[str, Any]]:
    """Play classes with a pool too small for their users, then with a connection for each user instead."""
    found: dict[str, dict[str, Any]] = {}
    for each in classes:
        small = type(each.__name__, (each,), {"pool_size": SMALL_POOL, "max_lifetime_s": 0.2})
        own = {"pool_size": None, "sample_pool": lambda _: None, "proven_size": SMALL_POOL, "hold_s": 0.2}
        without = type(each.__name__, (each,), own)
        with database_run(database_url, small) as run:
            right = play(run, small, users=3 * SMALL_POOL, iterations=3)
            wrong = play(run, without, users=3 * SMALL_POOL, iterations=2)
        found[each.__name__] = {"right": right._asdict(), "wrong": wrong._asdict()}
    return found


if __name__ == "__main__":
    from tests.journeys import POOLED

    print(json.dumps(play_pools(sys.argv[1], POOLED)))  # noqa: T201 - for the test that started it
