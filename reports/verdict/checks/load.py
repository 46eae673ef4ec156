"""Check that the planned load was applied: users, arrivals, pace, and for long enough.

Where arrivals run away from their service, because no user is free or the generator cannot keep up, latencies
grow with the length of the run: they tell of the overload, and not of the service at that rate.

Users with Locust's constant_pacing start at most at that pace: where their tasks take longer they are a
closed load, whose latencies are those of the service. Who starts D s later at the end than in the beginning
has left out what was due in D s. Only times from the intended start grow with the length of such a run.
"""

import math
from collections.abc import Sequence

import numpy as np

from plimsoll.run_files.files import OPEN, PACED, PLANNED_ENDS
from reports.load.histograms import summed
from reports.load.run import Run
from reports.steady_state import SteadyState, judged_health
from reports.thresholds.entries import Threshold
from reports.thresholds.metrics import Clock
from reports.verdict.checks import LOAD, Check, Family
from reports.wording import plural

SHORTEST_S = 5.0
"""Locust writes once a second: fewer figures cannot tell a trend from chance."""
SET_UP_S = 1.0
"""The reason of a shortened run mentions a set-up of at least this length."""
REACHED_RATIO = 0.95
TOLERANCE_RATIO = 0.05
DELAY_S = 2.0
"""Locust starts users in steps of a second: their number is right if the plan of a near moment allows it."""

STARTED_RATIO = 0.98
"""Of the arrivals of an open load. Those that are missing would have met the service at its slowest: what is
left is the latency of a lower rate. The edges and chance are allowed for besides."""
KEPT_RATIO = 0.95
"""Of the iterations of users at a pace, from how late they start in two short stretches: less would take a
single stall in the last of these for falling behind."""
PARTS = 10
"""Of the judged time; those who start in the first and in the last are compared."""
EDGE_S = 1.0
"""The seconds of the generator's processes and of the plan do not begin together."""
CHANCE_SIGMAS = 3.3
"""By how many standard deviations arrivals that come by chance may be fewer, in all but 1 of 2000 runs."""


def load_reached(run: Run) -> Check | None:
    """Return the share of the seconds that had the planned number of users."""
    plan = run.stages.dropna(subset=["elapsed_s", "planned_users", "users"]).sort_values("elapsed_s")
    if plan.empty:
        return None
    if not run.meta.stages:
        # No shape of the suite plans the way there: Locust starts users as fast as they can be made. Of each
        # number of planned users those rows count since it was reached, or all where it never was.
        wanted, peak = plan["planned_users"], float(plan["users"].max())
        there = plan["users"].between(wanted * (1 - TOLERANCE_RATIO), wanted * (1 + TOLERANCE_RATIO))
        stretch = there.groupby(wanted.ne(wanted.shift()).cumsum())
        plan = plan[stretch.cummax() | ~stretch.transform("any")] if there.any() else plan.iloc[:0]
    if plan.empty:
        reason = f"the planned number of users was never reached; peak {peak:.0f}"
        return Check("load_reached", 0.0, REACHED_RATIO, ok=False, reason=reason, undermines=LOAD)
    # The users of a second must fit the plan of a near moment; beyond its ends no users are planned.
    at_s, users = plan["elapsed_s"].to_numpy(), plan["users"].to_numpy()
    planned = np.concatenate(([0.0], plan["planned_users"].to_numpy(), [0.0]))
    moments_s = np.concatenate(([at_s[0] - 1], at_s, [at_s[-1] + 1]))
    first = np.searchsorted(moments_s, at_s - DELAY_S, side="left")
    last = np.searchsorted(moments_s, at_s + DELAY_S, side="right")
    near = [planned[start:end] for start, end in zip(first, last, strict=True)]
    low, high = np.array([part.min() for part in near]), np.array([part.max() for part in near])
    on_plan = (users >= low * (1 - TOLERANCE_RATIO)) & (users <= high * (1 + TOLERANCE_RATIO))
    reached, seconds = float(on_plan.mean()), len(on_plan)
    # Of few seconds one may be off the plan, in which one user ends and the next begins.
    most_off = max(1.0, (1 - REACHED_RATIO) * seconds)
    reason = f"only {reached:.0%} of the seconds had the planned number of users (within 5 %)"
    ok = int((~on_plan).sum()) <= most_off
    begin_s = float(plan["elapsed_s"].iloc[0])
    fact = f"the planned users were there from {begin_s:.0f} s on" if begin_s > SHORTEST_S else ""
    return Check("load_reached", reached, 1 - most_off / seconds, ok, fact if ok else reason, LOAD)


def run_completed(run: Run) -> Check | None:
    """Return how long the run took, and how long it was planned."""
    meta, duration_s = run.meta, run.duration_s
    if not meta.recorded:
        return None
    planned_s = meta.planned_duration_s
    reason = ""
    if meta.ended is None:
        reason = "the run has no recorded end: its process died, or could not write run.json"
    # The clocks of the files tick in seconds.
    elif (
        planned_s is not None
        and duration_s is not None
        and duration_s < planned_s - max(2.0, 0.02 * planned_s)
    ):
        reason = f"the run ended after {duration_s:.1f} s of {planned_s:.1f} s planned ({meta.end_reason})"
    elif planned_s is None and meta.shape is not None and meta.end_reason not in PLANNED_ENDS:
        reason = f"the run was ended before its schedule ({meta.end_reason})"
    # Locust counts --run-time from before test_start, but does not count it where there is a shape.
    is_shortened = meta.set_up_s >= SET_UP_S and planned_s is not None and meta.shape is None
    fact = f"{meta.set_up_s:.1f} s of the run time were set-up by listeners of test_start, without load"
    ok, said = not reason, reason or (fact if is_shortened else "")
    return Check("run_completed", duration_s, planned_s, ok, said, (Family.COUNT, Family.SCHEDULE))


def not_aborted(run: Run) -> Check | None:
    """Return whether the locustfile ended the process."""
    aborted = run.meta.aborted
    if not run.meta.recorded:
        return None
    reason, undermines = (
        f"the run was broken off: {aborted}" if aborted else "",
        (Family.COUNT, Family.SCHEDULE),
    )
    return Check("not_aborted", float(bool(aborted)), 0.0, not aborted, reason, undermines)


def min_duration(run: Run, window: SteadyState | None) -> Check | None:
    """Return how long the judged time is.

    A short one undermines no single threshold, whose interval is the wider for it, but nothing passes.
    """
    duration_s = run.duration_s if window is None else float(window.length_s)
    if duration_s is None:
        return None
    ok = duration_s >= SHORTEST_S
    reason = f"only {duration_s:.1f} s were judged, at least {SHORTEST_S:.0f} s are needed"
    return Check.of("min_duration", duration_s, SHORTEST_S, ok, reason)


def steady_state(window: SteadyState | None) -> Check | None:
    """Return how much of a long run was cut as warm-up, of the half that was searched."""
    if window is None or window.cut_s is None or window.max_cut_s is None:
        return None
    ok = window.cut_s < window.max_cut_s
    reason = f"the figures still changed after {window.max_cut_s:.0f} s of constant load, half of the run"
    return Check.of("steady_state", window.cut_s, window.max_cut_s, ok, reason, (Family.LATENCY, Family.RATE))


def arrival_rate_kept(run: Run, window: SteadyState) -> Check | None:
    """Return the share of the arrivals that were started, of those due in the judged seconds."""
    rows = judged_health(run, window).dropna(subset=["started", "dropped"])
    if run.meta.load_model != OPEN or rows.empty:
        return None
    started, dropped = float(rows["started"].sum()), float(rows["dropped"].sum())
    due = started + dropped
    plan = run.stages.dropna(subset=["unix_s", "planned_rate"]).sort_values("unix_s")
    if not plan.empty:
        # What the plan wants in these seconds, less what edges and chance may take.
        from_s, to_s = float(rows["unix_s"].min()) - 1, float(rows["unix_s"].max())
        rates = np.interp(np.arange(from_s, to_s, 0.1), plan["unix_s"], plan["planned_rate"])
        planned = float(rates.mean()) * (to_s - from_s)
        by_chance = run.meta.arrivals is not None and run.meta.arrivals.spacing == "poisson"
        chance = CHANCE_SIGMAS * math.sqrt(planned) if by_chance else 1.0
        due = max(due, planned - EDGE_S * float(rates.max()) - chance)
    if not due:
        return None
    value = started / due
    ok = value >= STARTED_RATIO
    reason = (
        f"only {started:.0f} of {due:.0f} arrivals {plural(started, 'was', 'were')} started"
        f" ({dropped:.0f} dropped): overload, not a latency estimate"
    )
    undermines = (Family.LATENCY, Family.SCHEDULE)
    return Check.of("arrival_rate_kept", value, STARTED_RATIO, ok, reason, undermines, hides_worse=True)


def pace_kept(run: Run, window: SteadyState, thresholds: Sequence[Threshold]) -> Check | None:
    """Return the share of the iterations that users at a pace started, of those that their pace allows.

    A lower one fails only where a limit is on times from the intended start; else it is a fact that is said.
    """
    recorded = run.iterations
    part = window.blocks(recorded.seconds("started_s"), PARTS)
    n = recorded.merged(recorded.responses, part, PARTS).sum(axis=1)
    known = np.flatnonzero(n)
    if run.meta.load_model != PACED or len(known) < 2:
        return None
    waited_ms = recorded.column("response_sum_ms") - recorded.column("sum_ms")
    late_s = summed(waited_ms, part, PARTS)[known] / n[known] / 1000
    between_s = window.length_s * float(known[-1] - known[0]) / PARTS
    value = 1 - max(float(late_s[-1] - late_s[0]), 0.0) / between_s
    is_kept = value >= KEPT_RATIO
    reason = (
        f"tasks took longer than the pacing of their users, who made {value:.0%} of the iterations that it"
        f" allows: they started {late_s[0]:.3g} s late at first and {late_s[-1]:.3g} s in the end"
    )
    ok = is_kept or not any(each.statement.metric.clock is Clock.CORRECTED for each in thresholds)
    if not ok:
        reason += "; times from the intended start grow with the length of such a run"
    said, undermines = "" if is_kept else reason, (Family.CORRECTED,)
    return Check("pace_kept", value, KEPT_RATIO, ok, said, undermines, hides_worse=True)
