"""What a service answered, and typed looks into it that say what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from json import loads
from typing import Any, TypeVar

T = TypeVar("T")

# Services number their things or name them.
Identifier = int | str

MAX_REASON_CHARS = 200
_JSON_NAMES: Mapping[type, str] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "an array",
    str: "a string",
    type(None): "null",
}


class WrongAnswerError(Exception):
    """The service answered, but not what a right answer says; the text goes into the failure."""


class Answer:
    """One HTTP answer: `status` (0: none came), `headers` and, parsed at the first look, `body`."""

    __slots__ = ("_body", "_content", "elapsed_ms", "headers", "status")
    _body: Any

    def __init__(
        self, status: int, headers: Mapping[str, Any] | None, content: bytes | None, elapsed_ms: float = 0.0
    ) -> None:
        self.status = status
        self.elapsed_ms = elapsed_ms
        self.headers: Mapping[str, Any] = headers or {}
        self._content = content

    @property
    def body(self) -> Any:
        """The parsed JSON; raises WrongAnswerError when the content is not JSON."""
        try:
            return self._body
        except AttributeError:
            if not self._content:
                raise WrongAnswerError("the body is empty, expected JSON") from None
        try:
            self._body = loads(self._content)
        except (ValueError, RecursionError):
            raise WrongAnswerError("the body is not JSON") from None
        return self._body


def field(owner: Any, key: str, kind: type[T]) -> T:
    """Return `owner[key]` when it is of the kind; a float may be written as an integer.

    Raises WrongAnswerError otherwise, naming key and types but never the value, so that equal faults group.
    """
    if not isinstance(owner, dict):
        raise WrongAnswerError(f"expected an object with {key!r}, got {_json_name(owner)}")
    if key not in owner:
        raise WrongAnswerError(f"{key!r} is missing")
    value = owner[key]
    expected: type | tuple[type, ...] = (int, float) if kind is float else kind
    # In Python a boolean is an integer, in JSON it is not.
    if not isinstance(value, expected) or (isinstance(value, bool) and kind is not bool):
        raise WrongAnswerError(f"{key!r} is {_json_name(value)}, expected {_JSON_NAMES[kind]}")
    return value  # type: ignore[return-value]  # isinstance with a variable kind narrows nothing


def filled(owner: Any, key: str, kind: type[T]) -> T:
    """Return `owner[key]`, a string, array or object, when it is of the kind and not empty.

    Raises WrongAnswerError otherwise.
    """
    value = field(owner, key, kind)
    if not value:
        raise WrongAnswerError(f"{key!r} is empty")
    return value


def identifier(owner: Any, key: str) -> Identifier:
    """Return `owner[key]`, an integer or a string that is not empty; raises WrongAnswerError otherwise."""
    if isinstance(owner, dict) and isinstance(owner.get(key), str):
        return filled(owner, key, str)
    return field(owner, key, int)


def status_only(_answer: Answer) -> None:
    """Read nothing: where the status says it all."""


def reason_of(fault: Exception) -> str:
    """Say why an answer is wrong, in a text that is the same for equal faults."""
    if isinstance(fault, WrongAnswerError):
        return str(fault)
    # A check stumbled over a body it did not expect; its text may quote values, its type does not.
    return f"the answer cannot be read ({type(fault).__name__})"


def _json_name(value: object) -> str:
    return _JSON_NAMES.get(type(value), "something else")
