"""Vitals of pages, from what a page says of itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.users.vitals import Span, over_budget, read_vitals, time_to_interactive

REPORT: dict[str, Any] = {
    "id": "a",
    "ttfb": 20,
    "fcp": 60,
    "lcp": 80,
    "inp": None,
    "cls": 0.05,
    "ready": 90,
    "left": 500,
    "tasks": [[100, 180]],
    "requests": [["/", 0, 30, 1000], ["/a.js", 40, 120, 2000], ["/a.css", 40, 70, 300], ["/slow", 400, 0, 0]],
    "loads": [
        {"url": "/", "kind": "Document", "bytes": 1200},
        {"url": "/a.js", "kind": "Script", "bytes": 2100},
        {"url": "/a.css", "kind": "Stylesheet", "bytes": 0},
        {"url": "/elsewhere.woff2", "kind": "Font", "bytes": 700},
    ],
}
SPANS = st.lists(st.tuples(st.floats(0, 20_000), st.floats(0, 3_000)).map(lambda s: (s[0], s[0] + s[1])))


def test_vitals_of_a_report() -> None:
    """Times are as told, bytes are those on the wire, and of what was cached those it once had."""
    vitals = read_vitals(REPORT)

    assert (vitals.ttfb_ms, vitals.fcp_ms, vitals.lcp_ms, vitals.inp_ms, vitals.cls) == (
        20,
        60,
        80,
        None,
        0.05,
    )
    assert vitals.tti_ms == 180  # the end of the only long task
    assert vitals.weight_ms == 500  # one request was still under way when the page was left
    # 1200 + 2100 + 300 from the cache + 700 = 4300
    assert vitals.weights_bytes == {"script": 2100, "style": 300, "image": 0, "font": 700, "total": 4300}


def test_budgets_name_what_is_over() -> None:
    """At its budget a kind is within it."""
    budgets = {"style": 50, "script": 200, "total": 1000}

    assert over_budget({"style": 51, "script": 200, "total": 2000}, budgets) == ["style", "total"]


@pytest.mark.parametrize(
    ("tasks", "requests", "left_ms", "tti_ms"),
    [
        pytest.param([], [], 9_000, 100, id="a quiet page is interactive when the DOM is ready"),
        pytest.param([(50, 300)], [], 9_000, 300, id="a long task holds it up"),
        pytest.param(
            [(50, 300), (5_200, 5_400)], [], 20_000, 5_400, id="less than 5 s of quiet are not enough"
        ),
        pytest.param([(50, 300), (5_400, 5_600)], [], 20_000, 300, id="after 5 s of quiet nothing counts"),
        pytest.param([(50, 300), (400, 900)], [], 350, 300, id="what follows the departure does not count"),
        pytest.param(
            [(50, 300), (6_000, 6_100)],
            [(0, 4_000), (0, 4_000), (0, 4_000)],
            20_000,
            6_100,
            id="three requests at once are no quiet",
        ),
        pytest.param(
            [(50, 300), (6_000, 6_100)], [(0, 4_000), (0, 4_000)], 20_000, 300, id="two requests at once are"
        ),
        pytest.param([], [(0, 4_000)] * 3, 20_000, 100, id="requests alone hold up nothing"),
    ],
)
def test_time_to_interactive(tasks: list[Span], requests: list[Span], left_ms: float, tti_ms: float) -> None:
    """With the first paint at 60 ms and the DOM ready at 100 ms."""
    assert time_to_interactive(60, 100, tasks, requests, left_ms) == tti_ms


def test_without_a_paint_nothing_is_interactive() -> None:
    """A page that never painted has no such time."""
    assert time_to_interactive(None, 100, [], [], 1_000) is None


@given(SPANS, SPANS, st.floats(0, 30_000))
def test_interactive_is_never_before_paint_or_dom(
    tasks: list[Span], requests: list[Span], left_ms: float
) -> None:
    """Whatever happens in a page, it is at the first paint, the ready DOM, or the end of a long task."""
    tti_ms = time_to_interactive(60, 100, tasks, requests, left_ms)

    assert tti_ms is not None
    assert tti_ms >= 100
    assert tti_ms in {100, *(end for _, end in tasks)}
