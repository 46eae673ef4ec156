"""Metrics of a journey's own are rows beside the requests, exact, and of names that are bounded."""

from locust.env import Environment

import logging
import math
from collections.abc import Iterator

import pytest

from plimsoll.context import tagged
from plimsoll.recording import series
from plimsoll.recording.intervals import IntervalBatch
from plimsoll.recording.recorder import RequestRecorder
from plimsoll.recording.run_clock import RunClock
from plimsoll.run_files.intervals import VALUE_SCALE
from plimsoll.users.measuring import Measuring
from tests.users_at_work import Kept, as_user


@pytest.fixture
def recorder() -> Iterator[RequestRecorder]:
    """Return a recorder that listens, until the end of the test."""
    recorder, environment = RequestRecorder([0.1 * VALUE_SCALE], RunClock()), Environment()
    recorder.listen(environment)
    yield recorder
    recorder.stop(environment)


def rows(block: IntervalBatch | None, *columns: str) -> dict[tuple[str, str], tuple[float, ...]]:
    """Return columns of the rows by type and name."""
    assert block is not None
    return {
        (block.keys[key].request_type, block.keys[key].name): tuple(
            float(block.scalars[column][row]) for column in columns
        )
        for row, key in enumerate(block.scalars["key"])
    }


def test_each_kind(recorder: RequestRecorder) -> None:
    """Counters are summed, shares count their misses as failures, levels and trends keep their values."""
    for kind, name, values in (
        ("counter", "hits", (1, 41)),
        ("rate", "cache", (1, 0, 1, 1)),
        ("check", "fast", (0,)),
        ("gauge", "pool", (3, 5)),
        ("trend", "cls", (0.05, 0.15)),
    ):
        for value in values:
            recorder.record_value(kind, name, value)
    block = recorder.aggregate()
    seen = rows(block, "n", "failures", "sum_ms", "min_ms", "max_ms")

    assert seen["counter", "hits"][:3] == (2, 0, 42)
    assert seen["rate", "cache"][:2] == (4, 1)
    assert seen["check", "fast"][:2] == (1, 1)
    assert seen["gauge", "pool"] == pytest.approx((2, 0, 8e6, 3e6, 5e6))
    assert seen["trend", "cls"] == pytest.approx((2, 0, 0.2e6, 0.05e6, 0.15e6))
    assert block is not None
    trend = [block.keys[key].name for key in block.scalars["key"]].index("cls")
    assert block.over_limits["over_limit"][trend].tolist() == [1]


def test_values_take_no_time(recorder: RequestRecorder) -> None:
    """A value belongs to the second in which it was told, however large it is."""
    recorder.record_value("trend", "bytes", 5_000_000)
    block = recorder.aggregate()

    assert block is not None
    assert block.scalars["started_s"].tolist() == block.scalars["ended_s"].tolist()


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "text"])
def test_values_that_are_none(
    recorder: RequestRecorder, caplog: pytest.LogCaptureFixture, value: float
) -> None:
    """What is no number of 0 or more breaks nothing, is told once, and counts against the recording."""
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            recorder.record_value("trend", "cls", value)

    assert recorder.aggregate() is None
    assert recorder.errors == 2
    assert len(caplog.records) == 1


def test_names_are_bounded(
    recorder: RequestRecorder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names beyond the bound are counted under one, which is told once; known ones stay."""
    monkeypatch.setattr(series, "MAX_CUSTOM_NAMES", 2)
    with caplog.at_level(logging.ERROR):
        for name in ("a", "b", "c", "d", "a"):
            recorder.record_value("counter", name, 1)

    assert rows(recorder.aggregate(), "n") == {
        ("counter", "a"): (2,),
        ("counter", "b"): (1,),
        ("counter", "other"): (2,),
    }
    assert recorder.errors == 1
    assert "over 2 names" in caplog.text


def test_names_are_redacted(recorder: RequestRecorder) -> None:
    """A name goes into files, where no secret may be."""
    recorder.record_value("counter", "hits?token=hunter2", 1)

    assert list(rows(recorder.aggregate(), "n")) == [("counter", "hits?token=***")]


def test_a_request_of_the_same_type(recorder: RequestRecorder) -> None:
    """A request whose type is called like a metric is none."""
    recorder.record("counter", "hits", 5.0, 1)
    recorder.record_value("counter", "hits", 1)

    assert sorted(rows(recorder.aggregate(), "n")) == [("counter", "hits"), ("counter request", "hits")]


def test_too_many_tags(
    recorder: RequestRecorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Combinations of tags beyond the bound are one, which counts against the recording; known ones stay."""
    monkeypatch.setattr(series, "MAX_COMBINATIONS", 2)
    with caplog.at_level(logging.ERROR):
        for tags in (["a"], ["b"], ["c"], ["d"], ["a"], ["c"]):
            with tagged(tags):
                recorder.record("GET", "home", 5.0, 1)
                recorder.record_value("counter", "hits", 1)
    block = recorder.aggregate()

    assert block is not None
    rows = zip(block.keys, block.scalars["n"].tolist(), strict=True)
    counts = {(key.request_type, key.tags): n for key, n in rows}
    expected = {"a": 2, "b": 1, "(too many)": 3}
    assert counts == {(kind, tags): n for kind in ("GET", "counter") for tags, n in expected.items()}
    assert recorder.errors == 1
    assert "over 2 combinations of tags" in caplog.text


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
