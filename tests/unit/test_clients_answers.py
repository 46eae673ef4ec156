"""Looks into an answer: what is right comes back, what is wrong is said in a text that groups."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.users.answers import Answer, WrongAnswerError, field, filled, identifier, reason_of, status_only

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("body", "key", "kind", "reason"),
    [
        ({}, "token", str, "'token' is missing"),
        ({"token": None}, "token", str, "'token' is null, expected a string"),
        ({"token": 7}, "token", str, "'token' is an integer, expected a string"),
        ({"careers": {}}, "careers", list, "'careers' is an object, expected an array"),
        ({"percentage": "80 %"}, "percentage", float, "'percentage' is a string, expected a number"),
        ({"percentage": True}, "percentage", float, "'percentage' is a boolean, expected a number"),
        ({"id": False}, "id", int, "'id' is a boolean, expected an integer"),
        ({"id": 1.5}, "id", int, "'id' is a number, expected an integer"),
        ([1, 2], "token", str, "expected an object with 'token', got an array"),
        (None, "token", str, "expected an object with 'token', got null"),
    ],
)
def test_a_wrong_field_is_named_with_its_types(body: Any, key: str, kind: type, reason: str) -> None:
    """A missing or mistyped field says its key, what it is and what it should be, never its value."""
    with pytest.raises(WrongAnswerError) as caught:
        field(body, key, kind)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("value", "kind"), [("x", str), (3, int), (3, float), (3.5, float), ([], list), ({}, dict), (True, bool)]
)
def test_a_right_field_comes_back_unchanged(value: Any, kind: type) -> None:
    """A field of the wanted kind is returned as it is; an integer is a number too."""
    assert field({"key": value}, "key", kind) is value


@pytest.mark.parametrize(("value", "kind"), [("", str), ([], list), ({}, dict)])
def test_an_empty_field_is_wrong_where_it_must_be_filled(value: Any, kind: type) -> None:
    """Empty data under status 200 is a wrong answer."""
    with pytest.raises(WrongAnswerError, match="'data' is empty"):
        filled({"data": value}, "data", kind)


@pytest.mark.parametrize("value", [7, "b7e1"])
def test_an_identifier_is_an_integer_or_a_string(value: int | str) -> None:
    """Services number their things or name them; both are taken as they are."""
    assert identifier({"sessionId": value}, "sessionId") == value


@pytest.mark.parametrize("body", [{"sessionId": ""}, {"sessionId": None}, {"sessionId": True}, {}, []])
def test_an_empty_identifier_is_wrong(body: Any) -> None:
    """Nothing can be asked about a thing whose identifier is empty, missing or of another kind."""
    with pytest.raises(WrongAnswerError, match="'sessionId'"):
        identifier(body, "sessionId")


@given(body=JSON_VALUES, kind=st.sampled_from([bool, dict, float, int, list, str]))
def test_any_json_is_either_read_or_a_wrong_answer(body: Any, kind: type) -> None:
    """Whatever JSON a server sends, a look into it returns the kind asked for or raises WrongAnswerError."""
    try:
        value: object = field(body, "key", kind)
    except WrongAnswerError:
        return
    assert isinstance(value, int | float if kind is float else kind)


@given(body=JSON_VALUES)
def test_a_json_body_is_parsed(body: Any) -> None:
    """The body of an answer is the JSON that was sent."""
    assert Answer(200, None, json.dumps(body).encode()).body == body


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the body is empty, expected JSON"),
        (b"", "the body is empty, expected JSON"),
        (b'{"learn":', "the body is not JSON"),
        (b"<html>", "the body is not JSON"),
        (b'"\xff"', "the body is not JSON"),
        (b"[" * 200_000, "the body is not JSON"),
    ],
)
def test_a_body_that_is_no_json_is_a_wrong_answer(content: bytes | None, reason: str) -> None:
    """No content, cut, foreign, wrongly encoded or absurdly nested content is named, not a crash."""
    with pytest.raises(WrongAnswerError) as caught:
        _ = Answer(200, None, content).body
    assert str(caught.value) == reason


def test_a_body_nobody_looks_at_is_not_parsed() -> None:
    """Where the status says it all, a body that is no JSON does no harm."""
    answer = Answer(409, None, b"<html>")
    status_only(answer)

    with pytest.raises(WrongAnswerError):
        _ = answer.body


def test_an_answer_without_headers_has_none() -> None:
    """Where no answer came there are no headers, and looking for one finds nothing."""
    assert Answer(0, None, None).headers.get("X-Cache") is None


def test_a_check_that_stumbles_is_named_by_its_type() -> None:
    """An unforeseen error of a check tells its type but not its text, which may hold an id."""
    assert reason_of(KeyError("order-4711")) == "the answer cannot be read (KeyError)"
