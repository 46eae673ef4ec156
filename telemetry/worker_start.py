"""Have a worker start users only after its `events.init`.

Locust counts a worker as ready before that. A master that has waited for this worker alone may tell it to
spawn users in the same moment, and a worker that was slow to get a CPU then finds both messages at once: the
test would start before anybody listens, and nothing of it be recorded.
"""

from __future__ import annotations

from gevent.event import Event
from locust.event import Events
from locust.rpc import Message
from locust.runners import WorkerRunner

from collections.abc import Callable
from functools import wraps
from typing import Any

_Handle = Callable[[WorkerRunner, Message], None]


def start_after_init(events: Events) -> None:
    """Have the worker in this process wait with its users until *events* has fired `init`; call it once."""
    initialised = Event()

    def note(**_: Any) -> None:
        initialised.set()

    events.init.add_listener(note)
    WorkerRunner.handle_message = _waiting(WorkerRunner.handle_message, initialised)  # type: ignore[method-assign,assignment] # a function that becomes a method


def _waiting(handle_message: _Handle, initialised: Event) -> _Handle:
    @wraps(handle_message)
    def handle(self: WorkerRunner, message: Message) -> None:
        if message.type == "spawn":
            initialised.wait()
        handle_message(self, message)

    return handle
