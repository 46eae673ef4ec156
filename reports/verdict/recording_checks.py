"""Check what was recorded against Locust's own counts and against the laws that any measurement obeys."""

import math
from collections.abc import Iterator

import numpy as np

from reports.load.histogram import mean_ms
from reports.load.interval_rows import summed
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.verdict.check import Check

UNFINISHED_RATIO = 0.05
LITTLE_RATIO = 0.2
LITTLE_REQUESTS = 1.0


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
    ok = (n, failures) == run.meta.locust_totals
    reason = (
        f"the intervals hold {n} requests with {failures} failures,"
        f" Locust counted {their_n} with {their_failures}"
    )
    yield Check("totals_match", float(n), float(their_n), ok, "" if ok else reason)


def _in_flight(run: Run, window: SteadyState) -> Iterator[Check]:
    """Hold the requests cut off before they were as old as any limit: they might have broken it."""
    intervals = run.intervals
    started = window.blocks(intervals.seconds("started_s"), 1)
    finished, unfinished = intervals.total("n", started), intervals.total("unfinished", started)
    if not finished:
        return
    old = float(intervals.unfinished_over[started >= 0, 0].sum()) if intervals.limits_ms else 0.0
    ratio = (unfinished - old) / finished
    ok = ratio <= UNFINISHED_RATIO
    young = f"{unfinished - old:.0f} requests were cut off before they could be slow"
    reason = f"{young}, beside {finished:.0f} finished"
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
    ok = abs(found - expected) <= LITTLE_RATIO * expected + LITTLE_REQUESTS
    reason = (
        f"{found:.1f} requests were seen in flight, but requests/s times mean latency makes {expected:.1f}:"
        " rates, latencies or the recording are off"
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
