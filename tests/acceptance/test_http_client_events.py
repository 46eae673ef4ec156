"""One event a request, as FastHttpUser's; what the user says of an answer; names, context, phases."""

from __future__ import annotations

import gevent
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment
from locust.exception import CatchResponseError, LocustError, RescheduleTask

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clients.wire import errors
from tests.hostile_server import Ending, HostileServer, answer, wait_until
from tests.visitor import Visitor

JSON = answer(b'{"a": 1}')


def events_of_fast_http_user(
    host: str, requests: list[tuple[str, str, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Return what Locust's own client reports of these requests."""
    environment, events = Environment(), list[dict[str, Any]]()
    add_listener: Any = environment.events.request.add_listener  # which Locust gives no type
    add_listener(lambda **event: events.append(event))
    user = type("Peer", (FastHttpUser,), {"host": host})(environment)
    for method, url, options in requests:
        user.client.request(method, url, **options)
    return events


def test_fields_are_those_of_fast_http_user(hostile: HostileServer) -> None:
    """Listeners written for FastHttpUser see the same fields with the same meaning."""
    path = hostile.script([answer(b"body")])
    target = hostile.script([answer(b"there")])
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", path, {}),
        ("POST", f"{path}?a=b", {"json": {}, "name": "named", "context": {"key": "value"}}),
        ("GET", path, {"params": {"c": "d"}}),
        ("GET", hostile.script([answer(b"gone", "404 Not Found")]), {}),
        ("GET", hostile.script([answer(b"", "302 Found", Location=target)]), {}),
        ("HEAD", hostile.script([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]), {}),
        ("GET", hostile.url + path, {}),
        ("GET", hostile.script([Ending.CLOSE]), {}),
        ("GET", "http://127.0.0.1:1/", {}),
    ]
    theirs = events_of_fast_http_user(hostile.url, requests)
    visitor = Visitor(hostile.url)
    for method, url, options in requests:
        visitor.ask(method, url, **options)

    for ours, their in zip(visitor.events, theirs, strict=True):
        assert ours.keys() == their.keys()
        for field in ("request_type", "name", "response_length", "context"):
            assert ours[field] == their[field], field
        assert ours["url"].partition("?")[0] == their["url"].partition("?")[0]  # theirs leaves `params` out
        assert (ours["exception"] is None) == (their["exception"] is None)
        assert ours["response"].status_code == their["response"].status_code


def test_times(hostile: HostileServer) -> None:
    """It is milliseconds from before the request is sent until the answer is there whole."""
    started = time.time()
    visitor = Visitor(hostile.url)
    response = visitor.get(hostile.script([0.1, answer()[:-1], 0.3, answer()[-1:]]))
    (event,) = visitor.events

    assert 200 <= event["response_time"] < 1000
    assert started <= event["start_time"] <= started + 0.2
    assert response.elapsed.total_seconds() == pytest.approx(event["response_time"] / 1000, abs=0.05)


def test_error_status(hostile: HostileServer) -> None:
    """A status of 400 or more is a failure that has an answer."""
    visitor = Visitor(hostile.url)
    response = visitor.get(hostile.script([answer(b"gone", "410 Gone")]))
    (event,) = visitor.events

    assert (response.status_code, response.text, response.ok) == (410, "gone", False)
    assert isinstance(event["exception"], errors.BadStatus)
    assert "410" in str(event["exception"])
    with pytest.raises(errors.BadStatus):
        response.raise_for_status()


def test_failure_has_a_response(hostile: HostileServer) -> None:
    """What could not be answered can be looked at all the same."""
    visitor = Visitor(hostile.url)
    response = visitor.get(hostile.script([Ending.CLOSE]))

    assert (response.status_code, response.ok) == (0, False)
    assert not response.content
    assert not response.text
    assert not response.headers
    assert isinstance(response.error, errors.ClosedEarly)
    assert visitor.events[0]["response_length"] == 0
    with pytest.raises(errors.ClosedEarly):
        response.raise_for_status()


def test_no_event_before_the_block_ends(hostile: HostileServer) -> None:
    """With `catch_response` the user has the last word."""
    visitor = Visitor(hostile.url)
    with visitor.get(hostile.script([answer()]), catch_response=True) as response:
        assert visitor.events == []
        assert response.text == "ok"

    assert visitor.events[0]["exception"] is None


@pytest.mark.parametrize(
    ("script", "verdict", "wanted"),
    [
        ([answer()], lambda response: response.failure("wrong"), CatchResponseError),
        ([answer()], lambda response: response.failure(KeyError("id")), KeyError),
        ([answer()], lambda response: response.success(), None),
        ([answer(b"", "404 Not Found")], lambda response: response.success(), None),
        ([answer(b"", "404 Not Found")], lambda _: None, errors.BadStatus),
        ([Ending.CLOSE], lambda response: response.success(), None),
        ([Ending.CLOSE], lambda response: response.failure("down"), CatchResponseError),
        ([Ending.CLOSE], lambda _: None, errors.ClosedEarly),
    ],
)
def test_verdict_of_the_user(
    hostile: HostileServer, script: list[Any], verdict: Any, wanted: type[Exception] | None
) -> None:
    """What the block says of the answer is what the event says; where it says nothing the status decides."""
    visitor = Visitor(hostile.url)
    with visitor.get(hostile.script(script), catch_response=True) as response:
        verdict(response)
    (event,) = visitor.events

    assert event["exception"] is None if wanted is None else isinstance(event["exception"], wanted)


def test_exception_in_the_block(hostile: HostileServer) -> None:
    """A fault of the task's is no answer's: it goes on its way, as with FastHttpUser."""
    visitor = Visitor(hostile.url)
    with (
        pytest.raises(ZeroDivisionError),
        visitor.get(hostile.script([answer()]), catch_response=True),
    ):
        raise ZeroDivisionError


def test_rescheduling_in_the_block(hostile: HostileServer) -> None:
    """Having said what is wrong, a task may end its iteration from within."""
    visitor = Visitor(hostile.url)

    def ask_and_give_up() -> None:
        with visitor.get(hostile.script([answer()]), catch_response=True) as response:
            response.failure("wrong")
            raise RescheduleTask

    with pytest.raises(RescheduleTask):
        ask_and_give_up()

    assert str(visitor.events[0]["exception"]) == "wrong"


def test_block_without_catch_response(hostile: HostileServer) -> None:
    """A block that could decide nothing is said to be a mistake, as is a verdict outside one."""
    path = hostile.script([answer()])
    visitor = Visitor(hostile.url)
    with pytest.raises(LocustError, match="catch_response"), visitor.get(path):
        pass
    with pytest.raises(LocustError, match="catch_response"):
        visitor.get(path).failure("wrong")


def test_names(hostile: HostileServer) -> None:
    """Requests are grouped by `name`, by a block, by an attribute, or else by what was passed as URL."""
    path = hostile.script([answer()])
    visitor = Visitor(hostile.url)
    visitor.get(f"{path}?id=1")
    visitor.get(path, name="named")
    with visitor.client.rename_request("block"):
        visitor.get(path)
        visitor.get(path, name="named")
    visitor.client.request_name = "attribute"
    visitor.get(path)
    visitor.client.request_name = None
    visitor.get(path)

    names = [event["name"] for event in visitor.events]
    assert names == [f"{path}?id=1", "named", "block", "named", "attribute", path]


def test_context(hostile: HostileServer) -> None:
    """The user's context is in every event, the request's own over it."""
    path = hostile.script([answer()])
    visitor = Visitor(hostile.url, context=lambda _self: {"a": 1, "b": 1})
    visitor.get(path)
    visitor.get(path, context={"b": 2})

    assert [event["context"] for event in visitor.events] == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]


def test_rest(hostile: HostileServer) -> None:
    """`rest` parses the answer; one that is no JSON has failed, a status of 400 or more as well."""
    visitor = Visitor(hostile.url)
    with visitor.user.rest("GET", hostile.script([JSON])) as response:
        assert response.js == {"a": 1}
    with visitor.user.rest("POST", hostile.script([answer(b"<html>")]), json={"b": 2}) as response:
        assert response.js is None
    with visitor.user.rest("GET", hostile.script([answer(b"{}", "404 Not Found")])) as response:
        assert response.status_code == 404

    assert [event["exception"] is None for event in visitor.events] == [True, False, False]
    assert hostile.requests[1].body == b'{"b": 2}'
    assert hostile.requests[0].header("Accept") == "application/json"


def test_rest_with_an_assertion(hostile: HostileServer) -> None:
    """A check that does not hold is the request's failure, not the task's."""
    visitor = Visitor(hostile.url)
    with visitor.user.rest("GET", hostile.script([JSON])) as response:
        assert response.js["a"] == 2

    assert visitor.events[0]["exception"] is not None


def test_rest_without_an_answer(hostile: HostileServer) -> None:
    """A server that is gone is its own failure."""
    visitor = Visitor(hostile.url)
    with visitor.user.rest("GET", hostile.script([Ending.CLOSE])) as response:
        assert response.js is None

    assert "closed" in str(visitor.events[0]["exception"])


def test_watch(hostile: HostileServer) -> None:
    """Whoever watches is told of each request's beginning and end, redirects included, however it ends."""
    seen: list[tuple[str, ...]] = []

    @contextmanager
    def watch(method: str, name: str) -> Iterator[None]:
        seen.append(("begins", method, name))
        try:
            yield
        finally:
            seen.append(("ends", name))

    target = hostile.script([answer()])
    visitor = Visitor(hostile.url, request_watch=staticmethod(watch))
    visitor.get(hostile.script([answer(b"", "302 Found", Location=target)]), name="moved")
    visitor.ask("POST", hostile.script([Ending.CLOSE]), name="broken")
    sender = gevent.spawn(visitor.get, hostile.script([Ending.HOLD]), name="killed")
    wait_until(lambda: len(hostile.requests) == 4, gevent.sleep)
    sender.kill()

    assert seen == [
        ("begins", "GET", "moved"),
        ("ends", "moved"),
        ("begins", "POST", "broken"),
        ("ends", "broken"),
        ("begins", "GET", "killed"),
        ("ends", "killed"),
    ]


def test_phases(hostile: HostileServer) -> None:
    """On demand each part of a request is measured in ms; together they are the whole."""
    path = hostile.script([0.1, answer()[:-1], 0.3, answer()[-1:]])
    visitor = Visitor(hostile.url, record_phases=True)
    first, second = visitor.get(path), visitor.get(path)

    for response, event in zip((first, second), visitor.events, strict=True):
        assert event["context"]["phases"] is response.phases
        assert response.phases.wait_ms >= 95
        # The pause is longer, as whoever is woken late for the first byte has less of it left.
        assert response.phases.receive_ms >= 95
        parts_ms = dataclasses.astuple(response.phases)
        assert sum(parts_ms) == pytest.approx(event["response_time"], abs=50)
    assert first.phases.connect_ms > 0
    assert second.phases.connect_ms == 0


def test_no_phases_unasked(hostile: HostileServer) -> None:
    """Nobody who did not ask finds a key of ours in the context."""
    visitor = Visitor(hostile.url)
    visitor.get(hostile.script([answer()]))

    assert visitor.events[0]["context"] == {}


def test_killed_request_is_no_failure(hostile: HostileServer) -> None:
    """A user that is stopped in a request ends; its request is reported by nobody, as with FastHttpUser."""
    visitor = Visitor(hostile.url)
    sender = gevent.spawn(visitor.get, hostile.script([Ending.HOLD]))
    wait_until(lambda: len(hostile.requests) == 1, gevent.sleep)
    sender.kill()

    assert isinstance(sender.value, gevent.GreenletExit)
    assert visitor.events == []
