"""Requests of which less is known: cut off in flight, or never made as their arrivals were dropped."""

import pandas as pd
import pytest

from plimsoll.run_files.exit_status import Outcome
from reports.verdict.verdict import reach_verdict
from tests.judged import judged, numbers, thresholds
from tests.make_recorded import even, open_run, recorded

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def test_old_ones_cut_off_count_as_over_the_limit() -> None:
    """90 answers of 10 ms beside 10 requests cut off after 30 s break a p95 of 1 s, and a maximum."""
    made = pd.concat([even(90, 10.0), even(10, 30_000.0, unfinished=True)])
    run = recorded(made, 1000.0)

    broken = judged(run, "p95 < 1 s")

    assert broken.outcome is FAIL
    assert numbers(broken)[0] == pytest.approx(30_000, rel=0.004)
    assert broken.estimate is not None
    assert "10 cut off in flight count as over the limit" in broken.estimate.method
    assert judged(run, "max < 1 s").outcome is FAIL
    assert judged(run, "p50 < 1 s").outcome is PASS
    assert judged(recorded(made), "p95 < 1 s").outcome is FAIL


@pytest.mark.parametrize("limits", [(1000.0,), ()])
def test_young_ones_cut_off_open_only_what_they_could_break(limits: tuple[float, ...]) -> None:
    """40 of 1040 cut off after 20 ms could have broken a p95 of 1 s, whose answers took 10 ms, but no p90."""
    run = recorded(pd.concat([even(1000, 10.0), even(40, 20.0, unfinished=True)]), *limits)

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
    run = recorded(pd.concat([even(600, 10.0), even(100, 5.0, unfinished=True)]), 1000.0)
    for source in ("p95 < 1 s", "max < 1 s", "mean < 1 s", "error_rate < 1%"):
        assert judged(run, source).outcome is PASS


def test_only_the_names_a_threshold_selects_open_it() -> None:
    """Requests of another name that hang are no matter of this one."""
    run = recorded(pd.concat([even(600, 10.0), even(100, 20.0, name="b", unfinished=True)]), 1000.0)
    assert judged(run, "p95 of a < 1 s").outcome is PASS
    assert judged(run, "p95 < 1 s").outcome is INCONCLUSIVE


def test_maximum_is_open_after_one_cut_off() -> None:
    """A request cut off after 20 ms, when no answer had taken over 10 ms, may have been the slowest."""
    run = recorded(pd.concat([even(600, 10.0), even(1, 20.0, unfinished=True)]), 1000.0)
    judgement = judged(run, "max < 1 s")
    assert judgement.outcome is INCONCLUSIVE
    assert judgement.reason == "1 request was cut off in flight that may have been over the limit"


def test_mean_counts_their_ages_where_that_matters() -> None:
    """600 answers of 10 ms and 100 cut off after 900 ms are 137 ms at least: open at 100 ms, not at 1 s."""
    run = recorded(pd.concat([even(600, 10.0), even(100, 900.0, unfinished=True)]), 1000.0)
    assert judged(run, "mean < 100 ms").outcome is INCONCLUSIVE
    assert numbers(judged(run, "mean < 100 ms"))[2] == pytest.approx(137, rel=0.01)
    assert judged(run, "mean < 1 s").outcome is PASS
    assert judged(run, "mean < 9 ms").outcome is FAIL


def test_error_rate_counts_those_that_hung() -> None:
    """60 of 660 cut off later than any answer may have been failures: no error rate below 9 % passes."""
    run = recorded(pd.concat([even(600, 10.0), even(60, 900.0, unfinished=True)]), 1000.0)
    judgement = judged(run, "error_rate < 9%")
    assert judgement.outcome is INCONCLUSIVE
    assert judgement.reason == "60 requests were cut off in flight that may have been failures"
    assert judged(run, "error_rate < 20%").outcome is PASS


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        *(
            (source, INCONCLUSIVE)
            for source in ("p99 < 500 ms", "corrected_p99 < 500 ms", "p99 of a < 800 ms")
        ),
        *((source, PASS) for source in ("p90 < 500 ms", "corrected_p90 < 500 ms", "p99 > 5 ms")),
        ("error_rate < 1%", PASS),
    ],
)
def test_percentile_is_open_by_dropped_arrivals(source: str, outcome: Outcome) -> None:
    """Of 600 arrivals 12 were dropped: 2 % may have been over any limit, which a p90 and a minimum bear."""
    run = open_run(even(588, 20.0, delay_ms=0.0), limits=(500.0,), started=9.8, dropped=0.2)
    judgement = judged(run, source)
    assert judgement.outcome is outcome
    if outcome is INCONCLUSIVE:
        assert judgement.reason.startswith("12 requests were never made, as arrivals were dropped,")


def test_none_dropped_opens_nothing() -> None:
    """Where all arrivals were started, every limit that holds is a pass."""
    run = open_run(even(600, 20.0, delay_ms=0.0), limits=(500.0,))
    for source in ("p99 < 500 ms", "corrected_p99 < 500 ms", "corrected_max < 500 ms", "mean < 500 ms"):
        assert judged(run, source).outcome is PASS


def test_maximum_is_open_by_a_dropped_arrival() -> None:
    """One that was never made may have been the slowest."""
    run = open_run(even(599, 20.0, delay_ms=0.0), limits=(500.0,), started=599 / 60, dropped=1 / 60)
    judgement = judged(run, "corrected_max < 500 ms")
    assert judgement.outcome is INCONCLUSIVE
    assert judgement.reason.startswith("1 request was never made")


def test_dropped_at_the_end_count_too() -> None:
    """What still waits when the schedule ends is written down a second later, and belongs to the load."""
    run = open_run(even(600, 20.0, delay_ms=0.0), limits=(500.0,))
    run.health.loc[len(run.health) - 1, ["unix_s", "dropped"]] = [run.health["unix_s"].max() + 1, 30.0]
    assert judged(run, "corrected_p95 < 500 ms").outcome is INCONCLUSIVE


def test_mean_takes_dropped_arrivals_for_as_slow_as_the_slowest() -> None:
    """588 of 20 ms with one of 5 s and 12 never made: 28 ms as measured, 126 ms if those took 5 s too."""
    run = open_run(
        even(588, 20.0, delay_ms=0.0),
        even(1, 5000.0, delay_ms=0.0),
        limits=(500.0,),
        started=9.8,
        dropped=0.2,
    )
    assert judged(run, "corrected_mean < 100 ms").outcome is INCONCLUSIVE
    assert judged(run, "corrected_mean < 1 s").outcome is PASS


def test_arrivals_that_vanished_pass_no_limit_on_the_dropped() -> None:
    """Of 600 arrivals 480 were started and none was dropped: the others are lost, as with a worker."""
    run = open_run(even(480, 20.0, delay_ms=0.0), limits=(500.0,), started=8.0)
    verdict = reach_verdict(run, thresholds("dropped_iterations < 1%", "late_iterations < 1%"))
    assert [entry["verdict"] for entry in verdict["thresholds"]] == ["INCONCLUSIVE", "INCONCLUSIVE"]
    assert verdict["thresholds"][0]["reason"].startswith("only 480 of 589 arrivals were started")
