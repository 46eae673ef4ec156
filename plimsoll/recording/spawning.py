"""Greenlets that users spawn: what they do is the user's, under the tags and in the transaction of then."""

from __future__ import annotations

from gevent import Greenlet, getcurrent

from functools import cache

from plimsoll.recording.origin import current_origin, user_class_of


@cache
def watch_spawns() -> None:
    """Have every greenlet inherit from who spawns it; calling it again is fine."""
    Greenlet.add_spawn_callback(_inherit)


def _inherit(spawned: Greenlet) -> None:
    """Note in a greenlet, once and as it starts, whose it is, so that no request has to find out."""
    origin = current_origin()
    # A spawned user has an origin of its own, also where another user spawned it.
    if origin.user_class and not user_class_of(spawned):
        spawned.plimsoll_origin = origin
        spawned.plimsoll_transaction = getattr(getcurrent(), "plimsoll_transaction", None)
