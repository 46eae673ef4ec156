"""Locust's statistics at less cost are Locust's statistics."""

from __future__ import annotations

from locust import stats as locust_stats
from locust.stats import RequestStats

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.recording import locust_statistics
from plimsoll.recording.locust_statistics import hasten

REQUESTS = st.lists(
    st.tuples(
        st.floats(0, 15),  # s since the request before
        st.sampled_from(["GET", "POST"]),
        st.sampled_from(["a", "b"]),
        st.none() | st.floats(0, 1e5) | st.integers(0, 100_000),
        st.integers(0, 5_000),
    )
)


def figures(stats: RequestStats) -> list[dict[str, Any]]:
    """Return everything the statistics hold, of all requests and of each name."""
    entries = [stats.total, *stats.entries.values()]
    return [{name: value for name, value in vars(entry).items() if name != "stats"} for entry in entries]


@given(requests=REQUESTS, is_cached=st.booleans())
def test_the_figures_are_those_of_locust(
    requests: list[tuple[float, str, str, Any, int]], is_cached: bool
) -> None:
    """Whatever is counted, at whatever pace, each figure is the one that Locust's own code arrives at."""
    plain, hastened = (RequestStats(use_response_times_cache=is_cached) for _ in range(2))
    hasten(hastened)
    with pytest.MonkeyPatch.context() as patch:
        clock = SimpleNamespace(now_s=1_000_000.5)
        for module in (locust_stats, locust_statistics):
            patch.setattr(module, "time", SimpleNamespace(time=lambda: clock.now_s))
        for stats in (plain, hastened):
            for entry in (stats.total, stats.get("a", "GET")):
                entry.start_time = clock.now_s
        for pause_s, method, name, response_time, length in requests:
            clock.now_s += pause_s
            plain.log_request(method, name, response_time, length)
            hastened.log_request(method, name, response_time, length)

    assert figures(hastened) == figures(plain)


def test_counting_goes_on_after_a_reset() -> None:
    """Statistics that are cleared or reset count from nothing again, in the entries that there are then."""
    stats = RequestStats()
    hasten(stats)
    stats.log_request("GET", "a", 5, 1)
    stats.clear_all()
    stats.log_request("GET", "a", 7, 1)
    stats.reset_all()
    stats.log_request("GET", "a", 9, 1)

    assert (stats.total.num_requests, stats.get("a", "GET").max_response_time) == (1, 9)


def test_the_rounding_stays_replaceable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever replaces Locust's rounding of response times, as Locust invites them to, gets theirs."""
    stats = RequestStats()
    hasten(stats)
    monkeypatch.setattr(locust_stats, "bucket_response_time", lambda response_time: -response_time)

    stats.log_request("GET", "a", 147, 1)

    assert dict(stats.total.response_times) == {-147: 1}
