"""Check what became of the requests: that some were made and answered, and that nothing failed unseen.

A gap is a stretch of seconds with users in which no request was finished. Gaps are ordinary under a
small load, so each is held against what chance makes: with b of T seconds busy, each as likely as another,
the chance of a gap of g seconds or more is at most (b + 1) * C(T - g, b) / C(T, b), whatever the rate.
What chance makes in 1 of 1000 runs is a false alarm. Busy seconds come in bursts where few users think for
long, so a gap must also be three times as long as any other, and over five seconds.

More is known where the clients tell what is in flight. A gap up to the end with something in flight all
the time is not made by users who think: its limit is three times the slowest answer. One that
ended is a pause if nothing was in flight, else a stall, which the latencies tell: it counts where it took
over 5 % of the judged time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from reports.estimates.selection import lacks, selected
from reports.load.histograms import bucket_of, middle_ms
from reports.load.run import REQUEST_KEYS, Run
from reports.steady_state import SteadyState
from reports.thresholds.entries import Threshold
from reports.thresholds.selectors import Target
from reports.thresholds.statement import UPPER_LIMITS, WHOLE
from reports.verdict.checks import EVERYTHING, LOAD, Check, Family
from reports.wording import plural

EXCEPTIONS_RATIO = 0.01
FAILED_RATIO = 0.01
ABOUT_FAILURES = {"error_rate", "failures"}
UNFINISHED_RATIO = 0.05

FALSE_ALARMS = 0.001
SHORTEST_S = 5.0
TIMES_OTHERS = 3
STALL_RATIO = 0.05

TIMES_SLOWEST = 3
IN_FLIGHT_RATIO = 0.5

Seconds = NDArray[np.bool_]


@dataclass(frozen=True)
class Gap:
    """Hold how long nothing was finished, and how long would have been ordinary."""

    length_s: float
    limit_s: float
    ended: bool = True


def any_requests(run: Run) -> Check:
    """Return how many requests were finished."""
    made, unfinished = run.made[0], run.intervals.total("unfinished")
    reason = "no request was made"
    if unfinished:
        reason = f"no request was answered, {unfinished:.0f} {plural(unfinished, 'was', 'were')} cut off"
    return Check("any_requests", made, 1.0, made >= 1, "" if made else reason, EVERYTHING)


def any_success(run: Run) -> Check | None:
    """Return how many requests did not fail."""
    made, failures = run.made
    if not made:
        return None
    reason = (
        "" if made > failures else "the only request failed" if made == 1 else f"all {made} requests failed"
    )
    return Check("any_success", made - failures, 1.0, made > failures, reason, (Family.LATENCY,))


def task_exceptions(run: Run) -> Check | None:
    """Return how many tasks raised an exception for each request: the rest of the task was not made."""
    broken, made = float(run.exceptions["count"].sum()), run.made[0]
    if not broken:
        return None
    ratio = broken / max(made, 1)
    first = str(run.exceptions["message"].iloc[0])[:200]
    reason = f"{broken:.0f} {plural(broken, 'task')} raised an exception; first: {first!r}"
    ok = ratio <= EXCEPTIONS_RATIO
    return Check.of("task_exceptions", ratio, EXCEPTIONS_RATIO, ok, reason, LOAD)


def error_rate_unchecked(run: Run, thresholds: Sequence[Threshold]) -> Check | None:
    """Return the share of failures of the requests that no threshold limits the failures of.

    They are held to FAILED_RATIO together and each name by itself; a single failure of a name only counts
    in the former. The check is of the worst, and left out where every request is covered.
    """
    made = run.intervals.rows if run.intervals else run.total if run.requests.empty else run.requests
    covered = np.zeros(len(made), dtype=bool)
    for threshold in thresholds:
        statement = threshold.statement
        is_cap = statement.metric.name in ABOUT_FAILURES and statement.sides[-1].operator in UPPER_LIMITS
        # One on a part of the run lets anything happen in the rest.
        is_cap &= statement.measures[0].scope == WHOLE
        of_requests = statement.target is Target.REQUESTS and not lacks(statement.selector, made)
        if threshold.level == "fail" and is_cap and of_requests:
            covered |= selected(statement.selector, made)
    left = made[~covered & (made["n"] > 0).to_numpy()]
    if left.empty or not thresholds:
        return None
    names = left.groupby(REQUEST_KEYS, observed=True, dropna=False)[["n", "failures"]].sum().reset_index()
    n, failures = names["n"].to_numpy(), names["failures"].to_numpy()
    ratio, example = float(failures.sum() / n.sum()), "error_rate < 1%"
    subject = f"the other {n.sum():.0f} {plural(n.sum(), 'request')}" if covered.any() else "the requests"
    ratios = np.where(failures > 1, failures / n, 0.0)
    worst = int(ratios.argmax())
    if ratios[worst] > FAILED_RATIO and (covered.any() or ratio <= FAILED_RATIO):
        ratio, name = float(ratios[worst]), str(names["name"][worst])
        subject, example = f"the {n[worst]:.0f} requests {name!r}", f'error_rate of "{name}" < 1%'
    ok = ratio <= FAILED_RATIO
    reason = f"{ratio:.1%} of {subject} failed, and no threshold limits their failures; add '{example}'"
    return Check.of("error_rate_unchecked", ratio, FAILED_RATIO, ok, reason)


def unfinished_requests(run: Run, window: SteadyState) -> Check | None:
    """Return the share of requests cut off older than any success was slow, and younger than the limits.

    They hung. Younger ones are ordinary: whatever is under way when users stop is cut off. Those as old as a
    limit are counted as over it.
    """
    intervals = run.intervals
    started = window.blocks(intervals.seconds("started_s"), 1)
    finished = intervals.total("n", started)
    slowest_ms = float(np.nanmax(intervals.column("max_ms")[started >= 0], initial=0.0))
    if not finished:
        return None
    ages = intervals.merged(intervals.unfinished, started, 1)[0]
    hung = float(ages[bucket_of(slowest_ms) + 1 :].sum())
    counted = float(intervals.unfinished_over[started >= 0, -1].sum()) if intervals.limits_ms else 0.0
    ratio = max(hung - counted, 0.0) / finished
    ok = ratio <= UNFINISHED_RATIO
    left = max(hung - counted, 0.0)
    were = plural(left, "was", "were")
    reason = (
        f"{left:.0f} of {finished + left:.0f} requests {were} unfinished and older than the slowest response"
    )
    return Check.of("unfinished_requests", ratio, UNFINISHED_RATIO, ok, reason)


def response_gap(run: Run, window: SteadyState) -> Check | None:
    """Return the check of the gap that is most beyond its limit; both in seconds."""
    seconds = np.arange(window.first_s, window.end_s)
    seen = run.stages.dropna(subset=["unix_s", "users"])
    users = seen["users"].groupby(np.floor(seen["unix_s"])).max().reindex(seconds)
    # Where the users are not known, some are taken to run.
    has_users = np.asarray(users.ffill().bfill().fillna(1.0) > 0)
    if not has_users.any():
        return None
    recorded = run.intervals
    ended_s = recorded.seconds("ended_s")[recorded.column("n") > 0]
    answered = np.isin(seconds, ended_s)
    failed_ms = float(middle_ms(recorded.failed.width)) if len(recorded.failed.buckets) else 0.0
    slowest_ms = max(float(np.nanmax(recorded.column("max_ms"), initial=0.0)), failed_ms)
    busy_s, in_flight = np.floor(run.health["unix_s"][run.health["in_flight"] > 0]), None
    if not busy_s.empty:
        # A row is of the second before it was written, which lies in two of the clock's.
        in_flight = np.isin(seconds, np.concatenate((busy_s, busy_s - 1)))
    worst = worst_gap(answered, has_users, in_flight, slowest_ms / 1000)
    where = "" if worst.ended else " up to the end of the judged time"
    reason = f"no request was finished for {worst.length_s:.0f} s{where}, while users were running"
    ok = worst.length_s <= worst.limit_s
    undermines = (Family.LATENCY, Family.RATE, Family.ERRORS)
    return Check.of("response_gap", worst.length_s, worst.limit_s, ok, reason, undermines, hides_worse=True)


def worst_gap(answered: Seconds, has_users: Seconds, in_flight: Seconds | None, slowest_s: float) -> Gap:
    """Return the gap that is most beyond its limit, or the nearest to it.

    The arrays mark the seconds with an answer, with users, and with a request in flight (None: not known).
    """
    found = gaps_of(has_users & ~answered)
    chance_s = float(longest_random_gap(int((answered & has_users).sum()), int(has_users.sum())))
    held = [Gap(0.0, SHORTEST_S)]
    second, first = sorted([0, 0, *(end - start for start, end in found)])[-2:]
    for start, end in found:
        other = second if end - start == first else first
        limit_s = max(SHORTEST_S, chance_s, float(TIMES_OTHERS * other))
        waited = 1.0 if in_flight is None else in_flight[start:end].mean()
        if end == len(has_users):
            if in_flight is not None and waited == 1:
                limit_s = min(limit_s, max(SHORTEST_S, TIMES_SLOWEST * slowest_s))
            held.append(Gap(float(end - start), limit_s, ended=False))
        elif waited > IN_FLIGHT_RATIO:
            held.append(Gap(float(end - start), max(limit_s, STALL_RATIO * len(has_users))))
    return max(held, key=lambda gap: gap.length_s / gap.limit_s)


def longest_random_gap(busy: int, seconds: int) -> int:
    """Return the longest gap that chance makes in more than 1 of 1000 runs; 0 with nothing answered."""
    if not busy:
        return 0
    gap = np.arange(1, seconds - busy + 1)
    chance = (
        math.log(busy + 1)
        + (gammaln(seconds - gap + 1) - gammaln(seconds - gap - busy + 1))
        - (gammaln(seconds + 1) - gammaln(seconds - busy + 1))
    )
    return int((chance >= math.log(FALSE_ALARMS)).sum())


def gaps_of(silent: Seconds) -> list[tuple[int, int]]:
    """Return each stretch of silent seconds as its first second and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], silent, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
