"""Requests under way, and those that are cut off: Locust itself forgets a request whose user is stopped.

Locust's two HTTP clients are wrapped once, and so is `events.request.measure`; a client of one's own says
`with track_request(type, name):`, or has its user's class ask for it.
"""

from __future__ import annotations

from gevent import GreenletExit, Timeout, getcurrent
from locust.env import Environment
from locust.event import EventHook

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple

from plimsoll.context import Execution, current_context
from plimsoll.locust_internals import around_client_requests


class Request:
    """One request under way for as long as the `with` block lasts."""

    __slots__ = ("_attribution", "_execution", "_name", "_request_type", "started_s")
    started_s: float

    def __init__(self, request_type: str, name: str) -> None:
        self._request_type, self._name = request_type, name

    def __enter__(self) -> None:
        # Every request comes this way: no function is called that can be done without.
        try:
            context = getcurrent().plimsoll_context
        except AttributeError:
            context = current_context()
        self._attribution = context.attribution
        execution = self._execution = context.execution
        self.started_s = time.monotonic()
        under_way = execution.requests
        under_way.add(self)
        if len(under_way) > execution.most_requests:
            execution.most_requests = len(under_way)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._execution.requests.remove(self)
        except KeyError:  # the end of the run was first
            return
        self._execution.ended_request_s += time.monotonic() - self.started_s
        # Whatever else is raised, Locust has seen the request end.
        if error is not None and isinstance(error, GreenletExit | Timeout):
            recorder, ended_s = self._execution.recorder, time.monotonic()
            if recorder is not None:
                recorder.record_unfinished(
                    self._attribution, self._request_type, self._name, self.started_s, ended_s
                )

    def cut_off(self) -> None:
        """End it as unfinished."""
        self.__exit__(GreenletExit, GreenletExit(), None)


track_request = Request  # by its public name


class Occupancy(NamedTuple):
    """How many requests were under way in a stretch of time: their exact mean, and the most at once."""

    mean: float
    most: int


class OccupancyMeter:
    """Measures an execution from the moment it is made; there is one at a time."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._looked_s = time.monotonic()
        self._request_seconds = self._request_seconds_until(self._looked_s)
        execution.most_requests = len(execution.requests)

    def take(self) -> Occupancy:
        """Return the occupancy since the last call: the integral of the number under way, by that time."""
        now_s, execution = time.monotonic(), self._execution
        total, before = self._request_seconds_until(now_s), self._request_seconds
        elapsed_s = now_s - self._looked_s
        self._looked_s, self._request_seconds = now_s, total
        most, execution.most_requests = execution.most_requests, len(execution.requests)
        return Occupancy((total - before) / elapsed_s if elapsed_s > 0 else float(most), most)

    def _request_seconds_until(self, now_s: float) -> float:
        """Return the integral of the number of requests under way."""
        execution = self._execution
        return execution.ended_request_s + sum(now_s - request.started_s for request in execution.requests)


def track_requests(environment: Environment) -> None:
    """Have the requests of HttpUser, FastHttpUser and `measure` tracked, and of users that ask for it.

    Those have an attribute `request_tracker`, which their client calls.
    """
    around_client_requests(Request)
    hook = environment.events.request
    hook.measure = partial(measure, hook)  # type: ignore[method-assign] # of this one event
    for user_class in environment.user_classes:
        if hasattr(user_class, "request_tracker"):
            user_class.request_tracker = Request


@contextmanager
def measure(
    hook: EventHook,
    request_type: str,
    name: str,
    response_length: int = 0,
    context: dict[str, Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """Fire the event of a request at the end of a with-block, as Locust's EventHook.measure does.

    That takes a request for a success that is cut off with its user, or ends by a gevent Timeout. Here the
    former is unfinished, without an event, and the latter a failure.
    """
    event: dict[str, Any] = {
        "request_type": request_type,
        "name": name,
        "response_length": response_length,
        "context": context or {},
        "exception": None,
        "start_time": time.time(),
    }
    began_s = time.perf_counter()
    with Request(request_type, name):
        try:
            yield event
        except (Exception, Timeout) as error:  # noqa: BLE001 - Locust's own takes any for a failure
            event["exception"] = error
    event["response_time"] = (time.perf_counter() - began_s) * 1000
    hook.fire(**event)
    if isinstance(event["exception"], Timeout):
        raise event["exception"]
