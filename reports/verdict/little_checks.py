"""Check the laws that any measurement of a queue obeys (Little 1961).

Requests/s times mean latency, X * R, is the mean number of requests in flight, and users = X * (R + Z), where
Z is the time a user thinks between two requests, which cannot be negative.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reports.load.histogram import mean_ms
from reports.load.interval_rows import Group, summed
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.verdict.check import Check
from reports.verdict.generator_health import judged_health

RATIO = 0.3
REQUESTS = 2.0
HTTP = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
"""Types of the requests that Locust's own clients make, which are watched; others may wrap requests."""


def little_checks(run: Run, window: SteadyState) -> Iterator[Check]:
    """Yield both checks, each also where it cannot be made, with the reason."""
    seen = _in_flight(run, window)
    yield _littles_law(run, window, seen)
    if run.meta.load_model in {None, "closed"}:
        yield _think_time(run, window, seen)


def _littles_law(run: Run, window: SteadyState, seen: float | None) -> Check:
    if seen is None:
        reason = "not made: no client reported its requests in flight"
        return Check("littles_law", None, None, ok=True, reason=reason)
    started = window.blocks(run.intervals.seconds("started_s"), 1)
    expected = busy_ratio(run, window, started)
    # Fewer are ordinary for events that wrap others, and for clients that report no start of a request.
    watched = bool(_is_http(run)[started >= 0].all())
    ok = abs(seen - expected) <= _slack(expected) or (seen < expected and not watched)
    why = "requests hang, or their" if seen > expected else "some were not seen under way, or their"
    reason = (
        f"{seen:.1f} requests were seen in flight, but requests/s times mean latency makes {expected:.1f}:"
        f" {why} latencies are not those that the clients saw"
    )
    return Check("littles_law", seen, expected, ok, "" if ok else reason)


def _think_time(run: Run, window: SteadyState, seen: float | None) -> Check:
    """Hold X * R against the users: more are only under way where users send several at once."""
    users = _users(run, window)
    started = np.where(_is_http(run), window.blocks(run.intervals.seconds("started_s"), 1), -1)
    per_s = run.intervals.total("n", started) / window.length_s
    if users is None or not per_s:
        reason = "not made: the number of users is unknown, or no user made an HTTP request"
        return Check("think_time", None, None, ok=True, reason=reason)
    busy = busy_ratio(run, window, started)
    several = seen is not None and abs(seen - busy) <= _slack(busy)
    ok = busy <= users + _slack(users) or several
    think_s = users / per_s - busy / per_s
    reason = (
        f"users = X·(R + Z): {users:.4g} users make {per_s:.3g} requests/s of {1000 * busy / per_s:.3g} ms"
    )
    reason += f", so think for {think_s:.3g} s between two" if think_s >= 0 else _negative(ok=ok)
    return Check("think_time", busy, users, ok, reason)


def _negative(*, ok: bool) -> str:
    if ok:
        return ", several at once"
    return ", which is more than they have time for: the latencies are not those that the users met"


def _slack(number: float) -> float:
    return RATIO * number + REQUESTS


def _in_flight(run: Run, window: SteadyState) -> float | None:
    """Return the mean number in flight, of all processes; None where no client reported any."""
    rows = judged_health(run, window)
    mean = float(rows["in_flight"].groupby(np.floor(rows["unix_s"])).sum().mean())
    return mean if mean > 0 and math.isfinite(mean) else None


def _users(run: Run, window: SteadyState) -> float | None:
    inside = run.stages["unix_s"].between(window.first_s, window.end_s)
    users = float(run.stages["users"][inside].mean())
    return users if users > 0 and math.isfinite(users) else None


def _is_http(run: Run) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = run.intervals.rows["request_type"].isin(HTTP).to_numpy(dtype=bool)
    return known


def busy_ratio(run: Run, window: SteadyState, started: Group) -> float:
    """Return requests/s times mean latency of the rows of group 0, failures included."""
    intervals = run.intervals
    failed = intervals.merged(intervals.failed, started, 1)[0]
    busy_ms = float(summed(intervals.column("sum_ms"), started, 1)[0])
    if failed.any():
        busy_ms += mean_ms(failed) * float(failed.sum())
    return busy_ms / 1000 / window.length_s
