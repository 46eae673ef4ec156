"""The journeys by their files, and runs of them without think time."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from locustfiles.auth import AuthUser
from locustfiles.careers import CareersUser
from locustfiles.classroom import ClassroomUser
from locustfiles.database import DatabaseUser
from locustfiles.database.audit import AuditUser
from locustfiles.database.breaker import BreakerUser
from locustfiles.database.crud import CrudUser
from locustfiles.database.inserts import InsertsUser
from locustfiles.database.memory import MemoryPressureUser
from locustfiles.database.optimistic_locking import OptimisticLockingUser
from locustfiles.database.pool import DatabasePoolUser
from locustfiles.database.pool_exhaustion import PoolExhaustionUser
from locustfiles.database.pool_monitor import PoolMonitorUser
from locustfiles.database.query_patterns import QueryPatternsUser
from locustfiles.database.registrations import RegistrationsUser
from locustfiles.database.retries import RetriesUser
from locustfiles.database.sessions import SessionsUser
from locustfiles.database.storm import ConnectionStormUser
from locustfiles.database.timeouts import TimeoutsUser
from locustfiles.database.transfers import TransfersUser
from locustfiles.graphql import GraphqlQueriesUser
from locustfiles.morning import MorningUser
from locustfiles.orders import OrdersUser
from locustfiles.pages import PagesUser, ParentPagesUser
from locustfiles.parents import ParentsUser
from locustfiles.pool import PoolUser
from locustfiles.storefront import StorefrontUser
from locustfiles.synthetic import SyntheticHealthUser, SyntheticLoginUser
from locustfiles.volume import VolumeUser
from plimsoll.users.api import ApiUser
from tests.processes import ROOT, finish, start_locust

NO_THINK_TIME_USERS = Path(__file__).with_name("no_think_time_users.py")
JOURNEYS: dict[str, tuple[type[ApiUser], ...]] = {
    "auth": (AuthUser,),
    "careers": (CareersUser,),
    "graphql": (GraphqlQueriesUser,),
    "morning": (MorningUser,),
    "orders": (OrdersUser,),
    "parents": (ParentsUser,),
    "pool": (PoolUser,),
    "storefront": (StorefrontUser,),
    "synthetic": (SyntheticHealthUser, SyntheticLoginUser),
    "volume": (VolumeUser,),
}
"""Those that ask and are answered."""
ROOMS: dict[str, tuple[type[ApiUser], ...]] = {"classroom": (ClassroomUser,)}
BROWSERS: dict[str, tuple[type[ApiUser], ...]] = {"pages": (PagesUser, ParentPagesUser)}

DATABASE: dict[str, tuple[type[DatabaseUser], ...]] = {
    "database/audit": (AuditUser,),
    "database/breaker": (BreakerUser,),
    "database/crud": (CrudUser,),
    "database/inserts": (InsertsUser,),
    "database/memory": (MemoryPressureUser,),
    "database/optimistic_locking": (OptimisticLockingUser,),
    "database/pool": (DatabasePoolUser,),
    "database/pool_exhaustion": (PoolExhaustionUser,),
    "database/pool_monitor": (PoolMonitorUser,),
    "database/query_patterns": (QueryPatternsUser,),
    "database/registrations": (RegistrationsUser,),
    "database/retries": (RetriesUser,),
    "database/sessions": (SessionsUser,),
    "database/storm": (ConnectionStormUser,),
    "database/timeouts": (TimeoutsUser,),
    "database/transfers": (TransfersUser,),
}
"""Those of a PostgreSQL server."""
POOLED = (DatabasePoolUser, PoolExhaustionUser, PoolMonitorUser)


class LoadedHost(NamedTuple):
    """A user class that loads a host of its own, with all its tasks or with one."""

    journey: type[ApiUser]
    host: str
    task: str | None = None


LIMIT_S = 400
"""Longer than any of their run times; those that know what is enough hardly ever take theirs."""


def run_without_think_time(
    users: Sequence[LoadedHost], folder: Path, run_time: str, number: int, enough: Collection[str] = ()
) -> Any:
    """Run the journeys without think time and return what Locust counted.

    Where it is told which errors, failures or names of requests and transactions are enough, the run ends as
    soon as it has seen them all, though not in its first seconds.
    """
    result = folder / "result.json"
    named = [(user.journey.__module__, user.journey.__name__, user.host, user.task) for user in users]
    settings = {
        "JOURNEYS_USERS": json.dumps(named),
        "JOURNEYS_RESULT": str(result),
        "JOURNEYS_ENOUGH": json.dumps(sorted(enough)),
        "PYTHONPATH": str(ROOT),  # of the journeys
    }
    options = ["--headless", "-u", str(number), "-r", str(number), "-t", run_time, "--only-summary"]
    output = finish(start_locust(["-f", str(NO_THINK_TIME_USERS), *options], folder, settings), LIMIT_S)
    assert result.exists(), output
    return json.loads(result.read_text(encoding="utf-8"))
