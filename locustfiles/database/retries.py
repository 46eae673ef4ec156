"""Retries: work that fails transiently in 30 % of its tries; tried again after 0.1, 0.2, 0.4 and 0.8 s.

Right is: what is done is done once, what is given up has done nothing, and more recover than fail for good.
"""

from __future__ import annotations

from locust import task

import uuid
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, ClassVar

from psycopg import Connection

from locustfiles.database import DatabaseUser, proven, value_of
from plimsoll import Queries, Retry, SqlError, Step, record_run, sql_request_names

record_run()

FAILING_SHARE = 0.3
TRIES = 1 / (1 - FAILING_SHARE)
PAUSES = ("retries.pause_first", "retries.pause_second", "retries.pause_third", "retries.pause_fourth")


class RetriesUser(DatabaseUser):
    """Do a job within a transaction that fails in 30 % of its tries, as a serialization failure would."""

    retry = Retry(max_tries=5, first_delay_s=0.1, max_delay_s=1.0)
    queries = Queries(
        {
            "retries.begin": "INSERT INTO load.jobs (key) VALUES (%(key)s)",
            "retries.work": "UPDATE load.jobs SET worked = worked + 1 WHERE key = %(key)s",
            "retries.risk": "SELECT load.fail_at_times(%(share)s)",
            "retries.end": "UPDATE load.jobs SET tries = %(tries)s, is_done = %(is_done)s"
            " WHERE key = %(key)s",
        }
    )
    request_names: ClassVar[frozenset[str]] = queries.names | sql_request_names("retries.job")
    metric_names: ClassVar[frozenset[str]] = frozenset({*PAUSES, "retries.recovered"})
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "do_job": (
            "retries.begin",
            {"retries.work": TRIES, "retries.risk": TRIES, "retries.job.try": TRIES},
            *("retries.job.commit", "retries.job", "retries.end"),
            {name: FAILING_SHARE ** (n + 1) for n, name in enumerate(PAUSES)},
            {"retries.recovered": FAILING_SHARE},
        )
    }

    @task
    def do_job(self) -> None:
        """Do a job, and note how often it was tried and whether it was done in the end."""
        key, began_s, failed_s = uuid.uuid4(), list[float](), list[float]()
        self.sql.run("retries.begin", key=key)

        def work(_: object) -> None:
            began_s.append(perf_counter())
            try:
                self.sql.run("retries.work", key=key)
                self.sql.run("retries.risk", share=FAILING_SHARE)
            except SqlError:
                failed_s.append(perf_counter())
                raise

        is_done = False
        try:
            self.attempt(work)
            is_done = True
        except SqlError:
            pass  # it is given up, and told by the request
        self.sql.run("retries.end", key=key, tries=len(began_s), is_done=is_done)
        for name, failed, again in zip(PAUSES, failed_s, began_s[1:], strict=False):
            self.observe(name, (again - failed) * 1000)
        if failed_s:
            self.rate("retries.recovered", is_done)

    def attempt(self, work: Any) -> None:
        """Try until it is done."""
        self.sql.retried("retries.job", work)


@proven("a job is done once or not at all")
def a_job_is_done_once(connection: Connection[Any]) -> str:
    """Say how many jobs were done twice, or given up and done."""
    wrong = value_of(
        connection,
        "SELECT count(*) FROM load.jobs WHERE tries IS NOT NULL AND worked <> is_done::integer",
    )
    return f"{wrong} jobs were not done as often as they were said to be" if wrong else ""


@proven("more jobs recover than fail")
def more_jobs_recover_than_fail(connection: Connection[Any]) -> str:
    """Say how many jobs failed for good, where not fewer than those which a further try has saved."""
    recovered = value_of(connection, "SELECT count(*) FROM load.jobs WHERE is_done AND tries > 1")
    failed = value_of(connection, "SELECT count(*) FROM load.jobs WHERE NOT is_done")
    return f"{recovered} jobs recovered, {failed} failed" if failed and failed >= recovered else ""
