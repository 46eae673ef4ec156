"""Check what was recorded against Locust's own counts, and for what it left hanging."""

from collections.abc import Iterator

import numpy as np

from reports.load.histogram import bucket_of
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.verdict.check import Check

UNFINISHED_RATIO = 0.05
OUTSIDE = 5
OUTSIDE_RATIO = 0.001


def recording_checks(run: Run, window: SteadyState) -> Iterator[Check]:
    """Yield the checks of a run with intervals; those of requests are about the judged window."""
    yield _recording_errors(run)
    yield from _totals_match(run)
    yield from _in_flight(run, window)


def _recording_errors(run: Run) -> Check:
    errors, fault = run.meta.recording_errors, run.meta.recording_fault
    reason = f"{errors} errors while recording: requests are missing" if errors else ""
    if fault:
        reason = f"{errors} errors while recording, the first was of {fault}"
    return Check("recording_errors", float(errors), 0.0, not errors, reason)


def _totals_match(run: Run) -> Iterator[Check]:
    # After a reset Locust's totals are those of the time since.
    if run.meta.locust_totals is None or run.meta.stats_reset:
        return
    (n, failures), (their_n, their_failures) = run.made, run.meta.locust_totals
    # The set-up and clean-up of a locustfile may send requests that are not part of the run.
    ok = max(abs(n - their_n), abs(failures - their_failures)) <= max(OUTSIDE, OUTSIDE_RATIO * their_n)
    reason = (
        f"the intervals hold {n} requests with {failures} failures,"
        f" Locust counted {their_n} with {their_failures}"
    )
    yield Check("totals_match", float(n), float(their_n), ok, "" if ok else reason)


def _in_flight(run: Run, window: SteadyState) -> Iterator[Check]:
    """Hold the requests cut off older than any success was slow, and younger than the limits: they hung.

    Younger ones are ordinary: whatever is under way when users stop is cut off. Those as old as a limit are
    counted as over it.
    """
    intervals = run.intervals
    started = window.blocks(intervals.seconds("started_s"), 1)
    finished = intervals.total("n", started)
    slowest_ms = float(np.nanmax(intervals.column("max_ms")[started >= 0], initial=0.0))
    if not finished:
        return
    ages = intervals.merged(intervals.unfinished, started, 1)[0]
    hung = float(ages[bucket_of(slowest_ms) + 1 :].sum())
    counted = float(intervals.unfinished_over[started >= 0, -1].sum()) if intervals.limits_ms else 0.0
    ratio = max(hung - counted, 0.0) / finished
    ok = ratio <= UNFINISHED_RATIO
    cut_off = f"{hung - counted:.0f} requests were cut off later than any was answered"
    reason = f"{cut_off}, beside {finished:.0f} finished"
    yield Check("in_flight", ratio, UNFINISHED_RATIO, ok, "" if ok else reason)
