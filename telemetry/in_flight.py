"""Requests under way, and those that are cut off: Locust itself forgets a request whose user is stopped.

Locust's two HTTP clients are wrapped once; a client of one's own says `with Request(type, name):`.
"""

from __future__ import annotations

from gevent import GreenletExit, Timeout, getcurrent
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

import time
from collections.abc import Callable
from functools import cache, wraps
from types import TracebackType
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

Answer = TypeVar("Answer")


class CutOffListener(Protocol):
    """Whoever keeps requests that were cut off; the times are seconds since the epoch."""

    def __call__(
        self, user_class: type | None, request_type: str, name: str, started_s: float, ended_s: float
    ) -> None:
        """Take one request."""


_under_way: set[Request] = set()
_listeners: list[CutOffListener] = []


class Request:
    """One request under way, for as long as the `with` block lasts."""

    __slots__ = ("_name", "_request_type", "_started_s", "_user_class")

    def __init__(self, request_type: str, name: str) -> None:
        self._request_type, self._name = request_type, name

    def __enter__(self) -> None:
        self._user_class = current_user_class()
        self._started_s = time.time()
        _under_way.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        was_under_way = self in _under_way
        _under_way.discard(self)
        # Whatever else is raised, Locust has seen the request end.
        if was_under_way and isinstance(error, GreenletExit | Timeout):
            self._tell()

    def _tell(self) -> None:
        ended_s = time.time()
        for listener in _listeners:
            listener(self._user_class, self._request_type, self._name, self._started_s, ended_s)


def count() -> int:
    """Return how many requests of this process are under way."""
    return len(_under_way)


def add_listener(listener: CutOffListener) -> None:
    """Tell *listener* of every request that is cut off from now on."""
    _listeners.append(listener)


def remove_listener(listener: CutOffListener) -> None:
    """Tell *listener* no more."""
    _listeners.remove(listener)


def cut_off_all() -> None:
    """Count every request under way as cut off now: the run has ended, whoever still waits for it."""
    for request in list(_under_way):
        _under_way.discard(request)
        request._tell()


def current_user_class() -> type | None:
    """Return the class of what the current greenlet runs: the user's, in the greenlet Locust gave it.

    Noted at the first call, because a greenlet that is being killed forgets its arguments before it ends.
    """
    greenlet = getcurrent()
    try:
        user_class: type | None = greenlet.plimsoll_user_class
    except AttributeError:
        arguments = getattr(greenlet, "args", None)
        user_class = greenlet.plimsoll_user_class = type(arguments[0]) if arguments else None
    return user_class


@cache
def watch_sessions() -> None:
    """Have the requests of HttpUser and FastHttpUser counted; calling it again is fine."""
    _watch(FastHttpSession, default_name=str)
    _watch(HttpSession, default_name=_path_of)


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
    """Return the path and query of a URL, by which HttpSession names a request; one that is none as it is."""
    text = url.decode(errors="replace") if isinstance(url, bytes) else str(url)
    try:
        _, _, path, query, _ = urlsplit(text)
    except ValueError:
        return text
    return f"{path or '/'}?{query}" if query else path or "/"
