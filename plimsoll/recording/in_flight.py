"""Requests under way, and those that are cut off: Locust itself forgets a request whose user is stopped.

Locust's two HTTP clients are wrapped once, and so is `events.request.measure`; a client of one's own says
`with Request(type, name):`, or has its user's class ask for it.
"""

from __future__ import annotations

from gevent import GreenletExit, Timeout, getcurrent
from locust import User
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.event import EventHook

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

from plimsoll.recording.origin import Origin, current_origin

Answer = TypeVar("Answer")


class CutOffListener(Protocol):
    """Keeps requests that were cut off; the times are those of time.monotonic."""

    def __call__(
        self, origin: Origin, request_type: str, name: str, started_s: float, ended_s: float
    ) -> None:
        """Take one request."""


class _Totals:
    """How long ended requests were under way, all together, and the most at once since the last look."""

    __slots__ = ("ended_s", "most")

    def __init__(self) -> None:
        self.ended_s, self.most = 0.0, 0


_under_way: set[Request] = set()
_totals = _Totals()
_listeners: list[CutOffListener] = []


class Request:
    """One request under way, for as long as the `with` block lasts."""

    __slots__ = ("_name", "_origin", "_request_type", "_started_s")

    def __init__(self, request_type: str, name: str) -> None:
        self._request_type, self._name = request_type, name

    def __enter__(self) -> None:
        # Every request comes this way: no function is called that can be done without.
        try:
            self._origin = getcurrent().plimsoll_origin
        except AttributeError:
            self._origin = current_origin()
        self._started_s = time.monotonic()
        _under_way.add(self)
        if len(_under_way) > _totals.most:
            _totals.most = len(_under_way)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            _under_way.remove(self)
        except KeyError:  # the end of the run was first
            return
        _totals.ended_s += time.monotonic() - self._started_s
        # Whatever else is raised, Locust has seen the request end.
        if error is not None and isinstance(error, GreenletExit | Timeout):
            self._tell()

    def _tell(self) -> None:
        ended_s = time.monotonic()
        for listener in _listeners:
            listener(self._origin, self._request_type, self._name, self._started_s, ended_s)


track_request = Request  # by its public name


class Occupancy(NamedTuple):
    """How many requests were under way in a stretch of time: their exact mean, and the most at once."""

    mean: float
    most: int


class OccupancyMeter:
    """Measures from the moment it is made; there is one at a time."""

    def __init__(self) -> None:
        self._looked_s = time.monotonic()
        self._request_seconds = _request_seconds(self._looked_s)
        _totals.most = len(_under_way)

    def take(self) -> Occupancy:
        """Return the occupancy since the last call: the integral of the number under way, by that time."""
        now_s = time.monotonic()
        total, before = _request_seconds(now_s), self._request_seconds
        elapsed_s = now_s - self._looked_s
        self._looked_s, self._request_seconds = now_s, total
        most, _totals.most = _totals.most, len(_under_way)
        mean = (total - before) / elapsed_s if elapsed_s > 0 else float(most)
        return Occupancy(mean, most)


def _request_seconds(now_s: float) -> float:
    """Return the integral up to now of the number of requests under way."""
    return _totals.ended_s + sum(now_s - request._started_s for request in _under_way)


def add_listener(listener: CutOffListener) -> None:
    """Tell *listener* of every request that is cut off from now on."""
    _listeners.append(listener)


def remove_listener(listener: CutOffListener) -> None:
    """Tell *listener* no more."""
    _listeners.remove(listener)


def cut_off_all() -> None:
    """Count every request under way as cut off now, as the run has ended."""
    for request in list(_under_way):
        request.__exit__(GreenletExit, GreenletExit(), None)


@cache
def watch_sessions() -> None:
    """Have the requests of HttpUser, FastHttpUser and `measure` counted; calling it again is fine."""
    _watch(FastHttpSession, default_name=str)
    _watch(HttpSession, default_name=_path_of)
    EventHook.measure = measure  # type: ignore[method-assign,assignment] # a function that becomes a method


def watch_users(user_classes: Iterable[type[User]]) -> None:
    """Give `Request` to the users that have an attribute `request_tracker`, which their client calls."""
    for user_class in user_classes:
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
    told: dict[str, Any] = {
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
            yield told
        except (Exception, Timeout) as error:  # noqa: BLE001 - Locust's own takes any for a failure
            told["exception"] = error
    told["response_time"] = (time.perf_counter() - began_s) * 1000
    hook.fire(**told)
    if isinstance(told["exception"], Timeout):
        raise told["exception"]


def _watch(session_class: Any, default_name: Callable[[Any], str]) -> None:
    session_class.request = _watched(session_class.request, default_name)


def _watched(request: Callable[..., Answer], default_name: Callable[[Any], str]) -> Callable[..., Answer]:
    @wraps(request)
    def watched_request(
        self: Any, method: str, url: Any, name: str | None = None, *args: Any, **kwargs: Any
    ) -> Answer:
        with Request(method, name or self.request_name or default_name(url)):
            return request(self, method, url, name, *args, **kwargs)

    return watched_request


def _path_of(url: str | bytes) -> str:
    """Return the path and query of a URL, by which HttpSession names a request; other texts unchanged."""
    text = url.decode(errors="replace") if isinstance(url, bytes) else str(url)
    try:
        _, _, path, query, _ = urlsplit(text)
    except ValueError:
        return text
    return f"{path or '/'}?{query}" if query else path or "/"
