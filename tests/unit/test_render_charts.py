"""Scales, ticks, thinning and paths, with numbers that can be checked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.render.charts import (
    LinearScale,
    LogScale,
    band_path,
    line_path,
    linear_axis,
    log_axis,
    spread,
    time_ticks,
)
from reports.render.timelines import thinned

NAN = math.nan
TEN = LinearScale(0.0, 10.0)


def test_a_linear_scale_maps_evenly_and_holds_at_its_ends() -> None:
    """5 of 0…20 is a quarter of the way; nothing leaves the plot."""
    scale = LinearScale(0.0, 20.0)

    assert [scale.fraction(v) for v in (5, 20, 30, -1)] == [0.25, 1.0, 1.0, 0.0]


def test_a_log_scale_gives_equal_ratios_equal_distances() -> None:
    """10, 100 and 1000 are a third apart on 1…1000; 0 has no logarithm and lies at the bottom."""
    scale = LogScale(1.0, 1000.0)

    assert [round(scale.fraction(v), 9) for v in (0, 1, 10, 100, 1000)] == [0, 0, 0.333333333, 0.666666667, 1]


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (97, [0, 50, 100]),
        (100, [0, 50, 100]),
        (101, [0, 50, 100, 150]),
        (4, [0, 1, 2, 3, 4]),
        (0.3, [0, 0.1, 0.2, 0.3]),
        (0, [0, 0.5]),
        (8000, [0, 2000, 4000, 6000, 8000]),
    ],
)
def test_linear_ticks_are_round_and_reach_the_highest_value(high: float, ticks: list[float]) -> None:
    """Steps are 1, 2 or 5 times a power of ten, and the scale ends at the last tick."""
    scale, found = linear_axis(high)

    assert found == ticks
    assert scale == LinearScale(0.0, ticks[-1])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (12, 480, [10, 20, 50, 100, 200, 500]),
        (10, 10, [10, 20]),
        (3, 40_000, [10, 100, 1000, 10_000]),
        (1, 1000, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]),
    ],
)
def test_log_ticks_enclose_the_values(low: float, high: float, ticks: list[float]) -> None:
    """Ticks are 1-2-5 per decade, decades alone where those would crowd."""
    _, found = log_axis(low, high)

    assert found == ticks


@given(st.floats(1e-3, 1e7), st.floats(1e-3, 1e7))
def test_a_log_axis_encloses_whatever_it_is_given(a: float, b: float) -> None:
    """The scale has a positive extent and contains both ends."""
    low, high = sorted((a, b))
    scale, ticks = log_axis(low, high)

    assert scale.low <= low * (1 + 1e-6)
    assert scale.high >= high * (1 - 1e-6)
    assert scale.low < scale.high
    assert len(ticks) <= 12


@given(st.floats(0, 1e9))
def test_a_linear_axis_reaches_its_highest_value_in_few_ticks(high: float) -> None:
    """At most six ticks, the last of them at or above the value."""
    scale, ticks = linear_axis(high)

    assert scale.high >= high * (1 - 1e-6)
    assert 2 <= len(ticks) <= 6


@pytest.mark.parametrize(
    ("end_s", "ticks"),
    [
        (40, [0, 5, 10, 15, 20, 25, 30, 35, 40]),
        (5.5, [0, 1, 2, 3, 4, 5]),
        (2400, [0, 300, 600, 900, 1200, 1500, 1800, 2100, 2400]),
        (28_800, [0, 3600, 7200, 10_800, 14_400, 18_000, 21_600, 25_200, 28_800]),
        (1_000_000, [0, 172_800, 345_600, 518_400, 691_200, 864_000]),
    ],
)
def test_time_ticks_are_in_steps_people_count_in(end_s: float, ticks: list[float]) -> None:
    """Steps are seconds, minutes, hours or days, at most eight of them."""
    assert time_ticks(end_s) == ticks


def test_short_series_are_not_thinned() -> None:
    """As many points as allowed stay as they are, without a band."""
    x, y = np.arange(3.0), np.array([1.0, NAN, 3.0])
    cut = thinned(x, y, 3)

    assert not cut.banded
    assert cut.mean is y


def test_thinning_keeps_the_extremes_of_each_bin() -> None:
    """Seven rows in bins of three: means beside least and most, so that no spike is lost."""
    cut = thinned(np.arange(7.0), np.array([1.0, 2.0, 9.0, 4.0, 4.0, 4.0, 5.0]), 3)

    assert cut.banded
    assert cut.x.tolist() == [2, 5, 6]
    assert cut.mean.tolist() == [4, 4, 5]
    assert cut.low.tolist() == [1, 4, 5]
    assert cut.high.tolist() == [9, 4, 5]


def test_thinning_leaves_unknown_values_out() -> None:
    """A bin with one known value is that value; a bin without any is unknown."""
    cut = thinned(np.arange(4.0), np.array([NAN, 6.0, NAN, NAN]), 2)

    assert cut.mean[0] == cut.low[0] == cut.high[0] == 6
    assert np.isnan([cut.mean[1], cut.low[1], cut.high[1]]).all()


@given(st.lists(st.floats(-1e6, 1e6), max_size=200), st.integers(1, 50))
def test_thinning_is_bounded_and_true(values: list[float], limit: int) -> None:
    """Never more points than allowed, and the overall least and most survive."""
    y = np.array(values)
    cut = thinned(np.arange(float(len(y))), y, limit)

    assert len(cut.x) <= limit
    if values:
        assert (cut.low.min(), cut.high.max()) == (min(values), max(values))


def test_a_line_runs_from_left_to_right_with_y_upside_down() -> None:
    """The origin of SVG is at the top: the value 10 of 0…10 is at y 0."""
    assert line_path(np.array([0.0, 5.0, 10.0]), np.array([0.0, 10.0, 2.5]), TEN, TEN) == (
        "M0 1000L500 0L1000 750"
    )


def test_unknown_values_interrupt_a_line() -> None:
    """A gap is a gap; a lonely point is drawn as a dot; nothing known draws nothing."""
    x = np.array([0.0, 1.0, 2.0, 3.0])

    assert line_path(x, np.array([5.0, NAN, 5.0, 5.0]), TEN, TEN) == "M0 500h0M200 500L300 500"
    assert line_path(x, np.full(4, NAN), TEN, TEN) == ""


def test_a_band_goes_along_the_top_and_back_along_the_bottom() -> None:
    """The area between 4 and 6 from x 0 to x 10."""
    x, low, high = np.array([0.0, 10.0]), np.array([4.0, 4.0]), np.array([6.0, 6.0])

    assert band_path(x, low, high, TEN, TEN) == "M0 400L1000 400L1000 600L0 600Z"


@pytest.mark.parametrize(
    ("positions", "placed"),
    [
        ([10, 50], [10, 50]),
        ([10, 12], [10, 20]),
        ([12, 10], [20, 10]),
        ([99, 100], [90, 100]),
        ([0, 0, 0], [0, 10, 20]),
        ([], []),
    ],
)
def test_labels_are_moved_apart_in_their_order(positions: list[float], placed: list[float]) -> None:
    """Labels ten apart within 0…100, moved no further than needed."""
    assert spread(positions, 10, 0, 100) == placed
