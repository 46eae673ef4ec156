"""One event a request; the with-block, which decides what it says; names, context."""

from __future__ import annotations

import gevent
from locust.exception import CatchResponseError, LocustError, RescheduleTask, ResponseError

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from plimsoll.http1 import errors
from plimsoll.users.http_response import LeanResponse
from tests.client.visitor import Visitor
from tests.scripted_server import Ending, ScriptedServer, answer, wait_until

JSON = answer(b'{"a": 1}')


def test_times(server: ScriptedServer) -> None:
    """It is milliseconds from before the request is sent until the response is complete."""
    visitor = Visitor(server.url)
    path = server.script([0.1, answer()[:-1], 0.1, answer()[-1:]])
    started, started_s = time.time(), time.perf_counter()
    response = visitor.get(path)
    elapsed_s = time.perf_counter() - started_s
    (event,) = visitor.events

    assert 200 <= event["response_time"] <= elapsed_s * 1000
    assert started <= event["start_time"] <= time.time() - 0.2
    assert response.elapsed_s * 1000 == event["response_time"]


def test_error_status(server: ScriptedServer) -> None:
    """A status of 400 or more is a failure that has a response."""
    visitor = Visitor(server.url)
    response = visitor.get(server.script([answer(b"gone", "410 Gone")]))
    (event,) = visitor.events

    assert (response.status_code, response.text, response.ok) == (410, "gone", False)
    assert isinstance(event["exception"], errors.BadStatus)
    assert "410" in str(event["exception"])
    with pytest.raises(errors.BadStatus):
        response.raise_for_status()


def test_failure_has_a_response(server: ScriptedServer) -> None:
    """A request without an answer has a response that says why."""
    visitor = Visitor(server.url)
    response = visitor.get(server.script([Ending.CLOSE]))

    assert (response.status_code, response.ok) == (0, False)
    assert not response.content
    assert not response.text
    assert not response.headers
    assert isinstance(response.error, errors.ClosedEarly)
    assert visitor.events[0]["response_length"] == 0
    with pytest.raises(errors.ClosedEarly):
        response.raise_for_status()


def test_no_event_before_the_block_ends(server: ScriptedServer) -> None:
    """With `catch_response` the user has the last word."""
    visitor = Visitor(server.url)
    with visitor.get(server.script([answer()]), catch_response=True) as response:
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
    server: ScriptedServer, script: list[Any], verdict: Any, wanted: type[Exception] | None
) -> None:
    """What the block decides is what the event says; where it decides nothing the status does."""
    visitor = Visitor(server.url)
    with visitor.get(server.script(script), catch_response=True) as response:
        verdict(response)
    (event,) = visitor.events

    assert event["exception"] is None if wanted is None else isinstance(event["exception"], wanted)


def test_exception_in_the_block(server: ScriptedServer) -> None:
    """An exception of the task goes on its way, without an event, as with FastHttpUser."""
    visitor = Visitor(server.url)
    with pytest.raises(ZeroDivisionError), visitor.get(server.script([answer()]), catch_response=True):
        raise ZeroDivisionError


def test_rescheduling_in_the_block(server: ScriptedServer) -> None:
    """Having said what is wrong, a task may end its iteration from within."""
    visitor = Visitor(server.url)

    def ask_and_give_up() -> None:
        with visitor.get(server.script([answer()]), catch_response=True) as response:
            response.failure("wrong")
            raise RescheduleTask

    with pytest.raises(RescheduleTask):
        ask_and_give_up()

    assert str(visitor.events[0]["exception"]) == "wrong"


def test_failure_can_be_raised(server: ScriptedServer) -> None:
    """In the with-block the last word counts, also for raise_for_status."""
    visitor = Visitor(server.url)
    with visitor.get(server.script([answer()]), catch_response=True) as response:
        response.success()
        response.raise_for_status()
        response.failure("wrong")
        with pytest.raises(CatchResponseError, match="wrong"):
            response.raise_for_status()

    assert str(visitor.events[0]["exception"]) == "wrong"


def test_response_error_in_the_block(server: ScriptedServer) -> None:
    """Locust's ResponseError is a failure of the request, and does not leave the block."""
    visitor, fault = Visitor(server.url), ResponseError("wrong")
    response: LeanResponse = visitor.get(server.script([answer()]), catch_response=True)
    with response:
        raise fault

    assert visitor.events[0]["exception"] is fault


def test_fields_of_the_event_may_be_changed(server: ScriptedServer) -> None:
    """Until the block ends a journey may rename its request, and decide as ever."""
    visitor = Visitor(server.url)
    path = server.script([answer()])
    for fails in (False, True):
        with visitor.get(path, catch_response=True, context={"a": 1}) as response:
            assert response.request_meta["name"] == path
            response.request_meta["name"] = "other"
            if fails:
                response.failure("wrong")

    assert [(event["name"], str(event["exception"])) for event in visitor.events] == [
        ("other", "None"),
        ("other", "wrong"),
    ]
    assert visitor.events[0].keys() == visitor.events[1].keys()
    assert [event["response_length"] for event in visitor.events] == [2, 2]
    assert visitor.events[0]["response"] is not response
    assert "response" not in response.request_meta  # or it would hold itself


def test_block_without_catch_response(server: ScriptedServer) -> None:
    """A block that could decide nothing is a mistake, as is a decision outside one, and a second block."""
    path = server.script([answer()])
    visitor = Visitor(server.url)
    caught = visitor.get(path, catch_response=True)
    for decide in (
        caught.success,
        lambda: caught.failure("wrong"),
        lambda: visitor.get(path).failure("wrong"),
    ):
        with pytest.raises(LocustError, match="catch_response"):
            decide()
    with caught:
        pass
    for response in (visitor.get(path), caught):
        with pytest.raises(LocustError, match="catch_response"), response:
            pass


def test_names(server: ScriptedServer) -> None:
    """Requests are grouped by `name`, by a block, by an attribute, or else by what was passed as URL."""
    path = server.script([answer()])
    visitor = Visitor(server.url)
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


def test_context(server: ScriptedServer) -> None:
    """The user's context is in every event, the request's own over it."""
    path = server.script([answer()])
    visitor = Visitor(server.url, context=lambda _self: {"a": 1, "b": 1})
    visitor.get(path)
    visitor.get(path, context={"b": 2})

    assert [event["context"] for event in visitor.events] == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]


def test_rest(server: ScriptedServer) -> None:
    """`rest` parses the response; one that is not JSON has failed, a status of 400 or more as well."""
    visitor = Visitor(server.url)
    with visitor.user.rest("GET", server.script([JSON])) as response:
        assert response.js == {"a": 1}
    with visitor.user.rest("POST", server.script([answer(b"<html>")]), json={"b": 2}) as response:
        assert response.js is None
    with visitor.user.rest("GET", server.script([answer(b"{}", "404 Not Found")])) as response:
        assert response.status_code == 404

    assert [event["exception"] is None for event in visitor.events] == [True, False, False]
    assert server.requests[1].body == b'{"b": 2}'
    assert server.requests[0].header("Accept") == "application/json"


def test_rest_with_an_assertion(server: ScriptedServer) -> None:
    """A check that does not hold is the request's failure, not the task's."""
    visitor = Visitor(server.url)
    with visitor.user.rest("GET", server.script([JSON])) as response:
        assert response.js["a"] == 2

    assert visitor.events[0]["exception"] is not None


def test_rest_without_a_response(server: ScriptedServer) -> None:
    """A server that is gone is its own failure."""
    visitor = Visitor(server.url)
    with visitor.user.rest("GET", server.script([Ending.CLOSE])) as response:
        assert response.js is None

    assert "closed" in str(visitor.events[0]["exception"])


def test_tracker(server: ScriptedServer) -> None:
    """A tracker holds a with-block around each request, redirects included, however it ends."""
    seen: list[tuple[str, ...]] = []

    @contextmanager
    def track(method: str, name: str) -> Iterator[None]:
        seen.append(("begins", method, name))
        try:
            yield
        finally:
            seen.append(("ends", name))

    target = server.script([answer()])
    visitor = Visitor(server.url, request_tracker=staticmethod(track))
    visitor.get(server.script([answer(b"", "302 Found", Location=target)]), name="moved")
    visitor.ask("POST", server.script([Ending.CLOSE]), name="broken")
    sender = gevent.spawn(visitor.get, server.script([Ending.HOLD]), name="killed")
    wait_until(lambda: len(server.requests) == 4, gevent.sleep)
    sender.kill()

    assert seen == [
        ("begins", "GET", "moved"),
        ("ends", "moved"),
        ("begins", "POST", "broken"),
        ("ends", "broken"),
        ("begins", "GET", "killed"),
        ("ends", "killed"),
    ]


def test_killed_request_is_no_failure(server: ScriptedServer) -> None:
    """A user that is stopped in a request ends; its request has no event, as with FastHttpUser."""
    visitor = Visitor(server.url)
    sender = gevent.spawn(visitor.get, server.script([Ending.HOLD]))
    wait_until(lambda: len(server.requests) == 1, gevent.sleep)
    sender.kill()

    assert isinstance(sender.value, gevent.GreenletExit)
    assert visitor.events == []
