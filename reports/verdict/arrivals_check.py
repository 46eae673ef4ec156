"""Check that an open load was applied: that what should have arrived did arrive.

Where a schedule runs away from its service, because no user is free or the generator cannot keep up,
latencies grow with the length of the run: they tell of the overload, and not of the service at that rate.
"""

import math
from collections.abc import Iterator

import numpy as np

from reports.load.run import OPEN, Run
from reports.steady_state import SteadyState
from reports.verdict.check import Check
from reports.verdict.generator_checks import judged_health

STARTED_RATIO = 0.95
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
