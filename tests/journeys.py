"""The journeys by their files, and runs of them without think time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clients.api import MemberUser
from locustfiles.auth import AuthUser
from locustfiles.careers import CareersUser
from locustfiles.graphql import GraphqlQueriesUser
from locustfiles.morning import MorningUser
from locustfiles.orders import OrdersUser
from locustfiles.parents import ParentsUser
from locustfiles.storefront import StorefrontUser
from locustfiles.synthetic import SyntheticHealthUser, SyntheticLoginUser
from locustfiles.volume import VolumeUser
from tests.processes import finish, start_locust

HASTY_USERS = Path(__file__).parent / "acceptance" / "hasty_users.py"
JOURNEYS: dict[str, tuple[type[MemberUser], ...]] = {
    "auth": (AuthUser,),
    "careers": (CareersUser,),
    "graphql": (GraphqlQueriesUser,),
    "morning": (MorningUser,),
    "orders": (OrdersUser,),
    "parents": (ParentsUser,),
    "storefront": (StorefrontUser,),
    "synthetic": (SyntheticHealthUser, SyntheticLoginUser),
    "volume": (VolumeUser,),
}


class Hasty(NamedTuple):
    """A user class that loads a host of its own, with all its tasks or with one."""

    journey: type[MemberUser]
    host: str
    task: str | None = None


def run_hastily(users: Sequence[Hasty], folder: Path, run_time: str, number: int) -> Any:
    """Run the journeys without think time and return what Locust counted."""
    result = folder / "result.json"
    named = [(user.journey.__module__, user.journey.__name__, user.host, user.task) for user in users]
    settings = {"HASTY_USERS": json.dumps(named), "HASTY_RESULT": str(result)}
    options = ["--headless", "-u", str(number), "-r", str(number), "-t", run_time, "--only-summary"]
    output = finish(start_locust(["-f", str(HASTY_USERS), *options], folder, settings))
    assert result.exists(), output
    return json.loads(result.read_text(encoding="utf-8"))
