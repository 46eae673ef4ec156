"""Check that a load with a schedule was applied: that what should have been started was.

Where arrivals run away from their service, because no user is free or the generator cannot keep up, latencies
grow with the length of the run: they tell of the overload, and not of the service at that rate.

Users with Locust's constant_pacing start at most at that pace: where their tasks take longer they are a
closed load, whose latencies are those of the service. Who starts D s later at the end than in the beginning
has left out what was due in D s. Only times from the intended start grow with the length of such a run.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from reports.load.interval_rows import summed
from reports.load.run import OPEN, PACED, Run
from reports.steady_state import SteadyState
from reports.verdict.check import Check
from reports.verdict.generator_health import judged_health
from reports.verdict.judge import Judgement

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


def pace_check(run: Run, window: SteadyState, judgements: Sequence[Judgement]) -> Iterator[Check]:
    """Yield the share of the iterations that users at a pace started, of those that their pace allows.

    A lower one fails only where a limit is on times from the intended start; else it is a fact that is said.
    """
    recorded = run.iterations
    part = window.blocks(recorded.seconds("started_s"), PARTS)
    n = recorded.merged(recorded.responses, part, PARTS).sum(axis=1)
    known = np.flatnonzero(n)
    if run.meta.load_model != PACED or len(known) < 2:
        return
    waited_ms = recorded.column("response_sum_ms") - recorded.column("sum_ms")
    late_s = summed(waited_ms, part, PARTS)[known] / n[known] / 1000
    between_s = window.length_s * float(known[-1] - known[0]) / PARTS
    value = 1 - max(float(late_s[-1] - late_s[0]), 0.0) / between_s
    is_kept = value >= KEPT_RATIO
    reason = (
        f"tasks took longer than the pacing of their users, who made {value:.0%} of the iterations that it"
        f" allows: they started {late_s[0]:.3g} s late at first and {late_s[-1]:.3g} s in the end"
    )
    ok = is_kept or not any(each.threshold.statement.metric.is_response for each in judgements)
    if not ok:
        reason += "; times from the intended start grow with the length of such a run"
    yield Check("pace_kept", value, KEPT_RATIO, ok, "" if is_kept else reason)


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
