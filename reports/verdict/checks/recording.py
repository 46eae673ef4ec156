"""Check the recording: that it is whole, equals Locust's own counts, and obeys the laws of a queue.

Requests/s times mean latency, X * R, is the mean number of requests in flight, and users = X * (R + Z), where
Z is the time a user thinks between two requests, which cannot be negative.
"""

import math

import numpy as np
from numpy.typing import NDArray

from plimsoll.run_files.files import CLOSED
from reports.load.histograms import Group, mean_ms, summed
from reports.load.run import Run
from reports.steady_state import SteadyState, judged_health
from reports.verdict.checks import EVERYTHING, Check, Family
from reports.wording import plural

OUTSIDE = 5
OUTSIDE_RATIO = 0.001
SLACK_RATIO = 0.3
SLACK_REQUESTS = 2.0
HTTP = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
"""Types of the requests that Locust's own clients make, which are watched; others may wrap requests."""


def files_complete(run: Run) -> Check | None:
    """Return how many faults the files have, where there is one."""
    if not run.damage:
        return None
    reason = "; ".join(run.damage)
    return Check(
        "files_complete", float(len(run.damage)), 0.0, ok=False, reason=reason, undermines=EVERYTHING
    )


def invariants_hold(run: Run) -> Check | None:
    """Return how many invariants of the service's data do not hold after the run, or were not verified."""
    wrong = [each for each in run.meta.invariants if not each.holds]
    if not run.meta.invariants:
        return None
    reason = "; ".join(
        f"{each.name!r} {'was not verified' if each.holds is None else 'does not hold'}"
        f"{f': {each.text}' if each.text else ''}"
        for each in wrong
    )
    is_broken = any(each.holds is False for each in wrong)
    return Check(
        "invariants_hold", float(len(wrong)), 0.0, ok=not wrong, reason=reason, is_decisive=is_broken
    )


def stats_reset(run: Run) -> Check | None:
    """Return a failed check where Locust's figures, which are judged, leave out the time before a reset."""
    if not run.meta.stats_reset or run.intervals:
        return None
    reason = "Locust's statistics were reset during the run"
    return Check("stats_reset", 1.0, 0.0, ok=False, reason=reason, undermines=EVERYTHING)


def csv_totals_add_up(run: Run) -> Check | None:
    """Return how many requests Locust's rows add up to, and its total."""
    if run.total.empty or run.requests.empty or run.intervals:
        return None
    counts = ["n", "failures"]
    parts, whole = run.requests[counts].sum(), run.total[counts].sum()
    reason = (
        f"the requests by name add up to {parts['n']:.0f} ({parts['failures']:.0f} failed),"
        f" Locust's total says {whole['n']:.0f} ({whole['failures']:.0f} failed)"
    )
    ok = bool((parts == whole).all())
    return Check.of("csv_totals_add_up", float(parts["n"]), float(whole["n"]), ok, reason, EVERYTHING)


def recording_errors(run: Run) -> Check:
    """Return how many errors there were while recording."""
    errors, fault = run.meta.recording_errors, run.meta.recording_fault
    counted = f"{errors} {plural(errors, 'error')} while recording"
    reason = f"{counted}: requests are missing" if errors else ""
    if fault:
        reason = f"{counted}, the first was of {fault}"
    return Check("recording_errors", float(errors), 0.0, not errors, reason, EVERYTHING)


def locust_totals_match(run: Run) -> Check | None:
    """Return how many requests were recorded, and how many Locust counted."""
    # After a reset Locust's totals are those of the time since.
    if run.meta.locust_totals is None or run.meta.stats_reset:
        return None
    (n, failures), (their_n, their_failures) = run.made, run.meta.locust_totals
    # The set-up and clean-up of a locustfile may send requests that are not part of the run.
    ok = max(abs(n - their_n), abs(failures - their_failures)) <= max(OUTSIDE, OUTSIDE_RATIO * their_n)
    reason = (
        f"the intervals hold {n} {plural(n, 'request')} ({failures} failed),"
        f" Locust counted {their_n} ({their_failures} failed)"
    )
    return Check.of("locust_totals_match", float(n), float(their_n), ok, reason, EVERYTHING)


def littles_law(run: Run, window: SteadyState) -> Check:
    """Return how many requests were seen in flight, and how many there must be."""
    seen, undermines = _in_flight(run, window), (Family.LATENCY, Family.RATE)
    if seen is None:
        reason = "not made: no client reported its requests in flight"
        return Check("littles_law", None, None, ok=True, reason=reason, undermines=undermines)
    started = window.blocks(run.intervals.seconds("started_s"), 1)
    expected = _busy(run, window, started)
    # Fewer are ordinary for events that wrap others, and for clients that report no start of a request.
    watched = bool(_is_http(run)[started >= 0].all())
    ok = abs(seen - expected) <= _slack(expected) or (seen < expected and not watched)
    why = "requests hang, or their" if seen > expected else "some were not seen under way, or their"
    reason = (
        f"{seen:.1f} requests were seen in flight, but requests/s times mean latency makes {expected:.1f}:"
        f" {why} latencies are not those that the clients saw"
    )
    return Check.of("littles_law", seen, expected, ok, reason, undermines)


def user_concurrency(run: Run, window: SteadyState) -> Check | None:
    """Return X * R and the users of a closed load.

    More are only under way where users send several requests at once.
    """
    if run.meta.load_model not in {None, CLOSED}:
        return None
    seen, undermines = _in_flight(run, window), (Family.LATENCY, Family.RATE)
    users = float(run.stages["users"][run.stages["unix_s"].between(window.first_s, window.end_s)].mean())
    started = np.where(_is_http(run), window.blocks(run.intervals.seconds("started_s"), 1), -1)
    per_s = run.intervals.total("n", started) / window.length_s
    if not users > 0 or not per_s:
        reason = "not made: the number of users is unknown, or no user made an HTTP request"
        return Check("user_concurrency", None, None, ok=True, reason=reason, undermines=undermines)
    busy = _busy(run, window, started)
    several = seen is not None and abs(seen - busy) <= _slack(busy)
    ok = busy <= users + _slack(users) or several
    think_s = users / per_s - busy / per_s
    reason = (
        f"users = X·(R + Z): {users:.4g} users make {per_s:.3g} requests/s of {1000 * busy / per_s:.3g} ms"
    )
    if think_s >= 0:
        reason += f", so think for {think_s:.3g} s between two"
    else:
        reason += ", several at once" if ok else ", which is more than they have time for:"
        reason += "" if ok else " the latencies are not those that the users met"
    return Check("user_concurrency", busy, users, ok, reason, undermines)


def _slack(number: float) -> float:
    return SLACK_RATIO * number + SLACK_REQUESTS


def _in_flight(run: Run, window: SteadyState) -> float | None:
    """Return the mean number in flight, of all processes; None where no client reported any."""
    rows = judged_health(run, window)
    mean = float(rows["in_flight"].groupby(np.floor(rows["unix_s"])).sum().mean())
    return mean if mean > 0 and math.isfinite(mean) else None


def _is_http(run: Run) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = run.intervals.rows["request_type"].isin(HTTP).to_numpy(dtype=bool)
    return known


def _busy(run: Run, window: SteadyState, started: Group) -> float:
    """Return requests/s times mean latency of the rows of group 0, failures included."""
    intervals = run.intervals
    failed = intervals.merged(intervals.failed, started, 1)[0]
    busy_ms = float(summed(intervals.column("sum_ms"), started, 1)[0])
    if failed.any():
        busy_ms += mean_ms(failed) * float(failed.sum())
    return busy_ms / 1000 / window.length_s
