"""Check what was recorded against Locust's own counts and against the laws that any measurement obeys."""

import math
from collections.abc import Iterator

import numpy as np

from reports.load.histogram import bucket_of, mean_ms
from reports.load.interval_rows import summed
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.verdict.check import Check

UNFINISHED_RATIO = 0.05
OUTSIDE = 5
OUTSIDE_RATIO = 0.001
LITTLE_RATIO = 0.3
LITTLE_REQUESTS = 2.0


def recording_checks(run: Run, window: SteadyState) -> Iterator[Check]:
    """Yield the checks of a run with intervals; those of requests are about the judged window."""
    yield _recording_errors(run)
    yield from _totals_match(run)
    yield from _in_flight(run, window)
    yield from _littles_law(run, window)


def _recording_errors(run: Run) -> Check:
    errors = run.meta.recording_errors
    reason = f"{errors} errors while recording: requests are missing" if errors else ""
    return Check("recording_errors", float(errors), 0.0, not errors, reason)


def _totals_match(run: Run) -> Iterator[Check]:
    # After a reset Locust's totals are those of the time since.
    if run.meta.locust_totals is None or run.meta.stats_reset:
        return
    (n, failures), (their_n, their_failures) = run.made, run.meta.locust_totals
    # A locustfile's own set-up and clean-up may send requests that are none of the run.
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


def _littles_law(run: Run, window: SteadyState) -> Iterator[Check]:
    """Hold requests/s times mean latency, which makes the number in flight, against those seen.

    Left out where the generator counted none in flight, as for clients it does not know.
    """
    seen = run.health[run.health["unix_s"].between(window.first_s, window.end_s)]
    per_second = seen.groupby(np.floor(seen["unix_s"]))["in_flight"].sum()
    if per_second.empty or not per_second.sum() or not math.isfinite(per_second.mean()):
        return
    found, expected = float(per_second.mean()), busy_ratio(run, window)
    # Fewer are ordinary: events that wrap other requests, and clients whose requests nobody sees begin.
    ok = found - expected <= LITTLE_RATIO * expected + LITTLE_REQUESTS
    reason = (
        f"{found:.1f} requests were seen in flight, but requests/s times mean latency makes {expected:.1f}:"
        " requests hang, or their latencies are not those that the clients saw"
    )
    yield Check("littles_law", found, expected, ok, "" if ok else reason)


def busy_ratio(run: Run, window: SteadyState) -> float:
    """Return requests/s times mean latency of the window, failures included: the mean number in flight."""
    intervals = run.intervals
    started = window.blocks(intervals.seconds("started_s"), 1)
    failed = intervals.merged(intervals.failed, started, 1)[0]
    busy_ms = float(summed(intervals.column("sum_ms"), started, 1)[0])
    if failed.any():
        busy_ms += mean_ms(failed) * float(failed.sum())
    return busy_ms / 1000 / window.length_s
