"""Deadlocks: transfers between two accounts, in opposite directions, with 0.1 s between taking and giving.

Right is: the money is conserved. Two opposite transfers lock each other out; the server ends one after its
deadlock_timeout (1 s), and that one is tried again.
"""

from __future__ import annotations

import gevent
from locust import task
from locust.env import Environment

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

from psycopg import Connection

from locustfiles.database import BALANCE, DatabaseUser, proven, value_of
from plimsoll import Queries, Retry, SqlError, Step, record_run, sql_request_names

record_run()

BETWEEN_S = 0.1
DEADLOCK = "40P01"
_spawned = count()


class TransfersUser(DatabaseUser):
    """Transfer 1 from an account to the other, every second user in the opposite direction."""

    queries = Queries(
        {
            "transfers.take": "UPDATE load.accounts SET balance = balance - 1 WHERE id = %(id)s",
            "transfers.give": "UPDATE load.accounts SET balance = balance + 1 WHERE id = %(id)s",
        }
    )
    retry = Retry(max_tries=20, first_delay_s=0.1, max_delay_s=1.0, jitter=True)
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names("transfers.transfer")
    metric_names: ClassVar[frozenset[str]] = frozenset({"transfers.deadlocks"})
    # Of two transfers that meet, one waits until the server has found the deadlock, and then the other's end.
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "transfer": (
            *("transfers.take", BETWEEN_S, "transfers.give", "transfers.transfer.commit"),
            *("transfers.transfer.try", "transfers.transfer", {"transfers.deadlocks": 0.5}),
        )
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.source, self.target = (1, 2) if next(_spawned) % 2 else (2, 1)

    @task
    def transfer(self) -> None:
        """Take from one account, and give to the other a tenth of a second later."""
        self.sql.retried("transfers.transfer", self.take_and_give)

    def take_and_give(self, _: object) -> None:
        """Do both parts, of which neither may be without the other."""
        try:
            self.sql.run("transfers.take", id=self.source)
            gevent.sleep(BETWEEN_S)
            self.sql.run("transfers.give", id=self.target)
        except SqlError as error:
            if error.sqlstate == DEADLOCK:
                self.count("transfers.deadlocks")
            raise


@proven("money is conserved")
def money_is_conserved(connection: Connection[Any]) -> str:
    """Say what the accounts have together, where that is not what they began with."""
    found = value_of(connection, "SELECT sum(balance) FROM load.accounts")
    wanted = BALANCE * value_of(connection, "SELECT count(*) FROM load.accounts")
    return f"the accounts have {found} together, expected {wanted}" if found != wanted else ""
