"""Intervals, levels, blocks and estimates: figures that can be checked by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.estimates import intervals
from reports.estimates.blocks import BLOCKS, BlockLength, Blocks, seconds_of
from reports.estimates.chosen import choose
from reports.estimates.csv_estimate import estimate
from reports.estimates.estimate import Estimate
from reports.estimates.levels import levels_of, rounding_ms
from reports.load.run import Run
from reports.thresholds.grammar import parse
from reports.thresholds.selector import single
from tests.samples import Samples, even, run_of


def estimate_of(run: Run, source: str) -> Estimate:
    """Return the estimate of the metric and selector of a statement, which must exist."""
    statement = parse(source)
    found = estimate(statement.metric, choose(run, statement.selector, statement.metric), run.duration_s)
    assert found is not None
    return found


def blocks_of(run: Run, requests: pd.DataFrame) -> Blocks | None:
    """Return the ten blocks of what the history counts of some rows of the statistics."""
    seconds = seconds_of(run, requests)
    return seconds and seconds.merged(BLOCKS)


def ramp(n: int, start_ms: float = 1.0, duration_s: float = 60.0) -> Samples:
    """Return n requests over the duration with latencies start, start + 1, …, in a shuffled order."""
    latency_ms = np.random.default_rng(1).permutation(np.arange(n) + start_ms)
    return Samples(np.linspace(0, duration_s, n), latency_ms, np.zeros(n, dtype=bool))


@pytest.mark.parametrize(("q", "n"), [(0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_smallest_n(q: float, n: int) -> None:
    """The fewest samples that bound a percentile are those of the published table."""
    assert intervals.smallest_n(q) == n
    assert 1 - q**n >= 0.95 > 1 - q ** (n - 1)


def test_no_failure_follows_the_rule_of_three() -> None:
    """Without a failure in 299 requests the upper bound is just below 1 %."""
    low, high = intervals.share(0, 299)
    assert low == 0
    assert high == pytest.approx(0.01, rel=0.01)


def test_share_is_wilsons() -> None:
    """10 of 100 has the Wilson interval of the textbooks, 5.52 % to 17.44 %; all of them end at 1."""
    assert intervals.share(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert intervals.share(5, 5)[1] == 1


def test_quantile_ranks_are_clopper_pearsons() -> None:
    """The median of 100 lies between the 40th and 60th of 100, a known q widens them, edges stay."""
    low, high = intervals.quantile_ranks(0.5, 0.5, 100)
    assert (low, high) == pytest.approx((0.398, 0.602), abs=1e-3)
    assert intervals.quantile_ranks(0.0, 1.0, 100) == (0.0, 1.0)


def test_blocks_of_equal_ratio_have_no_width() -> None:
    """Two blocks of 1 in 10 and 3 in 10: ratio 0.2, se sqrt((1 + 1) * 2) / 20 = 0.1, t(1) = 12.706."""
    amounts, weights = np.array([1.0, 3.0]), np.array([10.0, 10.0])
    assert intervals.block_halfwidth(amounts, weights) == pytest.approx(12.706 * 0.1, rel=1e-4)
    assert intervals.block_halfwidth(weights, weights) == 0


@pytest.mark.parametrize(
    ("latency_ms", "half_ms"), [(0, 0.5), (99, 0.5), (100, 5), (999, 5), (1000, 50), (10_000, 500)]
)
def test_rounding_is_half_of_locusts_bucket(latency_ms: float, half_ms: float) -> None:
    """Locust rounds to 1 ms below 100 ms, 10 ms below 1 s, 100 ms below 10 s, then to 1 s."""
    assert rounding_ms(latency_ms) == half_ms


def test_levels_return_what_locust_states() -> None:
    """At the rank of a stated percentile its latency is read; outside of the points the nearest one."""
    run = run_of({"a": ramp(99)})
    levels = levels_of(run.total.iloc[0])
    assert levels is not None
    assert levels.stated[95] == 95
    assert levels.read(0.95) == pytest.approx(95)
    assert levels.read(0.0) == 1
    assert levels.read(1.0) == 99
    # Evenly from 1 to 99: (99 - 1) / sqrt(12) = 28.3.
    assert levels.spread_ms() == pytest.approx(28.3, rel=0.1)


def test_levels_never_fall() -> None:
    """A percentile that rounding put above the maximum does not make the distribution fall."""
    run = run_of({"a": even(100, latency_ms=105.4)})
    levels = levels_of(run.total.iloc[0])
    assert levels is not None
    assert list(levels.latency_ms) == sorted(levels.latency_ms)


def test_levels_need_percentiles() -> None:
    """A row without requests, or without percentiles, has no levels; unknown ends are left out."""
    row = run_of({"a": ramp(99)}).total.iloc[0]
    assert levels_of(row.where(row.index != "n", 0)) is None
    assert levels_of(row.filter(["n", "min_ms", "max_ms"])) is None
    ends = levels_of(row.drop(["min_ms", "max_ms"]).reindex(row.index))
    assert ends is not None
    assert ends.read(0.0) == 50


def test_blocks_hold_what_each_tenth_of_the_run_added() -> None:
    """60 requests in 60 s with 6 failures: each of ten blocks holds 6 requests of 100 ms."""
    run = run_of({"a": even(61, failures=0), "b": even(61)})
    blocks = blocks_of(run, run.requests.iloc[:1])
    assert blocks is not None
    assert blocks.length == BlockLength(10, 6.0)
    assert blocks.n.sum() == 61
    assert set(blocks.n[1:]) == {6}
    assert blocks.latency_ms[1:].tolist() == pytest.approx([600] * 9)
    assert blocks.length.words == "10 blocks of 6 s, or 5 or 3 longer ones if wider"
    assert blocks.length.caveat.startswith("blocks of 6 s, under 10 s, may miss slow swings")
    both = blocks_of(run, run.requests)
    assert both is not None
    assert both.n.sum() == 122


def test_blocks_survive_reset_statistics() -> None:
    """After Locust's --reset-stats the counts start again, and the blocks still add up."""
    run = run_of({"a": even(61)})
    later = run.history["unix_s"] > run.history["unix_s"].min() + 30
    run.history.loc[later, "n"] -= 31
    blocks = blocks_of(run, run.total)
    assert blocks is not None
    assert (blocks.n >= 0).all()
    assert blocks.n.sum() == 31 + 30


def test_blocks_need_a_history() -> None:
    """Without rows of these requests, or with less than 10 s, there are no blocks."""
    assert blocks_of(run_of({"a": even(10)}, named_history=False), run_of({"a": even(10)}).requests) is None
    short = run_of({"a": even(10, duration_s=5)}, duration_s=5)
    assert blocks_of(short, short.total) is None
    long = run_of({"a": even(10, duration_s=200)}, duration_s=200)
    blocks = blocks_of(long, long.total)
    assert blocks is not None
    assert (blocks.length.words, blocks.length.caveat) == ("10 blocks of 20 s", "")


def test_short_blocks_take_the_widest_of_longer_ones() -> None:
    """Where half of a run is slow the longer blocks are wider; where blocks alternate the ten are widest.

    Of 1 0 1 0 … in one each the ratio is 1/2: se sqrt(10 * 0.25 * 10 / 9) / 10 = 1/6, times t 2.262.
    Merged to 3 + 3 + 4 rows they hold 2, 1 and 2: residuals 1/2, -1/2, 0; se sqrt(0.5 * 3 / 2) / 10, t 4.303.
    """
    k, n = np.tile([1.0, 0.0], 5), np.ones(10)
    assert intervals.block_halfwidth(k, n) == pytest.approx(2.262 / 6, rel=1e-3)
    assert intervals.block_halfwidth(k, n, (5, 3)) == intervals.block_halfwidth(k, n)
    assert intervals.block_halfwidth(np.add.reduceat(k, [0, 3, 6]), np.array([3.0, 3.0, 4.0])) == (
        pytest.approx(4.303 * math.sqrt(0.75) / 10, rel=1e-3)
    )
    slow = np.repeat([1.0, 0.0], 5)
    assert intervals.block_halfwidth(slow, n, (5, 3)) > intervals.block_halfwidth(slow, n)


def test_percentile_has_its_ranks_and_rounding() -> None:
    """p95 of 1…999 ms is about 950; its ranks by Clopper-Pearson are 934 and 963, half buckets 5 ms."""
    found = estimate_of(
        run_of({"a": ramp(999, duration_s=120)}, named_history=False, duration_s=120), "p95 of a < 1 s"
    )
    assert found.value == 950
    assert found.low == pytest.approx(934 - 5, abs=8)
    assert found.high == pytest.approx(963 + 5, abs=8)
    assert (found.n, found.needed_n, found.endless) == (999, None, (945, 955))


def test_percentile_locust_does_not_state_is_interpolated_and_said_so() -> None:
    """p97 lies between p95 and p98 and its method says that it was interpolated."""
    run = run_of({"a": ramp(999)})
    found = estimate_of(run, "p97 < 1 s")
    assert found.value is not None
    assert 950 < found.value < 980
    assert "interpolated" in found.method
    assert "interpolated" not in estimate_of(run, "p95 < 1 s").method


def test_too_few_requests_leave_a_percentile_open_upwards() -> None:
    """58 requests cannot bound p95 from above, 59 can."""
    few = estimate_of(run_of({"a": ramp(58)}), "p95 < 1 s")
    assert (few.high, few.needed_n) == (None, 59)
    assert estimate_of(run_of({"a": ramp(59)}), "p95 < 1 s").high is not None


def test_failures_widen_a_percentile() -> None:
    """100 failures among 1000 move the p90 of the successes to the p81 to p91 of all, or further."""
    sample = ramp(1000)
    failed = np.arange(1000) % 10 == 0
    run = run_of({"a": Samples(sample.at_s, sample.latency_ms, failed)}, named_history=False)
    found = estimate_of(run, "p90 of a < 1 s")
    assert found.low is not None
    assert found.high is not None
    assert found.low < 810
    assert found.high > 910
    assert "100 failures are among them" in found.method


def test_slow_minutes_make_requests_worth_less() -> None:
    """When half of the run is slow the interval of a percentile is wider than of the same times mixed."""
    slow = np.arange(1000) // 500
    latency_ms = np.random.default_rng(2).uniform(10, 20, 1000) * (1 + 3 * slow)
    at_s, failed = np.linspace(0, 60, 1000), np.zeros(1000, dtype=bool)
    apart = estimate_of(run_of({"a": Samples(at_s, latency_ms, failed)}), "p50 < 1 s")
    mixed_ms = np.random.default_rng(3).permutation(latency_ms)
    mixed = estimate_of(run_of({"a": Samples(at_s, mixed_ms, failed)}), "p50 < 1 s")
    assert apart.low is not None
    assert apart.high is not None
    assert mixed.low is not None
    assert mixed.high is not None
    assert apart.high - apart.low > 2 * (mixed.high - mixed.low)
    assert "requests worth one" in apart.method


def test_percentiles_of_several_names_are_bounded_not_averaged() -> None:
    """The p50 of two names lies between theirs; where they agree it is known."""
    run = run_of({"a.x": ramp(99), "a.y": ramp(99, start_ms=101), "b": ramp(99)})
    found = estimate_of(run, "p50 of a.* < 1 s")
    first, second = estimate_of(run, "p50 of a.x < 1 s"), estimate_of(run, "p50 of a.y < 1 s")
    assert found.value is None
    assert found.n == 198
    assert found.low is not None
    assert first.low is not None
    assert second.high is not None
    assert found.high is not None
    assert found.low <= first.low
    assert found.high >= second.high
    assert "cannot be averaged" in found.method
    same = run_of({"a.x": even(99), "a.y": even(99), "b": even(9)})
    assert estimate_of(same, "p50 of a.* < 1 s").value == 100


def test_all_names_are_judged_by_locusts_total() -> None:
    """A glob over every name uses Locust's own merged percentiles."""
    run = run_of({"a.x": ramp(99), "a.y": ramp(99, start_ms=101)})
    assert estimate_of(run, "p50 of a.* < 1 s").value == estimate_of(run, "p50 < 1 s").value == 100


def test_mean_uses_blocks_or_the_spread() -> None:
    """The mean of 1…999 ms is 500 with either method, whose half widths are near 1.96 * 288 / sqrt(999)."""
    for named, words in ((True, "blocks"), (False, "spread")):
        samples = {"a": ramp(999, duration_s=120), "b": even(9)}
        found = estimate_of(run_of(samples, named_history=named, duration_s=120), "mean of a < 1 s")
        assert found.value == 500
        assert found.high is not None
        assert found.high - found.value == pytest.approx(18, rel=0.5)
        assert words in found.method


def test_mean_of_several_names_weighs_them() -> None:
    """100 requests of 100 ms and 300 of 200 ms have a mean of 175 ms, with the spread between them."""
    samples = {"a.x": even(100, 100), "a.y": even(300, 200), "b": even(9)}
    found = estimate_of(run_of(samples, named_history=False), "mean of a.* < 1 s")
    assert found.value == pytest.approx(175)
    assert found.high is not None
    # The spread between the two is 43.3 ms: 1.96 * 43.3 / sqrt(400) = 4.2 ms.
    assert found.high - 175 == pytest.approx(4.2, abs=0.1)


def test_failures_widen_the_mean() -> None:
    """10 of 100 requests failed: a failure of 100 ms instead of 50 moves the mean by at most 50 / 9 ms."""
    latency_ms = np.where(np.arange(100) % 10 == 0, 100.0, 50.0)
    failed = np.arange(100) % 10 == 0
    found = estimate_of(
        run_of({"a": Samples(np.linspace(0, 60, 100), latency_ms, failed)}, named_history=False), "mean < 1 s"
    )
    assert found.value == 55
    assert found.low is not None
    # True mean of the successes: 50 ms.
    assert found.low <= 50
    assert found.endless == pytest.approx((50, 55 + 5 / 9))


def test_few_requests_do_not_make_a_mean() -> None:
    """29 latencies leave the mean open upwards; below it is bounded by Student's t over their spread."""
    found = estimate_of(run_of({"a": ramp(29)}), "mean < 1 s")
    assert (found.value, found.high, found.needed_n) == (15, None, 30)
    # From 1 to 29 ms evenly: 8.4 ms, times t(28) = 2.048 over sqrt(29).
    assert found.low == pytest.approx(15 - 2.048 * 8.4 / math.sqrt(29), abs=0.3)


def test_extremes_are_exact_without_failures() -> None:
    """Without failures the fastest and slowest request are exact."""
    run = run_of({"a": ramp(99), "b": ramp(9, start_ms=501)})
    assert estimate_of(run, "max < 1 s").low == estimate_of(run, "p100 < 1 s").high == 509
    assert estimate_of(run, "min of b < 1 s").low == 501


def test_extremes_may_be_failures() -> None:
    """10 of 100 failed: the slowest success is at least the 90th, above p80, the fastest at most p50."""
    sample = ramp(100)
    run = run_of({"a": Samples(sample.at_s, sample.latency_ms, np.arange(100) < 10)})
    slowest, fastest = estimate_of(run, "max < 1 s"), estimate_of(run, "min < 1 s")
    assert slowest.high == 100
    # Locust's p90 is the 91st.
    assert slowest.low == 81 - 0.5
    assert fastest.low == 1
    assert fastest.high == 51 + 0.5


def test_counts_are_exact_and_add_up() -> None:
    """The counts of two names add up."""
    run = run_of({"a.x": even(100, failures=3), "a.y": even(50, failures=2), "b": even(9)})
    assert estimate_of(run, "count of a.* > 0").low == 150
    assert estimate_of(run, "failures of a.* < 1").high == 5


def test_error_rate_is_the_wider_of_wilson_and_blocks() -> None:
    """10 failures in 1000 all in one second are less sure than Wilson's 0.54 % to 1.83 % says."""
    at_s, latency_ms = np.linspace(0, 60, 1000), np.full(1000, 10.0)
    burst = np.arange(1000) // 10 == 50
    found = estimate_of(run_of({"a": Samples(at_s, latency_ms, burst)}), "error_rate < 1%")
    assert found.value == 1
    assert found.low == 0
    assert found.high is not None
    assert found.high > 3
    alone = run_of({"a": Samples(at_s, latency_ms, burst), "b": even(9)}, named_history=False)
    wilson = estimate_of(alone, "error_rate of a < 1%")
    assert (wilson.low, wilson.high) == pytest.approx((0.54, 1.83), abs=0.01)


def test_no_failure_bounds_the_error_rate() -> None:
    """No failure in 1000 requests shows less than 0.3 %."""
    found = estimate_of(run_of({"a": even(1000)}), "error_rate < 1%")
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(0.3, abs=0.001)


def test_rate_is_requests_over_seconds() -> None:
    """600 requests in 60 s are 10/s; by chance alone 1.96 * sqrt(600) / 60 = 0.8 more or less."""
    samples = {"a": even(600), "b": even(9)}
    steady = estimate_of(run_of(samples), "rps of a > 1")
    assert steady.value == 10
    assert steady.high == pytest.approx(10, abs=0.3)
    alone = estimate_of(run_of(samples, named_history=False), "rps of a > 1")
    assert alone.high == pytest.approx(10.8, abs=0.01)


@pytest.mark.parametrize("source", ["p95 < 1 s", "mean < 1 s", "max < 1 s", "min < 1 s", "rps > 1"])
def test_figure_the_files_do_not_tell_is_none(source: str) -> None:
    """Without latencies and without a history nothing is estimated."""
    run = run_of({"a": even(100)})
    metric = parse(source).metric
    for frame in (run.requests, run.total):
        frame.loc[:, [column for column in frame.columns if column.endswith("_ms")]] = math.nan
    assert estimate(metric, choose(run, single("a"), metric), None) is None


def test_unknown_spread_leaves_the_mean_open() -> None:
    """A mean without percentiles or history has a value but no interval."""
    run = run_of({"a": even(100), "b": even(9)}, named_history=False)
    run.requests.loc[:, [column for column in run.requests.columns if column.startswith("p")]] = math.nan
    found = estimate_of(run, "mean of a < 1 s")
    assert (found.value, found.low, found.high) == (100, None, None)


@given(
    latencies=st.lists(st.floats(0.1, 100_000), min_size=1, max_size=300),
    failures=st.integers(0, 300),
    source=st.sampled_from(
        [
            "p50",
            "p95",
            "p97.3",
            "p99.9",
            "p100",
            "mean",
            "max",
            "min",
            "error_rate",
            "rps",
            "count",
            "failures",
        ]
    ),
)
def test_interval_contains_the_value(latencies: list[float], failures: int, source: str) -> None:
    """Whatever the requests, the estimated value lies inside of its interval, and nothing is NaN."""
    n = len(latencies)
    failed = np.arange(n) < min(failures, n - 1)
    run = run_of({"a": Samples(np.linspace(0, 60, n), np.array(latencies), failed)})
    metric = parse(
        f"{source} > 0{'ms' if source[0] in 'pm' else '%' if source == 'error_rate' else ''}"
    ).metric
    found = estimate(metric, choose(run, single("a"), metric), 60)
    assert found is not None
    assert found.value is not None
    assert not math.isnan(found.value)
    tolerance = 1e-9 * abs(found.value)
    assert found.low is None or found.low <= found.value + tolerance
    assert found.high is None or found.high >= found.value - tolerance


def test_requests_that_never_succeeded_have_no_latency() -> None:
    """A name whose requests all failed is left out of a latency but counted in the errors."""
    samples = {"a.x": even(100, failures=100), "a.y": even(100, 200), "b": even(9)}
    run = run_of(samples)
    assert estimate_of(run, "mean of a.* < 1 s").value == 200
    assert estimate_of(run, "error_rate of a.* < 1%").value == 50
    assert isinstance(run.requests, pd.DataFrame)


def test_unknown_extremes_do_not_bound_the_mean_of_successes() -> None:
    """With failures of unknown latency among them the mean of the successes has no known ends."""
    run = run_of({"a": even(100, failures=5)})
    run.total.loc[:, ["min_ms", "max_ms"]] = math.nan
    found = estimate_of(run, "mean < 1 s")
    assert (found.value, found.low, found.high) == (100, 0, math.inf)
