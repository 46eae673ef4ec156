"""Thresholds as rows and bars, and the sentence under the verdict."""

from typing import Any

import pytest

from reports.render.rows import (
    deciding_row,
    failure_ratio,
    headline,
    interval_bar,
    margin,
    most_frequent,
    relative_distance,
    threshold_rows,
    worst_first,
)
from tests.make_verdicts import make_verdict, request, threshold

FAILED_CHECK = {"check": "load_reached", "value": 0.5, "limit": 0.95, "ok": False, "reason": "half"}


@pytest.mark.parametrize(
    ("value", "limit", "distance", "text"),
    [
        (210, 500, -0.58, "58% below"),
        (560, 500, 0.12, "12% above"),
        (1600, 500, 2.2, "3.2 times"),
        (500, 500, 0.0, "0% below"),
        (None, 500, None, "–"),
        (3, 0, None, "–"),
    ],
)
def test_the_margin_is_relative_to_the_limit(
    value: float | None, limit: float, distance: float | None, text: str
) -> None:
    """210 of 500 is 58 % below; a limit of 0 knows no proportion."""
    found = relative_distance(value, limit)

    assert found == (distance if distance is None else pytest.approx(distance))
    assert margin(found) == text


def test_the_bar_reaches_past_limit_and_interval() -> None:
    """Limit 500 and interval 200…225: 1.15 × 500 = 575 ends on the tick 600."""
    bar = interval_bar(threshold())

    assert bar is not None
    positions = (bar.allowed_left, bar.allowed_width, bar.limit, bar.low, bar.value, bar.high)
    assert positions == pytest.approx((0, 83.333, 83.333, 33.333, 35.333, 37.5), abs=0.001)


def test_a_lower_limit_allows_what_is_right_of_it() -> None:
    """A limit of > 50 on 0…100 allows the right half."""
    bar = interval_bar(threshold(operator=">", limit=50, value=80, interval=[70, 86]))

    assert bar is not None
    assert (bar.allowed_left, bar.allowed_width, bar.value) == (50, 50, 80)


@pytest.mark.parametrize(
    ("interval", "ends", "text"),
    [
        ([20, None], (20, 100), "at least 20 ms"),
        ([None, 40], (0, 40), "at most 40 ms"),
        ([None, None], (None, None), "–"),
        (None, (None, None), "–"),
        ([20, 40], (20, 40), "20 to 40 ms"),
        ([20, 20], (20, 20), "20 ms"),
    ],
)
def test_open_intervals_reach_the_edge(
    interval: list[float | None] | None, ends: tuple[float | None, float | None], text: str
) -> None:
    """An end that is not known is drawn to the edge of 0…100 and said in words."""
    entry = threshold(limit=80, value=30, interval=interval)
    row = threshold_rows(make_verdict(thresholds=[entry]))[0]

    assert row.bar is not None
    assert (row.bar.low, row.bar.high) == ends
    assert row.interval == text


@pytest.mark.parametrize(
    ("interval", "unit", "text"),
    [
        ([0.001, 12.0], "ms", "0 to 12 ms"),
        ([0.001, 0.8], "ms", "0.001 to 0.8 ms"),
        ([99.6, 104.0], "ms", "99.6 to 104 ms"),
        ([950.0, 12_000.0], "ms", "0.95 to 12 s"),
        ([0.0, 0.0], "%", "0%"),
    ],
)
def test_ends_of_an_interval_have_one_unit(interval: list[float], unit: str, text: str) -> None:
    """Both are in the unit of the upper end, and a lower one of under a thousandth of it is 0."""
    entry = threshold(limit=80, value=interval[1], interval=interval, unit=unit)
    assert threshold_rows(make_verdict(thresholds=[entry]))[0].interval == text


def test_without_figures_there_is_no_bar() -> None:
    """A threshold that matched nothing has neither value nor interval."""
    row = threshold_rows(make_verdict(thresholds=[threshold(value=None, interval=None, n=0)]))[0]

    assert (row.bar, row.value, row.margin, row.interval) == (None, "–", "–", "–")


def test_the_worst_threshold_comes_first() -> None:
    """Failed by the most, then undecided, then passed by the least."""
    entries = [
        threshold(source="far", value=100),
        threshold(source="near", value=490),
        threshold(source="open", verdict="INCONCLUSIVE"),
        threshold(source="bad", value=600, verdict="FAIL"),
        threshold(source="worst", value=900, verdict="FAIL"),
    ]
    rows = threshold_rows(make_verdict(thresholds=entries))

    assert [row.source for row in rows] == ["worst", "bad", "open", "near", "far"]


def test_values_have_the_unit_of_their_threshold() -> None:
    """Per cent, rates and bare counts beside milliseconds."""
    entries = [
        threshold(value=0.5, limit=1.0, unit="%", interval=[0.25, 0.75]),
        threshold(value=80.0, limit=100.0, unit="/s", operator=">", verdict="FAIL"),
        threshold(value=1200, limit=1000, unit="", operator=">="),
    ]
    rows = {row.limit: row.value for row in threshold_rows(make_verdict(thresholds=entries))}

    assert rows == {"< 1%": "0.5%", "> 100/s": "80/s", ">= 1,000": "1,200"}


OPEN = threshold(verdict="INCONCLUSIVE")
BROKEN = threshold(verdict="FAIL")


@pytest.mark.parametrize(
    ("word", "parts", "sentence"),
    [
        ("PASS", {}, "Yes: the only limit holds."),
        ("PASS", {"thresholds": [threshold()] * 3}, "Yes: all 3 limits hold."),
        ("FAIL", {"thresholds": [BROKEN]}, "No: the only limit is broken."),
        ("FAIL", {"thresholds": [BROKEN, OPEN]}, "No: 1 of 2 limits is broken."),
        ("FAIL", {"thresholds": [BROKEN, BROKEN, OPEN]}, "No: 2 of 3 limits are broken."),
        ("INCONCLUSIVE", {"thresholds": [OPEN, threshold()]}, "Not decided: 1 of 2 limits stays open."),
        ("INCONCLUSIVE", {"thresholds": [OPEN, OPEN]}, "Not decided: 2 of 2 limits stay open."),
        ("INCONCLUSIVE", {"validity": [FAILED_CHECK]}, "Not decided: 1 check of the run failed."),
        (
            "INCONCLUSIVE",
            {"thresholds": [OPEN], "validity": [FAILED_CHECK] * 2},
            "Not decided: the only limit stays open and 2 checks of the run failed.",
        ),
        (
            "INCONCLUSIVE",
            {"thresholds": [threshold(level="warn")]},
            "Not decided: no threshold can fail this run.",
        ),
    ],
)
def test_the_answer_counts_what_decides(word: str, parts: dict[str, Any], sentence: str) -> None:
    """Only thresholds that can fail the run are counted."""
    verdict = make_verdict(word, **parts)

    assert headline(verdict, threshold_rows(verdict)) == sentence


def test_warnings_never_decide() -> None:
    """The deciding threshold is the worst of those that can fail the run."""
    entries = [threshold(source="warned", level="warn", verdict="FAIL"), threshold(source="deciding")]
    row = deciding_row(threshold_rows(make_verdict(thresholds=entries)))

    assert row is not None
    assert row.source == "deciding"
    assert deciding_row([]) is None


def test_requests_and_errors_are_ranked_worst_first() -> None:
    """Requests by share of failures, then p95; errors by occurrences; unknown counts last."""
    requests = [
        request(name="slow", p95=900),
        request(name="unknown", n=None, p95=None),
        request(name="failing", n=10, failures=1, p95=1),
        request(name="fast", p95=2),
    ]
    errors: list[dict[str, Any]] = [{"occurrences": 1}, {"occurrences": None}, {"occurrences": 9}]

    assert [r["name"] for r in worst_first(requests)] == ["failing", "slow", "fast", "unknown"]
    assert failure_ratio(requests[2]) == 0.1
    assert [e["occurrences"] for e in most_frequent(errors)] == [9, 1, None]
