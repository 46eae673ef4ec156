"""What a journey sees of an answer, and what its with-block makes of it."""

from __future__ import annotations

from locust.event import EventHook
from locust.exception import CatchResponseError, LocustError, ResponseError

from datetime import timedelta
from json import JSONDecodeError
from typing import Any, cast

import pytest

from clients.wire.errors import BadStatus
from clients.wire.response import LeanResponse

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n\r\n"
)


def answer(content: bytes | None = b'{"a": 1}', error: Exception | None = None) -> LeanResponse:
    """Return an answer."""
    response = LeanResponse(
        "http://a/", 0 if content is None else 200, b"" if content is None else HEAD, content
    )
    response.error = error
    response.elapsed_s = 0.25
    return response


def refused(response: LeanResponse) -> Exception:
    """Call an answer wrong, and return an error to raise then."""
    response.failure("wrong")
    return KeyError()


class Block:
    """A response for a with-block, and what Locust is told of it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[dict[str, Any]] = []
        event: Any = cast(Any, EventHook)()
        event.add_listener(lambda **told: self.told.append(told))
        self.response = answer(error=error)
        self.response.report_to(event, {"name": "n", "exception": error})

    @property
    def exceptions(self) -> list[object]:
        """The exceptions that Locust was told of, one per request."""
        return [told["exception"] for told in self.told]


def test_answer() -> None:
    """An answer gives its content in every form."""
    response = answer()

    assert (response.json(), response.text, response.ok) == ({"a": 1}, '{"a": 1}', True)
    assert response.headers["content-type"] == "application/json"
    assert response.cookies == {"a": "1", "b": "2"}
    assert response.elapsed == timedelta(milliseconds=250)
    response.raise_for_status()


def test_no_answer() -> None:
    """Where none came there is no content, and what went wrong can be raised."""
    fault = ConnectionError("gone")
    response = answer(content=None, error=fault)

    assert (response.status_code, response.content, response.text, response.ok) == (0, None, None, False)
    assert dict(response.headers) == response.cookies == {}
    with pytest.raises(ConnectionError, match="gone"):
        response.raise_for_status()
    with pytest.raises(JSONDecodeError):
        response.json()


def test_text_by_a_given_encoding() -> None:
    """A charset that is set goes before that of the headers."""
    response = answer(content=b"\xfc")
    response.encoding = "latin-1"

    assert response.text == "ü"


def test_json_of_another_charset() -> None:
    """JSON that is not UTF-8 is read by the charset that the headers name."""
    response = LeanResponse(
        "u", 200, b"HTTP/1.1 200 OK\r\nContent-Type: a/json; charset=latin-1\r\n\r\n", b'"\xfc"'
    )

    assert response.json() == "ü"


def test_block_ends_well() -> None:
    """A with-block that says nothing leaves it to the answer whether it was right."""
    right, wrong = Block(), Block(error=BadStatus(500))
    with right.response, wrong.response:
        assert (right.told, wrong.told) == ([], [])  # told only at the end

    assert right.exceptions == [None]
    assert wrong.exceptions == [wrong.response.error]
    assert right.told[0] == {"name": "n", "exception": None, "response": right.response}


def test_success() -> None:
    """A with-block may call an error right."""
    block = Block(error=BadStatus(404))
    with block.response as response:
        response.success()

    assert block.exceptions == [None]


@pytest.mark.parametrize("reason", ["wrong", ValueError("wrong")])
def test_failure(reason: object) -> None:
    """A with-block may call an answer wrong, by a text or an exception, and the last word counts."""
    block = Block()
    with block.response as response:
        response.success()
        response.failure(reason)
        with pytest.raises((CatchResponseError, ValueError), match="wrong"):
            response.raise_for_status()

    assert [str(exception) for exception in block.exceptions] == ["wrong"]


def test_response_error_in_the_block() -> None:
    """Locust's ResponseError is a wrong answer, and does not leave the block."""
    block, fault = Block(), ResponseError("wrong")
    with block.response:
        raise fault

    assert block.exceptions == [fault]


def test_other_error_in_the_block() -> None:
    """Any other error is the task's; the request is told only if the block had its say before."""
    silent, outspoken = Block(), Block()
    with pytest.raises(KeyError), silent.response:
        raise KeyError
    with pytest.raises(KeyError), outspoken.response as response:
        raise refused(response)

    assert silent.told == []
    assert [str(exception) for exception in outspoken.exceptions] == ["wrong"]


def test_what_is_told_may_be_changed() -> None:
    """Until the block ends a journey may rename its request."""
    block = Block()
    with block.response as response:
        response.request_meta["name"] = "other"

    assert block.told[0]["name"] == "other"


@pytest.mark.parametrize("say", [lambda response: response.success(), lambda response: response.failure("x")])
def test_say_outside_of_the_block(say: Any) -> None:
    """There is a say only inside of the with-block, which catch_response makes possible."""
    for response in (answer(), Block().response):
        with pytest.raises(LocustError, match="catch_response"):
            say(response)


def test_block_without_catch_response() -> None:
    """A with-block without catch_response would change nothing, and is refused."""
    with pytest.raises(LocustError, match="catch_response"), answer():
        pass
