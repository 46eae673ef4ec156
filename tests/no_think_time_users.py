"""A locustfile of the journeys without their think time, each user class against a host of its own.

JOURNEYS_USERS holds a JSON list of [module, class name, host, task or null for all of them]; JOURNEYS_RESULT
names the file that gets what Locust counted: requests, their medians in ms, errors, and with the names of
their requests failures, and exceptions of the users. JOURNEYS_ENOUGH is a JSON list of errors, failures, and
names of requests and transactions after which the run has seen enough; where it is empty, it goes on.
"""

from __future__ import annotations

import gevent
from locust import constant, events
from locust.env import Environment

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from locustfiles import auth, careers, orders, parents, synthetic
from locustfiles.school import MemberUser
from plimsoll.context import Transaction
from plimsoll.users.api import ApiUser

# What a journey rarely does must still be seen within seconds.
auth.WRONG_PASSWORD_SHARE = 0.5
orders.CONFIRMED_SHARE = orders.CONFIRMED_TWICE_SHARE = orders.PROFILE_UPDATED_SHARE = 0.5
orders.USERS_PER_ADMIN = 2
careers.SESSIONS_PER_MEMORY_LOOK = 2
parents.STRANGERS_CHILD_SHARE = 0.5
# However slow the machine is that all of it runs on, it is not what is looked at here.
synthetic.HEALTH_LIMIT_MS = 60_000
synthetic.SyntheticLoginUser.limit_s = synthetic.SyntheticHealthUser.limit_s = 120.0


def without_think_time(journey: type[ApiUser], host: str, only_task: str | None) -> type[ApiUser]:
    """Return the journey, or one task of it, with hardly any pauses and with no task rarer than another."""
    changes: dict[str, object] = {
        "host": host,
        "wait_time": constant(0.02),
        "weight": 1,
        "pause": lambda *_: gevent.sleep(0.01),
    }
    if only_task:
        changes["own_accounts"] = MemberUser.own_accounts  # no admins, to whom nothing is refused
    name = f"LoadedHost{journey.__name__}{host.rpartition('/')[2]}"
    user_class: type[ApiUser] = type(name, (journey,), changes)
    user_class.tasks = [getattr(journey, only_task)] if only_task else list(dict.fromkeys(journey.tasks))
    return user_class


globals().update(
    {
        f"user_{number}": without_think_time(getattr(import_module(module), name), host, only_task)
        for number, (module, name, host, only_task) in enumerate(json.loads(os.environ["JOURNEYS_USERS"]))
    }
)


names_seen: set[str] = set()
end_transaction = Transaction.__exit__
LEAST_S = 5.0
"""A run lasts so long whatever it has seen: some things go wrong the second time, others nobody waits for."""


def errors_of(environment: Environment) -> set[str]:
    """Return the texts of all errors so far."""
    return {str(error.error) for error in environment.stats.errors.values()}


def failures_of(environment: Environment) -> set[str]:
    """Return the same with the names of their requests."""
    return {f"{error.name}: {error.error}" for error in environment.stats.errors.values()}


def sights_of(environment: Environment) -> set[str]:
    """Return all that a run may be waiting to see."""
    return errors_of(environment) | failures_of(environment) | names_seen


def note_transaction(transaction: Transaction, *error: Any) -> None:
    """Note the name of a transaction that ends, and pass it to the recorder."""
    names_seen.add(transaction.name)
    end_transaction(transaction, *error)


def end_early(environment: Environment, **_: Any) -> None:
    """End the run when it has seen enough."""
    enough = set(json.loads(os.environ["JOURNEYS_ENOUGH"]))
    if enough:
        gevent.spawn(_wait_for, enough, environment)


def _wait_for(enough: set[str], environment: Environment) -> None:
    gevent.sleep(LEAST_S)
    while not enough <= sights_of(environment):
        gevent.sleep(0.1)
    assert environment.runner is not None
    environment.runner.quit()


def write_result(environment: Environment, **_: Any) -> None:
    """Write down what Locust counted."""
    stats, runner = environment.stats, environment.runner
    assert runner is not None
    result = {
        "medians_ms": {entry.name: entry.median_response_time for entry in stats.entries.values()},
        "requests": {entry.name: entry.num_requests for entry in stats.entries.values()},
        "errors": sorted(errors_of(environment)),
        "failures": sorted(failures_of(environment)),
        "exceptions": [found["msg"] for found in runner.exceptions.values()],
    }
    Path(os.environ["JOURNEYS_RESULT"]).write_text(json.dumps(result), encoding="utf-8")


events.request.add_listener(lambda name, **_: names_seen.add(name))
Transaction.__exit__ = note_transaction  # type: ignore[method-assign] # a run has one recorder
events.test_start.add_listener(end_early)
events.quitting.add_listener(write_result)
