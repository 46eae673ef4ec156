"""No iteration of one test is under way in the next: they share a greenlet."""

from gevent import getcurrent

import pytest


@pytest.fixture(autouse=True)
def no_iteration() -> None:
    """Begin without an iteration."""
    getcurrent().plimsoll_iteration = None
