"""A job queue in PostgreSQL: jobs survive the service, and several services may work off one queue."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from service.database import Database, Session
from service.errors import ApiError, ForbiddenError, NotFoundError, UnavailableError
from service.tokens import Account

POLL_S = 0.5
"""How soon jobs that other services have added, or left behind, are noticed."""
MAX_ATTEMPTS = 3
LOGGER = logging.getLogger(__name__)

Perform: TypeAlias = Callable[[Session, Mapping[str, object]], Awaitable[bytes]]


class Jobs:
    """Takes jobs, tells how they are, and performs them one after another."""

    def __init__(self, database: Database, perform: Perform) -> None:
        self._database = database
        self._perform = perform
        self._added = asyncio.Event()

    async def add(self, account: Account, parameters: Mapping[str, object]) -> bytes:
        """Queue a job and return it as JSON."""
        row = {"user_id": account.user_id, "parameters": json.dumps(parameters)}
        job = await self._database.fetch_json("add_job", row)
        assert job is not None
        self._added.set()
        return job

    async def get(self, account: Account, job_id: int) -> bytes:
        """Return a job as JSON: queued, running, done with its `result`, or failed with its `error`."""
        row = await self._database.fetch_row("get_job_requester", {"job_id": job_id})
        if row is None:
            raise NotFoundError("there is no such job", {"jobId": job_id})
        if account.role != "admin" and account.user_id != row[0]:
            raise ForbiddenError("this job belongs to somebody else")
        job = await self._database.fetch_json("get_job", {"job_id": job_id})
        assert job is not None
        return job

    @asynccontextmanager
    async def worked_off(self) -> AsyncIterator[None]:
        """Work off the queue for the length of the block; a job left in hand is the next worker's."""
        worker = asyncio.create_task(self._work())
        try:
            yield
        finally:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    async def _work(self) -> None:
        while True:
            self._added.clear()
            await self._work_all()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._added.wait(), POLL_S)

    async def _work_all(self) -> None:
        try:
            while await self._work_one():
                pass
        except UnavailableError:
            pass  # asked again after the next pause
        except Exception:
            LOGGER.exception("the job queue waits")  # the worker must outlive whatever it meets

    async def _work_one(self) -> bool:
        """Perform the oldest job that is not taken; return whether there was one."""
        # One connection for all of it: a job once claimed does not wait for another.
        async with self._database.session() as session:
            row = await session.fetch_row("claim_job")
            if row is not None:
                await self._try(session, *row)
        return row is not None

    async def _try(self, session: Session, job_id: int, attempts: int) -> None:
        if attempts > MAX_ATTEMPTS:
            await _fail(session, job_id, f"given up: {MAX_ATTEMPTS} workers died of it")
            return
        try:
            await self._finish(session, job_id)
        except UnavailableError:
            raise
        except ApiError as error:
            await _fail(session, job_id, error.message)
        except Exception:
            # A job that breaks must end, or it would be taken up for ever.
            LOGGER.exception("job %d failed", job_id)
            await _fail(session, job_id, "the service failed; its log says why")

    async def _finish(self, session: Session, job_id: int) -> None:
        # The lock tells other workers that somebody works on it, and ends with this process, however it ends.
        async with session.transaction():
            row = await session.fetch_row("lock_job", {"job_id": job_id})
            if row is not None:
                result = await self._perform(session, row[0])
                await session.execute("finish_job", {"job_id": job_id, "result": result.decode()})


async def _fail(session: Session, job_id: int, error: str) -> None:
    await session.execute("fail_job", {"job_id": job_id, "error": error})
