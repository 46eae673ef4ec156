"""A Locust user of the lean client for tests, and what it reported."""

from __future__ import annotations

import gevent
from locust.env import Environment

from collections.abc import Callable
from typing import Any, ClassVar, cast

from plimsoll.context import execution_of
from plimsoll.users.http import RECONNECTS, LeanHttpUser
from tests.scripted_server import PATIENCE_S, wait_until


class Counter:
    """Stands for what records the run: it adds up the reconnects that the client counts."""

    def __init__(self) -> None:
        self.reconnects = 0.0

    def record_value(self, kind: str, name: str, value: float) -> None:
        """Take a value."""
        assert (kind, name) == ("counter", RECONNECTS)
        self.reconnects += value


class Visitor:
    """One user of a class made for the test; it runs in this process, on the event loop of its own thread.

    All are held until the test ends: collected as garbage in a server's thread, they would touch the event
    loop from there.
    """

    live: ClassVar[list[Visitor]] = []

    def __init__(self, host: str, **attributes: Any) -> None:
        self.environment = Environment()
        self.counter = Counter()
        attributes |= {"host": host}
        execution_of(self.environment).recorder = cast("Any", self.counter)
        self.user = type("Visitor", (LeanHttpUser,), attributes)(self.environment)
        self.client = self.user.client
        self.events: list[dict[str, Any]] = []
        add_listener: Any = self.environment.events.request.add_listener  # which Locust gives no type
        add_listener(lambda **event: self.events.append(event))
        self.live.append(self)

    def ask(self, method: str, url: str, **options: Any) -> Any:
        """Send a request and return the response."""
        with gevent.Timeout(PATIENCE_S):
            return self.client.request(method, url, **options)

    def get(self, url: str, **options: Any) -> Any:
        """Send a GET request."""
        return self.ask("GET", url, **options)

    def fault(self, method: str, url: str, **options: Any) -> type[Exception]:
        """Send a request that must fail without a response; return the type of its error."""
        response = self.ask(method, url, **options)
        fault = self.events[-1]["exception"]
        assert (response.status_code, response.error) == (0, fault)
        return type(fault)


def close_all() -> None:
    """Close the connections of all visitors."""
    while Visitor.live:
        Visitor.live.pop().client.close()


def wait_in_loop(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, while the client's event loop goes on."""
    wait_until(condition, gevent.sleep)
