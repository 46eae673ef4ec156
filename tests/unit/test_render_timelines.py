"""Locust's history as series over seconds since the start."""

from dataclasses import replace

import numpy as np
import pandas as pd

from reports.load.run import AGGREGATED, Run
from reports.render.timelines import (
    rates_by_request,
    total_timeline,
    users_timeline,
)
from tests.make_run import START_UNIX_S, STARTED, empty_run, history_rows, make_run


def run_with(history: pd.DataFrame, started: str | None = STARTED) -> Run:
    """Return a run of which only a history is known."""
    return replace(empty_run(started=started), history=history)


def total(n: list[float], **columns: object) -> Run:
    """Return a run whose only history is Locust's row over all requests."""
    return run_with(history_rows("", AGGREGATED, n, **columns))


def test_the_start_is_the_recorded_one_or_the_first_row() -> None:
    """run.json knows best; without it, or with nonsense in it, the history does; without both it is 0."""
    history = history_rows("", AGGREGATED, [0, 1], unix_s=[5000, 5001])

    assert (run_with(history)).started_unix_s == START_UNIX_S
    assert (run_with(history, None)).started_unix_s == 5000
    assert (run_with(history, "yesterday")).started_unix_s == 5000
    assert (empty_run()).started_unix_s == 0


def test_rates_are_increments_of_the_counts() -> None:
    """0, 10, 30, 30 requests are 0, 10, 20 and 0 a second: a stall shows as 0, unlike Locust's own rate."""
    timeline = total_timeline(total([0, 10, 30, 30], failures=[0, 0, 5, 5], rps=20.0))

    assert timeline.columns["rps"].tolist() == [0, 10, 20, 0]
    assert timeline.columns["failures_per_s"].tolist() == [0, 0, 5, 0]
    assert timeline.elapsed_s.tolist() == [0, 1, 2, 3]
    assert timeline.end_s == 3


def test_a_long_gap_spreads_its_requests() -> None:
    """40 requests in a gap of four seconds are ten a second, not a spike."""
    seconds = START_UNIX_S + np.array([0, 1, 5])

    assert total_timeline(total([0, 10, 50], unix_s=seconds)).columns["rps"].tolist() == [0, 10, 10]


def test_a_skipped_second_does_not_halve_the_rate() -> None:
    """Ticks last 1.0x s and are stamped in whole seconds: the skip is shared by the ticks around it."""
    seconds = START_UNIX_S + np.array([*range(10), *range(11, 21)])
    rates = total_timeline(total(list(range(0, 200, 10)), unix_s=seconds)).columns["rps"]

    # Twenty ticks cover 21 s, so each is about 1.05 s long: 10 / 1.05 = 9.5 a second, and 5 nowhere.
    assert rates[0] == 0
    assert rates[1:].min() > 9
    assert rates[1:].max() < 10


def test_reset_statistics_start_a_new_count() -> None:
    """Counts 50, 60, 8: after --reset-stats the last second had 8 requests, not minus 52."""
    assert total_timeline(total([50, 60, 8])).columns["rps"].tolist() == [50, 10, 8]


def test_duplicate_and_unordered_stamps_are_put_in_order() -> None:
    """The last row of a second counts."""
    seconds = START_UNIX_S + np.array([1, 0, 1])
    timeline = total_timeline(total([7, 0, 10], unix_s=seconds))

    assert timeline.elapsed_s.tolist() == [0, 1]
    assert timeline.columns["rps"].tolist() == [0, 10]


def test_percentiles_of_an_idle_window_are_unknown() -> None:
    """Locust writes 0 where nothing answered; a true 0 ms while requests flow stays."""
    p50 = total_timeline(total([10, 10, 20], p50_ms=[5.0, 0.0, 0.0])).columns["p50"]

    assert p50[0] == 5
    assert np.isnan(p50[1])
    assert p50[2] == 0


def test_users_come_from_the_schedule() -> None:
    """schedule.csv knows plan and achievement second by second."""
    timeline = users_timeline(make_run(40))

    assert timeline.end_s == 40
    assert timeline.columns["planned_users"][20] == 100


def test_without_a_schedule_users_come_from_the_history() -> None:
    """A plain Locust CSV has users but no plan."""
    timeline = users_timeline(total([0, 1, 2], users=[1, 2, 3]))

    assert timeline.columns["users"].tolist() == [1, 2, 3]
    assert np.isnan(timeline.columns["planned_users"]).all()


def test_rates_by_request_are_kept_apart_by_type_and_name() -> None:
    """The same name by GET and without a type are two requests."""
    rows = [
        history_rows("GET", "a", [1, 3]),
        history_rows("", "a", [5, 5]),
        history_rows("", AGGREGATED, [6, 8]),
    ]
    rows[1]["request_type"] = np.nan
    rates = rates_by_request(run_with(pd.concat(rows)))

    assert {key: t.columns["rps"].tolist() for key, t in rates.items()} == {
        ("GET", "a"): [1, 2],
        ("", "a"): [5, 0],
    }
    assert rates_by_request(empty_run()) == {}


def test_an_empty_history_is_an_empty_timeline() -> None:
    """Nothing known, nothing drawn, nothing raised."""
    timeline = total_timeline(empty_run())

    assert timeline.end_s == 0
    assert all(len(column) == 0 for column in timeline.columns.values())
