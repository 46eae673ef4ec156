"""A user's own measures reach the recorder of its run, and are nothing where there is none."""

from locust.env import Environment

import pytest

from plimsoll.users.measuring import Measuring
from tests.users_at_work import Kept, as_user


class Visitor(Measuring):
    """A user of any kind."""


def use_all(visitor: Visitor) -> None:
    """Measure one of everything."""
    with visitor.tagged("content", "slow"), visitor.transaction("flow"):
        visitor.count("cache.hit")
        visitor.count("bytes", 512)
        visitor.rate("cache", "HIT")
        visitor.gauge("pool.size", 7)
        visitor.observe("page.cls", 0.05)
        visitor.check("fast enough", None)


def test_everything_is_kept() -> None:
    """Each measure is recorded with its kind, name and value; hits and checks are 1 or 0."""
    environment = Environment()
    kept = Kept(environment)
    as_user(environment, lambda: use_all(Visitor()))

    assert kept.values == [
        ("counter", "cache.hit", 1),
        ("counter", "bytes", 512),
        ("rate", "cache", 1),
        ("gauge", "pool.size", 7),
        ("trend", "page.cls", 0.05),
        ("check", "fast enough", 0),
    ]
    assert [(each.name, each.attribution.tags) for each in kept.transactions] == [("flow", "content,slow")]


def test_an_unrecorded_run() -> None:
    """A journey runs the same where nobody records it, and the user keeps nothing."""
    visitor = Visitor()
    as_user(Environment(), lambda: use_all(visitor))
    use_all(visitor)

    assert vars(visitor) == {}


@pytest.mark.parametrize(("ok", "expected"), [("text", True), ([], False)])
def test_check_tells(ok: object, expected: bool) -> None:
    """A check returns whether it held, for a journey that wants to go by it."""
    assert Visitor().check("any", ok) is expected
