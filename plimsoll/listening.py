"""Hear Locust's events whatever the user's listeners do.

Locust calls the listeners of an event in turn. One that raises RescheduleTask, RescheduleTaskImmediately,
InterruptTaskSet, StopUser or StopTest, or anything that is no Exception, ends the turn: those after it hear
nothing. The order is private to Locust's EventHook (2.47); upstream, listeners with a priority that are all
called whatever another raises would do.
"""

from __future__ import annotations

from locust.event import EventHook, Events

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any


def listeners_of(hook: EventHook) -> Sequence[Callable[..., None]]:
    """Return the listeners of an event, in the order in which they are called."""
    return tuple(hook._handlers)


def listen_first(hook: EventHook, listener: Callable[..., None]) -> None:
    """Call *listener* before all listeners that are there or are added later."""
    hook._handlers.insert(0, listener)


def listen_last(hook: EventHook, listener: Callable[..., None]) -> None:
    """Call *listener* after all other listeners, and after those for which this was called before.

    It is called also when one of them has raised.
    """
    last = EventHook()
    last.add_listener(listener)

    @contextmanager
    def around(**arguments: Any) -> Iterator[None]:
        try:
            yield
        finally:
            last.fire(**arguments)

    surround(hook, around)


def surround(hook: EventHook, around: Callable[..., AbstractContextManager[None]]) -> None:
    """Call all listeners of an event within `with around(...)`, which gets the arguments of the event.

    What the listeners raise is raised there.
    """
    fire = hook.fire

    @wraps(fire)
    def fire_within(*, reverse: bool = False, **arguments: Any) -> None:
        with around(**arguments):
            fire(reverse=reverse, **arguments)

    hook.fire = fire_within  # type: ignore[method-assign] # of this one event


def put_locust_first(events: Events) -> None:
    """Call Locust's own listeners, which count requests and exceptions, before the user's.

    Those that a locustfile adds when it is imported are there before Locust's.
    """
    for hook in (events.request, events.user_error, events.report_to_master, events.worker_report):
        hook._handlers.sort(key=lambda each: not getattr(each, "__module__", "").startswith("locust."))
