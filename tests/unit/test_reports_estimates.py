"""Formulas of intervals, and estimates from Locust's CSV files: figures that can be checked by hand."""

from locust.stats import bucket_response_time

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.run_files.exit_status import Outcome
from reports.estimates import intervals
from reports.estimates.csv_estimate import choose, estimate
from reports.estimates.estimate import Estimate
from reports.load.locust_csv import before_rounding_ms
from reports.load.run import Run
from reports.thresholds.grammar import parse
from reports.thresholds.selectors import single
from reports.verdict.judge import decide, narrowed
from tests.make_csv import Samples, csv_run, samples


def estimate_of(run: Run, source: str) -> Estimate:
    """Return the estimate of the metric and selector of a statement, which must exist."""
    statement = parse(source)
    found = estimate(statement.metric, choose(run, statement.selector, statement.metric), run)
    assert found is not None
    return found


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


def test_blocks_of_equal_ratio_have_no_width() -> None:
    """Two blocks of 1 in 10 and 3 in 10: ratio 0.2, se sqrt((1 + 1) * 2) / 20 = 0.1, t(1) = 12.706."""
    amounts, weights = np.array([1.0, 3.0]), np.array([10.0, 10.0])
    assert intervals.block_halfwidth(amounts, weights) == pytest.approx(12.706 * 0.1, rel=1e-4)
    assert intervals.block_halfwidth(weights, weights) == 0


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


def test_length_of_blocks_is_said() -> None:
    """Blocks under ten seconds are merged into longer ones besides, and what they may miss is said."""
    short, long = intervals.BlockLength(10, 6.0), intervals.BlockLength(10, 20.0)
    assert short.words == "10 blocks of 6 s, or 5 or 3 longer ones if wider"
    assert short.caveat.startswith("blocks of 6 s, under 10 s, may miss slow swings")
    assert (long.words, long.caveat, long.coarser) == ("10 blocks of 20 s", "", ())


@pytest.mark.parametrize(
    ("written_ms", "ends_ms"),
    [
        (0, (0, 0.5)),
        (99, (98.5, 99.5)),
        (100, (99.5, 105)),
        (110, (105, 115)),
        (1000, (995, 1050)),
        (1100, (1050, 1150)),
        (10_000, (9950, 10_500)),
    ],
)
def test_latency_before_rounding_was_within_half_a_step(
    written_ms: float, ends_ms: tuple[float, float]
) -> None:
    """Locust rounds to 1 ms below 100 ms, 10 ms below 1 s, 100 ms below 10 s, then to 1 s."""
    assert before_rounding_ms(written_ms) == ends_ms


@given(st.floats(0, 1e6))
def test_locusts_rounding_is_undone(latency_ms: float) -> None:
    """Whatever Locust rounds lies between the ends of what it makes of it."""
    low, high = before_rounding_ms(bucket_response_time(latency_ms))
    assert low <= latency_ms <= high


@given(
    latencies=st.lists(st.floats(0.1, 20_000), min_size=1, max_size=300),
    failures=st.integers(0, 100),
    figure=st.sampled_from([50, 66, 90, 95, 97.3, 99, 99.9, "min", "max"]),
    operator=st.sampled_from(["<", "<=", ">", ">="]),
    limit_ms=st.floats(0.1, 20_000),
)
def test_latency_is_judged_as_the_raw_latencies_would_be(
    latencies: list[float], failures: int, figure: float | str, operator: str, limit_ms: float
) -> None:
    """Whichever requests failed, no verdict contradicts the figure of the successes of the run."""
    latency_ms, n = np.array(latencies), len(latencies)
    failed = np.arange(n) < min(failures, n - 1)
    run = csv_run({"a": Samples(np.linspace(0, 60, n), latency_ms, failed)})
    found = estimate_of(run, f"{figure} < 1 s" if isinstance(figure, str) else f"p{figure} < 1 s")
    successes = np.sort(latency_ms[~failed])
    share = {"min": 0.0, "max": 1.0}[figure] if isinstance(figure, str) else figure / 100
    true_ms = successes[min(int(len(successes) * share), len(successes) - 1)]
    is_kept = {"<": true_ms < limit_ms, "<=": true_ms <= limit_ms, ">": true_ms > limit_ms}
    outcome = decide(found, operator, limit_ms)
    assert outcome is not (Outcome.FAIL if is_kept.get(operator, true_ms >= limit_ms) else Outcome.PASS)


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("p95 < 955.1 ms", Outcome.PASS),
        ("p95 < 955 ms", Outcome.INCONCLUSIVE),
        ("p95 <= 955 ms", Outcome.PASS),
        ("p95 < 945.1 ms", Outcome.INCONCLUSIVE),
        ("p95 < 945 ms", Outcome.FAIL),
        ("p95 > 944.9 ms", Outcome.PASS),
        ("p95 > 955 ms", Outcome.FAIL),
    ],
)
def test_percentile_is_known_within_its_rounding(source: str, outcome: Outcome) -> None:
    """p95 of 1…999 ms is written as 950 ms: it is between 945 and 955 ms, whatever the history says."""
    statement = parse(source)
    found = estimate_of(csv_run({"a": ramp(999)}), source)
    assert (found.value, found.low, found.high, found.n) == (950, 945, 955, 999)
    assert decide(found, statement.operator, statement.limit) is outcome
    assert found.doubt == "Locust rounds response times: it is between 945 ms and 955 ms"
    assert found.caveat == "Locust's CSV cannot bound the sampling error: record with Plimsoll for that"


def test_rounding_never_leaves_the_extremes() -> None:
    """Where all of 100 requests took 104 ms Locust's 100 ms are corrected by its exact extremes."""
    found = estimate_of(csv_run({"a": samples(100, latency_ms=104)}), "p95 < 1 s")
    assert (found.value, found.low, found.high) == (104, 104, 104)


def test_percentile_locust_does_not_write_is_between_its_neighbours() -> None:
    """p97 has no value: it is between p95 and p98, rounded to 950 and 980 ms."""
    found = estimate_of(csv_run({"a": ramp(999)}), "p97 < 1 s")
    assert (found.value, found.low, found.high) == (None, 945, 985)
    assert found.doubt == "Locust does not write this percentile: it is between 945 ms and 985 ms"


def test_too_few_requests_do_not_bound_a_percentile() -> None:
    """58 requests cannot bound p95, 59 can; fewer break no limit but one that they are far beyond."""
    few, enough, one = (estimate_of(csv_run({"a": ramp(n)}), "p95 < 10 ms") for n in (58, 59, 1))
    assert (few.needed_n, few.low, few.high) == (59, None, None)
    assert [decide(narrowed(few, "<", limit), "<", limit) for limit in (1000, 20, 10)] == [
        Outcome.INCONCLUSIVE,
        Outcome.INCONCLUSIVE,
        Outcome.FAIL,
    ]
    assert decide(narrowed(one, "<", 0.1), "<", 0.1) is Outcome.INCONCLUSIVE
    assert (enough.needed_n, decide(enough, "<", 20)) == (None, Outcome.FAIL)


def test_failures_leave_a_percentile_between_its_neighbours() -> None:
    """100 of 1000 failed: the p90 of the successes is the 811th to 911th of all, from p80 to p95."""
    sample = ramp(1000)
    failed = np.arange(1000) % 10 == 0
    found = estimate_of(csv_run({"a": Samples(sample.at_s, sample.latency_ms, failed)}), "p90 of a < 1 s")
    assert (found.value, found.low, found.high, found.n) == (900, 795, 955, 900)
    assert found.doubt.startswith("100 of 1000 requests failed, and Locust's figures include them; without")


def test_percentiles_of_several_names_are_bounded_not_averaged() -> None:
    """The p50 of two names lies between theirs; where they agree it is known."""
    run = csv_run({"a.x": ramp(99), "a.y": ramp(99, start_ms=101), "b": ramp(99)})
    found = estimate_of(run, "p50 of a.* < 1 s")
    assert (found.value, found.low, found.high, found.n) == (None, 49.5, 155, 198)
    assert found.doubt.startswith("percentiles of several names cannot be merged")
    same = csv_run({"a.x": samples(99), "a.y": samples(99), "b": samples(9)})
    assert estimate_of(same, "p50 of a.* < 1 s").value == 100


def test_mean_of_several_names_weighs_them() -> None:
    """100 requests of 100 ms and 300 of 200 ms have a mean of 175 ms, exactly."""
    found = estimate_of(
        csv_run({"a.x": samples(100, 100), "a.y": samples(300, 200), "b": samples(9)}), "mean of a.* < 1 s"
    )
    assert (found.value, found.low, found.high) == (175, 175, 175)


def test_few_requests_do_not_make_a_mean() -> None:
    """29 latencies make no mean that passes or fails, 30 do."""
    few, enough = (estimate_of(csv_run({"a": ramp(n)}), "mean < 5 ms") for n in (29, 30))
    assert (few.needed_n, decide(few, "<", 5)) == (30, Outcome.INCONCLUSIVE)
    assert (enough.needed_n, decide(enough, "<", 5)) == (None, Outcome.FAIL)


def test_requests_of_several_names_are_counted_together() -> None:
    """100 and 10 requests are enough for a p95 of both, which wants 59; 40 and 10 are not."""
    names = {"a.y": samples(10), "b": samples(9)}
    assert estimate_of(csv_run({"a.x": samples(100), **names}), "p95 of a.* < 1 s").needed_n is None
    assert estimate_of(csv_run({"a.x": samples(40), **names}), "p95 of a.* < 1 s").needed_n == 59


@pytest.mark.parametrize("source", ["p95 of a < 1 s", "mean of a < 1 s", "max of a < 1 s"])
def test_requests_without_a_response_time_have_no_latency(source: str) -> None:
    """Where a client gives none Locust writes 0 for each figure, which would keep every limit."""
    statement, run = parse(source), csv_run({"a": samples(100, latency_ms=0), "b": samples(100)})
    assert estimate(statement.metric, choose(run, statement.selector, statement.metric), run) is None


def test_failures_leave_the_mean_open() -> None:
    """10 of 100 failed: a failure of 100 ms instead of 50 moves the mean by at most 50 / 9 ms."""
    latency_ms = np.where(np.arange(100) % 10 == 0, 100.0, 50.0)
    sample = Samples(np.linspace(0, 60, 100), latency_ms, np.arange(100) % 10 == 0)
    found = estimate_of(csv_run({"a": sample}), "mean < 1 s")
    # True mean of the successes: 50 ms.
    assert (found.value, found.low) == (55, 50)
    assert found.high == pytest.approx(55 + 5 / 9)


def test_extremes_may_be_failures() -> None:
    """10 of 100 failed: the slowest success is at least the 90th, above p80, the fastest at most p50."""
    sample = ramp(100)
    run = csv_run({"a": Samples(sample.at_s, sample.latency_ms, np.arange(100) < 10)})
    slowest, fastest = estimate_of(run, "max < 1 s"), estimate_of(run, "min < 1 s")
    # Locust's p80 is the 81st, its p90 the 91st.
    assert (slowest.value, slowest.low, slowest.high) == (100, 81 - 0.5, 100)
    assert (fastest.value, fastest.low, fastest.high) == (1, 1, 51 + 0.5)


def test_error_rate_is_wilsons() -> None:
    """10 failures in 1000 are 0.54 % to 1.83 %, as independent requests."""
    found = estimate_of(csv_run({"a": samples(1000, failures=10)}), "error_rate < 1%")
    assert found.value == 1
    assert (found.low, found.high) == pytest.approx((0.54, 1.83), abs=0.01)


def test_rate_is_requests_over_seconds() -> None:
    """600 requests of a run of 60 s are 10/s exactly."""
    found = estimate_of(csv_run({"a": samples(600), "b": samples(9)}), "rps of a > 1")
    assert (found.value, found.low, found.high) == (10, 10, 10)


def test_all_names_are_judged_by_locusts_total() -> None:
    """A glob over every name uses Locust's own merged percentiles."""
    run = csv_run({"a.x": ramp(99), "a.y": ramp(99, start_ms=101)})
    assert estimate_of(run, "p50 of a.* < 1 s").value == estimate_of(run, "p50 < 1 s").value == 100


def test_extremes_are_exact_without_failures() -> None:
    """Without failures the fastest and slowest request are exact."""
    run = csv_run({"a": ramp(99), "b": ramp(9, start_ms=501)})
    assert estimate_of(run, "max < 1 s").low == estimate_of(run, "p100 < 1 s").high == 509
    assert estimate_of(run, "min of b < 1 s").low == 501


def test_counts_are_exact_and_add_up() -> None:
    """The counts of two names add up."""
    run = csv_run({"a.x": samples(100, failures=3), "a.y": samples(50, failures=2), "b": samples(9)})
    assert estimate_of(run, "count of a.* > 0").low == 150
    assert estimate_of(run, "failures of a.* < 1").high == 5


@pytest.mark.parametrize("source", ["p95 < 1 s", "mean < 1 s", "max < 1 s", "min < 1 s", "rps > 1"])
def test_figure_the_files_do_not_tell_is_none(source: str) -> None:
    """Without latencies and without a history nothing is estimated."""
    run = csv_run({"a": samples(100)})
    metric = parse(source).metric
    for frame in (run.requests, run.total):
        frame.loc[:, [column for column in frame.columns if column.endswith(("_ms", "rps"))]] = math.nan
    run = replace(run, history=run.history.iloc[:0])
    assert estimate(metric, choose(run, single("a"), metric), run) is None


def test_requests_that_never_succeeded_have_no_latency() -> None:
    """A name whose requests all failed is left out of a latency but counted in the errors."""
    made = {"a.x": samples(100, failures=100), "a.y": samples(100, 200), "b": samples(9)}
    run = csv_run(made)
    assert estimate_of(run, "mean of a.* < 1 s").value == 200
    assert estimate_of(run, "error_rate of a.* < 1%").value == 50
    assert isinstance(run.requests, pd.DataFrame)


def test_unknown_extremes_do_not_bound_the_mean_of_successes() -> None:
    """With failures of unknown latency among them the mean of the successes has no known ends."""
    run = csv_run({"a": samples(100, failures=5)})
    run.total.loc[:, ["min_ms", "max_ms"]] = math.nan
    found = estimate_of(run, "mean < 1 s")
    assert (found.value, found.low, found.high) == (100, 0, math.inf)
