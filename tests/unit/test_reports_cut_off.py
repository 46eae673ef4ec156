"""Requests that were cut off in flight: as old as the limit they are over it, younger ones may have been."""

import pandas as pd
import pytest

from plimsoll.run_files.exit_status import Outcome
from tests.judged import judged, numbers
from tests.make_intervals import even, run_of

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def test_old_ones_count_as_over_the_limit() -> None:
    """90 answers of 10 ms beside 10 requests cut off after 30 s break a p95 of 1 s, and a maximum."""
    made = pd.concat([even(90, 10.0), even(10, 30_000.0, unfinished=True)])
    run = run_of(made, 1000.0)

    broken = judged(run, "p95 < 1 s")

    assert broken.outcome is FAIL
    assert numbers(broken)[0] == pytest.approx(30_000, rel=0.004)
    assert broken.estimate is not None
    assert "10 cut off in flight count as over the limit" in broken.estimate.method
    assert judged(run, "max < 1 s").outcome is FAIL
    assert judged(run, "p50 < 1 s").outcome is PASS
    assert judged(run_of(made), "p95 < 1 s").outcome is FAIL


@pytest.mark.parametrize("limits", [(1000.0,), ()])
def test_young_ones_open_only_what_they_could_break(limits: tuple[float, ...]) -> None:
    """40 of 1040 cut off after 20 ms could have broken a p95 of 1 s, whose answers took 10 ms, but no p90."""
    run = run_of(pd.concat([even(1000, 10.0), even(40, 20.0, unfinished=True)]), *limits)

    open_one = judged(run, "p95 < 1 s")

    # 40 of 1040 are 3.8 % with Wilson's 2.8 % to 5.2 %.
    assert open_one.outcome is INCONCLUSIVE
    assert open_one.reason.startswith("40 requests were cut off in flight that may have been over the limit")
    assert numbers(open_one)[0] == pytest.approx(10, rel=0.004)
    assert numbers(open_one)[3] == 1000
    assert judged(run, "p90 < 1 s").outcome is PASS
    assert judged(run, "p95 > 1 ms").outcome is PASS
    assert judged(run, "p95 < 9 ms").outcome is FAIL


def test_younger_than_the_answers_is_ordinary() -> None:
    """What is under way when users stop is cut off: requests younger than most answers hide nothing."""
    run = run_of(pd.concat([even(600, 10.0), even(100, 5.0, unfinished=True)]), 1000.0)
    for source in ("p95 < 1 s", "max < 1 s", "mean < 1 s", "error_rate < 1%"):
        assert judged(run, source).outcome is PASS


def test_only_the_names_a_threshold_selects_open_it() -> None:
    """Requests of another name that hang are no matter of this one."""
    run = run_of(pd.concat([even(600, 10.0), even(100, 20.0, name="b", unfinished=True)]), 1000.0)
    assert judged(run, "p95 of a < 1 s").outcome is PASS
    assert judged(run, "p95 < 1 s").outcome is INCONCLUSIVE


def test_maximum_is_open_after_one() -> None:
    """A request cut off after 20 ms, when no answer had taken over 10 ms, may have been the slowest."""
    run = run_of(pd.concat([even(600, 10.0), even(1, 20.0, unfinished=True)]), 1000.0)
    judgement = judged(run, "max < 1 s")
    assert judgement.outcome is INCONCLUSIVE
    assert judgement.reason == "1 request was cut off in flight that may have been over the limit"


def test_mean_counts_their_ages_where_that_matters() -> None:
    """600 answers of 10 ms and 100 cut off after 900 ms are 137 ms at least: open at 100 ms, not at 1 s."""
    run = run_of(pd.concat([even(600, 10.0), even(100, 900.0, unfinished=True)]), 1000.0)
    assert judged(run, "mean < 100 ms").outcome is INCONCLUSIVE
    assert numbers(judged(run, "mean < 100 ms"))[2] == pytest.approx(137, rel=0.01)
    assert judged(run, "mean < 1 s").outcome is PASS
    assert judged(run, "mean < 9 ms").outcome is FAIL


def test_error_rate_counts_those_that_hung() -> None:
    """60 of 660 cut off later than any answer may have been failures: no error rate below 9 % passes."""
    run = run_of(pd.concat([even(600, 10.0), even(60, 900.0, unfinished=True)]), 1000.0)
    judgement = judged(run, "error_rate < 9%")
    assert judgement.outcome is INCONCLUSIVE
    assert judgement.reason.startswith(
        "60 requests were cut off in flight that may have been failures; blocks"
    )
    assert judged(run, "error_rate < 20%").outcome is PASS
