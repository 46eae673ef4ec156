"""Failures: their texts are what groups them in a report."""

from __future__ import annotations

import pytest

from clients.wire import errors

FAILURES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.HttpFailure) and kind is not errors.BadStatus
]


@pytest.mark.parametrize("kind", FAILURES)
def test_text(kind: type[errors.HttpFailure]) -> None:
    """Each failure says what happened, in one phrase, the same each time."""
    assert str(kind()) == str(kind())
    assert str(kind())
    assert not str(kind()).endswith(".")


def test_detail() -> None:
    """A detail follows the phrase."""
    assert str(errors.TlsFailed("no shared cipher")) == "the TLS handshake failed: no shared cipher"


def test_status() -> None:
    """An error status is told, and can be asked for."""
    assert str(errors.BadStatus(404)) == "the server answered with an error status: 404"
    assert errors.BadStatus(404).code == 404


def test_tree() -> None:
    """The tree at the top of the module names every failure."""
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in FAILURES)
