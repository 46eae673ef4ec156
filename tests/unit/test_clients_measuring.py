"""A user's own measures reach whoever keeps them, and are nothing where nobody does."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from plimsoll.users.measuring import Measuring


class Kept:
    """Keep what it is told, as calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    @contextmanager
    def transaction(self, name: str) -> Iterator[None]:
        """Note the name."""
        self.calls.append(("transaction", name))
        yield

    @contextmanager
    def tagged(self, tags: Iterable[str]) -> Iterator[None]:
        """Note the tags."""
        self.calls.append(("tagged", *tags))
        yield

    def keep(self, kind: str, name: str, value: float) -> None:
        """Note the value."""
        self.calls.append((kind, name, value))


class Visitor(Measuring):
    """A user of any kind."""


def use_all(visitor: Visitor) -> None:
    """Measure one of everything."""
    with visitor.transaction("flow"), visitor.tagged("content", "slow"):
        visitor.count("cache.hit")
        visitor.count("bytes", 512)
        visitor.rate("cache", "HIT")
        visitor.gauge("pool.size", 7)
        visitor.observe("page.cls", 0.05)
        visitor.check("fast enough", None)


def test_everything_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each measure is told with its kind, name and value; hits and checks are 1 or 0."""
    kept = Kept()
    monkeypatch.setattr(Visitor, "measures", kept)
    use_all(Visitor())

    assert kept.calls == [
        ("transaction", "flow"),
        ("tagged", "content", "slow"),
        ("counter", "cache.hit", 1),
        ("counter", "bytes", 512),
        ("rate", "cache", 1),
        ("gauge", "pool.size", 7),
        ("trend", "page.cls", 0.05),
        ("check", "fast enough", 0),
    ]


def test_without_anyone_to_keep() -> None:
    """A journey runs the same where nobody records it: there is no keeper, and the user keeps nothing."""
    visitor = Visitor()
    use_all(visitor)

    assert Visitor.measures is None
    assert vars(visitor) == {}


@pytest.mark.parametrize(("ok", "expected"), [("text", True), ([], False)])
def test_check_tells(ok: object, expected: bool) -> None:
    """A check returns whether it held, for a journey that wants to go by it."""
    assert Visitor().check("any", ok) is expected
