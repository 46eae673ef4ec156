"""Check that a load with a schedule was applied: that what should have been started was.

Where a schedule runs away from its service, because no user is free or the generator cannot keep up,
latencies grow with the length of the run: they tell of the overload, and not of the service at that rate.
So they do where users at a pace fall behind it: who starts D s later at the end than in the beginning has
left out what was due in D s.
"""

import math
from collections.abc import Iterator

import numpy as np

from reports.load.interval_rows import summed
from reports.load.run import OPEN, PACED, Run
from reports.steady_state import SteadyState
from reports.verdict.check import Check
from reports.verdict.generator_health import judged_health

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


def arrivals_check(run: Run, window: SteadyState) -> Iterator[Check]:
    """Yield the share of the arrivals that were started, of those due in the judged seconds."""
    if run.meta.load_model == PACED:
        yield from _pace_check(run, window)
    rows = judged_health(run, window).dropna(subset=["started", "dropped"])
    if run.meta.load_model != OPEN or rows.empty:
        return
    started, dropped = float(rows["started"].sum()), float(rows["dropped"].sum())
    planned = _planned(run, float(rows["unix_s"].min()) - 1, float(rows["unix_s"].max()))
    due = max(started + dropped, planned)
    if not due:
        return
    value = started / due
    ok = value >= STARTED_RATIO
    reason = (
        f"only {started:.0f} of {due:.0f} arrivals were started ({dropped:.0f} dropped):"
        " overload, not a latency estimate"
    )
    yield Check("arrivals", value, STARTED_RATIO, ok, "" if ok else reason)


def _pace_check(run: Run, window: SteadyState) -> Iterator[Check]:
    """Yield the share of the iterations that were started, of those that users at a pace were to start."""
    recorded = run.iterations
    part = window.blocks(recorded.seconds("started_s"), PARTS)
    n = recorded.merged(recorded.responses, part, PARTS).sum(axis=1)
    known = np.flatnonzero(n)
    if len(known) < 2:
        return
    waited_ms = recorded.column("response_sum_ms") - recorded.column("sum_ms")
    late_s = summed(waited_ms, part, PARTS)[known] / n[known] / 1000
    between_s = window.length_s * float(known[-1] - known[0]) / PARTS
    value = 1 - max(float(late_s[-1] - late_s[0]), 0.0) / between_s
    ok = value >= KEPT_RATIO
    reason = (
        f"users fell behind their pace: started {late_s[0]:.3g} s late at first, {late_s[-1]:.3g} s in the"
        f" end, so that {value:.0%} of their iterations were started: overload, not a latency estimate"
    )
    yield Check("arrivals", value, KEPT_RATIO, ok, "" if ok else reason)


def _planned(run: Run, from_s: float, to_s: float) -> float:
    """Return how many arrivals the plan wants between two moments, less what edges and chance may take."""
    plan = run.stages.dropna(subset=["unix_s", "planned_rate"]).sort_values("unix_s")
    if plan.empty:
        return 0.0
    moments_s = np.arange(from_s, to_s, 0.1)
    rates = np.interp(moments_s, plan["unix_s"], plan["planned_rate"])
    planned = float(rates.mean()) * (to_s - from_s)
    by_chance = run.meta.arrivals is not None and run.meta.arrivals.spacing == "poisson"
    chance = CHANCE_SIGMAS * math.sqrt(planned) if by_chance else 1.0
    return max(planned - EDGE_S * float(rates.max()) - chance, 0.0)
