"""Kinds of failure are short, free of secrets, and not without number."""

from locust.exception import CatchResponseError

import pytest

from plimsoll.recording.failure_kinds import MAX_KIND_LENGTH, MAX_KINDS, OTHER, FailureKinds


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (CatchResponseError("3 careers, expected 4"), "3 careers, expected 4"),
        ("status 500", "status 500"),
        (ConnectionResetError("by peer"), "ConnectionResetError: by peer"),
        (TimeoutError(), "TimeoutError"),
        (CatchResponseError(""), "CatchResponseError"),
        ("GET /?token=abc", "GET /?token=***"),
        ("half \udc80 a character", r"half \udc80 a character"),
        ("x" * 500, "x" * MAX_KIND_LENGTH),
    ],
)
def test_text(failure: object, kind: str) -> None:
    """A failure is named by what the journey said, or by the class of the exception and its text."""
    kinds = FailureKinds()

    assert kinds.texts[kinds.number_of(failure)] == kind


def test_storm_of_different_texts() -> None:
    """An error text with an id in it fills the table once; what comes after is "other"."""
    kinds = FailureKinds()
    numbers = [kinds.number_of(f"order {order} is lost") for order in range(10 * MAX_KINDS)]

    assert len(kinds.texts) == MAX_KINDS
    assert kinds.texts[numbers[0]] == "order 0 is lost"
    assert kinds.texts[numbers[-1]] == OTHER
    assert kinds.number_of("order 0 is lost") == numbers[0]


def test_cache_is_bounded() -> None:
    """Texts that differ in their secrets are one kind, however many there are."""
    kinds = FailureKinds()
    numbers = {kinds.number_of(f"refused token={secret}") for secret in range(6 * MAX_KINDS)}

    assert len(numbers) == 1
    assert len(kinds._seen) <= 4 * MAX_KINDS
