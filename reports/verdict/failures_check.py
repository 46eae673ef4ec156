"""Check that many failures are limited by something: they are in no latency, which only successes have."""

from collections.abc import Iterator, Sequence

from reports.load.run import Run
from reports.thresholds.reading import Threshold
from reports.verdict.check import Check

FAILED_RATIO = 0.01
ABOUT_FAILURES = {"error_rate", "failures"}


def failures_limited(run: Run, thresholds: Sequence[Threshold]) -> Iterator[Check]:
    """Yield the share of failed requests where no threshold is about them: a fast rest would pass for all."""
    made, failures = run.made
    if not made or not thresholds or any(each.statement.metric.name in ABOUT_FAILURES for each in thresholds):
        return
    ratio = failures / made
    ok = ratio <= FAILED_RATIO
    reason = f"{ratio:.1%} of the requests failed, and no threshold limits failures; add one on error_rate"
    yield Check("failures_limited", ratio, FAILED_RATIO, ok, "" if ok else reason)
