"""Error types are short, free of secrets, and not without number."""

from locust.exception import CatchResponseError

import pytest

from plimsoll.recording.series import MAX_ERROR_TYPE_LENGTH, MAX_ERROR_TYPES, OTHER, ErrorTypes


@pytest.mark.parametrize(
    ("failure", "error_type"),
    [
        (CatchResponseError("3 careers, expected 4"), "3 careers, expected 4"),
        ("status 500", "status 500"),
        (ConnectionResetError("by peer"), "ConnectionResetError: by peer"),
        (TimeoutError(), "TimeoutError"),
        (CatchResponseError(""), "CatchResponseError"),
        ("GET /?token=abc", "GET /?token=***"),
        ("half \udc80 a character", r"half \udc80 a character"),
        ("x" * 500, "x" * MAX_ERROR_TYPE_LENGTH),
    ],
)
def test_text(failure: object, error_type: str) -> None:
    """A failure is named by what the journey said, or by the class of the exception and its text."""
    error_types = ErrorTypes()

    assert error_types.texts[error_types.id_of(failure)] == error_type


def test_storm_of_different_texts() -> None:
    """An error text with an id in it fills the table once; what comes after is "other"."""
    error_types = ErrorTypes()
    numbers = [error_types.id_of(f"order {order} is lost") for order in range(10 * MAX_ERROR_TYPES)]

    assert len(error_types.texts) == MAX_ERROR_TYPES
    assert error_types.texts[numbers[0]] == "order 0 is lost"
    assert error_types.texts[numbers[-1]] == OTHER
    assert error_types.id_of("order 0 is lost") == numbers[0]


def test_cache_is_bounded() -> None:
    """Texts that differ in their secrets are one type, however many there are."""
    error_types = ErrorTypes()
    numbers = {error_types.id_of(f"refused token={secret}") for secret in range(6 * MAX_ERROR_TYPES)}

    assert len(numbers) == 1
    assert len(error_types._seen) <= 4 * MAX_ERROR_TYPES
