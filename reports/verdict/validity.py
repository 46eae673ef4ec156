"""Check whether a run can be trusted.

A check that cannot be made (no plan, no run.json) is left out: it is not passed.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.verdict.answering_check import kept_answering
from reports.verdict.arrivals_check import arrivals_check, pace_check
from reports.verdict.check import Check
from reports.verdict.generator_checks import generator_checks
from reports.verdict.judge import Judgement
from reports.verdict.little_checks import little_checks
from reports.verdict.recording_checks import recording_checks

SHORTEST_S = 5.0
"""Locust writes once a second: fewer figures cannot tell a trend from chance."""
SET_UP_S = 1.0
"""The reason of a shortened run mentions a set-up of at least this length."""
PLANNED_ENDS = ("schedule ended", "run time reached")
REACHED_RATIO = 0.95
TOLERANCE_RATIO = 0.05
BROKEN_RATIO = 0.01
LAG_S = 2.0
"""Locust starts users in steps of a second: their number is right if the plan of a near moment allows it."""


def check_validity(run: Run, window: SteadyState | None, judgements: Sequence[Judgement]) -> list[Check]:
    """Return every check that the run's files allow; `window` is the judged one of a run with intervals."""
    return [
        *_complete_files(run),
        *_requests_made(run),
        *_journeys_unbroken(run),
        *_totals_consistent(run),
        *_stats_reset(run),
        *_load_reached(run),
        *_planned_end(run),
        *_not_aborted(run),
        *_enough_time(run, window),
        *_steady(window),
        *generator_checks(run, window),
        *(_of_requests(run, window, judgements) if window is not None else ()),
    ]


def _of_requests(run: Run, window: SteadyState, judgements: Sequence[Judgement]) -> Iterator[Check]:
    yield from arrivals_check(run, window)
    yield from pace_check(run, window, judgements)
    yield from recording_checks(run, window)
    yield from little_checks(run, window)
    yield from kept_answering(run, window)


def _complete_files(run: Run) -> Iterator[Check]:
    if run.damage:
        yield Check("complete_files", float(len(run.damage)), 0.0, ok=False, reason="; ".join(run.damage))


def _journeys_unbroken(run: Run) -> Iterator[Check]:
    """Yield how many exceptions broke off a journey for each request: the rest of it was not made."""
    broken, made = float(run.exceptions["count"].sum()), run.made[0]
    if not broken:
        return
    ratio = broken / max(made, 1)
    first = str(run.exceptions["message"].iloc[0])[:200]
    reason = f"{broken:.0f} times an exception broke off a journey, first {first!r}"
    ok = ratio <= BROKEN_RATIO
    yield Check("journeys_unbroken", ratio, BROKEN_RATIO, ok, "" if ok else reason)


def _requests_made(run: Run) -> Iterator[Check]:
    made, failures = run.made
    unfinished = run.intervals.total("unfinished")
    reason = (
        f"no request was answered, {unfinished:.0f} were cut off" if unfinished else "no request was made"
    )
    yield Check("requests_made", made, 1.0, made >= 1, "" if made else reason)
    if made:
        successes = made - failures
        reason = "" if successes else f"all {made:.0f} requests failed"
        yield Check("some_success", successes, 1.0, successes >= 1, reason)


def _stats_reset(run: Run) -> Iterator[Check]:
    """Yield a failed check where Locust's figures, which are judged, leave out the time before a reset."""
    if run.meta.stats_reset and not run.intervals:
        yield Check("stats_reset", 1.0, 0.0, ok=False, reason="Locust's statistics were reset during the run")


def _totals_consistent(run: Run) -> Iterator[Check]:
    if run.total.empty or run.requests.empty or run.intervals:
        return
    counts = ["n", "failures"]
    parts, whole = run.requests[counts].sum(), run.total[counts].sum()
    reason = (
        f"the requests by name add up to {parts['n']:.0f} with {parts['failures']:.0f} failures,"
        f" Locust's total says {whole['n']:.0f} with {whole['failures']:.0f}"
    )
    ok = bool((parts == whole).all())
    yield Check("totals_consistent", float(parts["n"]), float(whole["n"]), ok, "" if ok else reason)


def _load_reached(run: Run) -> Iterator[Check]:
    plan = run.stages.dropna(subset=["elapsed_s", "planned_users", "users"]).sort_values("elapsed_s")
    if plan.empty:
        return
    if not run.meta.stages:
        plan, most = _since_reached(plan), float(plan["users"].max())
    if plan.empty:
        reason = f"the planned number of users was never reached; the most at once was {most:.0f}"
        yield Check("load_reached", 0.0, REACHED_RATIO, ok=False, reason=reason)
        return
    on_plan = _on_plan(plan)
    reached, seconds = float(on_plan.mean()), len(on_plan)
    # Of few seconds one may be off the plan, in which one user ends and the next begins.
    most_off = max(1.0, (1 - REACHED_RATIO) * seconds)
    reason = f"only {reached:.0%} of the seconds had the planned number of users (within 5 %)"
    ok = int((~on_plan).sum()) <= most_off
    begin_s = float(plan["elapsed_s"].iloc[0])
    fact = f"the planned users were there from {begin_s:.0f} s on" if begin_s > SHORTEST_S else ""
    yield Check("load_reached", reached, 1 - most_off / seconds, ok, fact if ok else reason)


def _since_reached(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each number of planned users since it was there, or all where it never was.

    No shape of the suite plans the way there: Locust starts users as fast as they can be made. Where none of
    these numbers ever was there, there are no rows.
    """
    planned, users = plan["planned_users"], plan["users"]
    there = users.between(planned * (1 - TOLERANCE_RATIO), planned * (1 + TOLERANCE_RATIO))
    stretch = there.groupby(planned.ne(planned.shift()).cumsum())
    return plan[stretch.cummax() | ~stretch.transform("any")] if there.any() else plan.iloc[:0]


def _on_plan(plan: pd.DataFrame) -> "NDArray[np.bool_]":
    """Mark the seconds whose users fit the plan of a moment within 2 s; beyond it the plan is no users."""
    at_s, users = plan["elapsed_s"].to_numpy(), plan["users"].to_numpy()
    planned = np.concatenate(([0.0], plan["planned_users"].to_numpy(), [0.0]))
    moments_s = np.concatenate(([at_s[0] - 1], at_s, [at_s[-1] + 1]))
    first = np.searchsorted(moments_s, at_s - LAG_S, side="left")
    last = np.searchsorted(moments_s, at_s + LAG_S, side="right")
    near = [planned[start:end] for start, end in zip(first, last, strict=True)]
    low, high = np.array([part.min() for part in near]), np.array([part.max() for part in near])
    return np.logical_and(users >= low * (1 - TOLERANCE_RATIO), users <= high * (1 + TOLERANCE_RATIO))


def _planned_end(run: Run) -> Iterator[Check]:
    meta, duration_s = run.meta, run.duration_s
    if not meta.recorded:
        return
    planned_s = meta.planned_duration_s
    reason = ""
    if meta.ended is None:
        reason = "the run has no recorded end: its process died, or could not write run.json"
    elif planned_s is not None and duration_s is not None and duration_s < planned_s - _slack_s(planned_s):
        reason = f"the run ended after {duration_s:.1f} s of {planned_s:.1f} s planned ({meta.end_reason})"
    elif planned_s is None and meta.shape is not None and meta.end_reason not in PLANNED_ENDS:
        reason = f"the run was ended before its schedule ({meta.end_reason})"
    # Locust counts --run-time from before test_start, but does not count it where there is a shape.
    is_shortened = meta.set_up_s >= SET_UP_S and planned_s is not None and meta.shape is None
    fact = f"{meta.set_up_s:.1f} s of the run time were set-up by listeners of test_start, without load"
    yield Check("planned_end", duration_s, planned_s, not reason, reason or (fact if is_shortened else ""))


def _not_aborted(run: Run) -> Iterator[Check]:
    aborted = run.meta.aborted
    if run.meta.recorded:
        reason = f"the run was broken off: {aborted}" if aborted else ""
        yield Check("not_aborted", float(bool(aborted)), 0.0, not aborted, reason)


def _slack_s(planned_s: float) -> float:
    """Return by how much a run may be shorter than planned: the clocks of the files tick in seconds."""
    return max(2.0, 0.02 * planned_s)


def _enough_time(run: Run, window: SteadyState | None) -> Iterator[Check]:
    duration_s = run.duration_s if window is None else float(window.length_s)
    if duration_s is None:
        return
    ok = duration_s >= SHORTEST_S
    reason = f"only {duration_s:.1f} s were judged, at least {SHORTEST_S:.0f} s are needed"
    yield Check("enough_time", duration_s, SHORTEST_S, ok, "" if ok else reason)


def _steady(window: SteadyState | None) -> Iterator[Check]:
    if window is None or window.cut_s is None or window.most_s is None:
        return
    ok = window.cut_s < window.most_s
    reason = f"the figures still changed after {window.most_s:.0f} s of constant load, half of the run"
    yield Check("steady_state", window.cut_s, window.most_s, ok, "" if ok else reason)
