"""No iteration of one test is under way in the next: they share a process, and so its context."""

import pytest

from plimsoll.loads import iterations


@pytest.fixture(autouse=True)
def no_iteration() -> None:
    """Begin without an iteration."""
    iterations._current.set(None)
