"""Count the iterations that a schedule wanted started: those that started late, and those that never did."""

import math

from reports.estimates.estimate import Estimate, exact
from reports.load.run import Run
from reports.thresholds.statement import SHARE, Metric


def estimate_of_starts(metric: Metric, run: Run) -> tuple[Estimate | None, str]:
    """Return the estimate of `dropped_iterations` or `late_iterations`, or None and why there is none.

    A share is of the planned iterations (dropped) or of those started (late), over the whole run. Those that
    came by chance may be more than were planned.
    """
    if not run.has_schedule:
        return None, "the run had no schedule of iterations, so that none could be late or dropped"
    counted = run.iterations_counted
    which = metric.name.removesuffix("_iterations")
    started, found = counted["started"], counted[which]
    if math.isnan(found + started):
        return None, "health.csv has no iteration counts"
    planned = run.meta.arrivals.planned if run.meta.arrivals is not None else 0
    of = int(max(planned, started + counted["dropped"]) if which == "dropped" else started)
    if metric.kind is SHARE:
        share = f"of {of} iterations"
        return (exact(100 * found / of, of, share), "") if of else (None, "no iteration was started")
    return exact(found, of, "counted"), ""
