"""What a Locust in this process changes, left as it was: a process of its own would take it with it."""

# mypy: disallow-untyped-calls=False
# Half of Locust's functions carry no types.

from __future__ import annotations

import gevent
from gevent.resolver.blocking import Resolver
from locust import events, log, main
from locust.runners import WorkerRunner

import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import plimsoll.users.browser
import plimsoll.users.scheduled_check  # noqa: F401 - it adds an option
from plimsoll.data import preparation
from plimsoll.data.feeder import PROCESS
from plimsoll.data.set_up import DECLARED
from plimsoll.recording import plugin

LISTEN_ONCE = (plugin.record_run, preparation._listen)
"""What locustfiles have listen to Locust's global events, once in a process."""

FIRST_LISTENERS = [(hook, list(hook._handlers)) for hook in vars(events).values()]
"""Those of the suite's own modules, before any locustfile was imported."""


@contextmanager
def all_as_before() -> Iterator[None]:
    """Begin as a new process does, and leave this one as it was."""
    with _events_as_before(), _modules_as_before(), _process_as_before():
        yield


@contextmanager
def _events_as_before() -> Iterator[None]:
    """Begin with Locust's global events as nobody had listened, and leave them as they were."""
    hooks = [(hook, dict(vars(hook)), list(hook._handlers)) for hook in vars(events).values()]
    are_listening = [listen for listen in LISTEN_ONCE if listen.cache_info().currsize]
    for hook, listeners in FIRST_LISTENERS:
        hook._handlers[:] = listeners
    for listen in LISTEN_ONCE:
        listen.cache_clear()
    try:
        yield
    finally:
        for listen in LISTEN_ONCE:
            listen.cache_clear()
        for listen in are_listening:
            listen()
        for hook, attributes, listeners in hooks:
            vars(hook).clear()
            vars(hook).update(attributes)
            hook._handlers[:] = listeners


@contextmanager
def _modules_as_before() -> Iterator[None]:
    """Leave the modules that have the names of locustfiles."""
    load: Any = vars(main)["load_locustfile"]
    loaded: dict[str, Any] = {}

    def load_locustfile(path: str) -> Any:
        name = Path(path).stem
        loaded.setdefault(name, sys.modules.get(name))
        return load(path)

    try:
        with (
            patch.object(main, "load_locustfile", load_locustfile),
            patch.object(sys, "path", list(sys.path)),
        ):
            yield
    finally:
        for name, module in loaded.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


@contextmanager
def _log_handlers_as_before() -> Iterator[None]:
    """Leave the log handlers of the tests without the filters that mask secrets."""
    handlers = (*logging.getLogger().handlers, *logging.getLogger("locust").handlers)
    filters = [(handler, list(handler.filters)) for handler in handlers]
    try:
        yield
    finally:
        for handler, own in filters:
            handler.filters[:] = own


@contextmanager
def _process_as_before() -> Iterator[None]:
    """Leave signal handlers, and what the suite keeps in its modules, as they were."""
    hub, watchers, watch = gevent.get_hub(), list[Any](), gevent.signal_handler
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def watch_signal(*arguments: Any) -> Any:
        watchers.append(watch(*arguments))
        return watchers[-1]

    resolver, hub.resolver = hub.resolver, Resolver(hub)  # virtual time would overtake one in a thread
    with (
        _log_handlers_as_before(),
        patch.object(log, "unhandled_greenlet_exception", new=False),
        patch.object(hub, "handle_error", hub.handle_error),
        patch.object(hub, "handle_system_error", hub.handle_system_error),
        patch.object(gevent, "signal_handler", watch_signal),
        patch.object(time, "sleep", gevent.sleep),
        # Wrapped anew by each record_run(); what else the suite wraps, it wraps once in a process.
        patch.object(WorkerRunner, "handle_message", WorkerRunner.handle_message),
        patch.dict(DECLARED, clear=True),
        patch.dict(PROCESS.feeders, clear=True),
    ):
        try:
            yield
        finally:
            for watcher in watchers:
                watcher.cancel()
            hub.resolver = resolver
            for number, handler in handlers.items():
                signal.signal(number, handler)
