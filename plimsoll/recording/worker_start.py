"""Have a worker start users only after its `events.init`, and without holding up those that it has.

Locust counts a worker as ready before that. A master that has waited for this worker alone may tell it to
spawn users in the same moment, and a worker that was slow to get a CPU then finds both messages at once: the
test would start before anybody listens, and nothing of it be recorded.
"""

from __future__ import annotations

from gevent.event import Event
from locust import argument_parser
from locust.event import Events
from locust.rpc import Message
from locust.runners import WorkerRunner

import logging
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

# Listeners may set up what they like, but a worker that waits hears of no end either.
INIT_LIMIT_S = 30.0

logger = logging.getLogger("plimsoll")

_Handle = Callable[[WorkerRunner, Message], None]


def start_after_init(events: Events) -> None:
    """Have the worker in this process start no users until all listeners of `init` are done; call it once."""
    initialised = Event()
    fire = events.init.fire

    @wraps(fire)
    def fire_and_note(**arguments: Any) -> None:
        fire(**arguments)
        initialised.set()

    events.init.fire = fire_and_note  # type: ignore[method-assign] # of this one event
    WorkerRunner.handle_message = waiting(WorkerRunner.handle_message, initialised)  # type: ignore[method-assign,assignment] # a function that becomes a method


@cache
def keep_default_options() -> None:
    """Have Locust compute its default options once; idempotent.

    A worker does that for each of them, some fifty times, at each order to spawn: its event loop stands still
    for 50 ms and more, which a load that changes every second would measure as latencies of the service.
    """
    argument_parser.default_args_dict = cache(argument_parser.default_args_dict)


def waiting(handle_message: _Handle, initialised: Event) -> _Handle:
    """Return a handler of messages that keeps the order to spawn until the event is set, but not for ever."""

    @wraps(handle_message)
    def handle(self: WorkerRunner, message: Message) -> None:
        if message.type == "spawn" and not initialised.wait(INIT_LIMIT_S):
            logger.error("events.init was not over after %.0f s: users start without it", INIT_LIMIT_S)
        handle_message(self, message)

    return handle
