"""Arrivals that were dropped: what they would have met is not known, so that no pass may hang on it."""

import pytest

from plimsoll.run_files.exit_status import Outcome
from reports.verdict.verdict import reach_verdict
from tests.judged import judged, thresholds
from tests.make_intervals import even
from tests.make_open_run import open_run

PASS, INCONCLUSIVE = Outcome.PASS, Outcome.INCONCLUSIVE


@pytest.mark.parametrize("source", ["p99 < 500 ms", "corrected_p99 < 500 ms", "p99 of a < 800 ms"])
def test_percentile_is_open(source: str) -> None:
    """Of 600 arrivals 12 were dropped: 2 % may have been over any limit of a p99, whatever the others."""
    run = open_run(even(588, 20.0, delay_ms=0.0), limits=(500.0,), started=9.8, dropped=0.2)
    judgement = judged(run, source)
    assert judgement.outcome is INCONCLUSIVE
    assert judgement.reason.startswith("12 requests were never made, as arrivals were dropped,")


def test_percentile_that_bears_them_stands() -> None:
    """The same 2 % over the limit leave a p90 within it, and matter to no error rate."""
    run = open_run(even(588, 20.0, delay_ms=0.0), limits=(500.0,), started=9.8, dropped=0.2)
    for source in ("p90 < 500 ms", "corrected_p90 < 500 ms", "p99 > 5 ms", "error_rate < 1%"):
        assert judged(run, source).outcome is PASS


def test_none_dropped_opens_nothing() -> None:
    """Where all arrivals were started, every limit that holds is a pass."""
    run = open_run(even(600, 20.0, delay_ms=0.0), limits=(500.0,))
    for source in ("p99 < 500 ms", "corrected_p99 < 500 ms", "corrected_max < 500 ms", "mean < 500 ms"):
        assert judged(run, source).outcome is PASS


def test_maximum_is_open() -> None:
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


def test_mean_takes_them_for_as_slow_as_the_slowest() -> None:
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
