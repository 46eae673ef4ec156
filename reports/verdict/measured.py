"""Find what a threshold is about, in which recording and which of its rows, and estimate its figure there."""

import math
from dataclasses import replace

from plimsoll.run_files.intervals import (
    BUSY,
    CHECK,
    COUNTER,
    GAUGE,
    RATE,
    TRANSACTION,
    TREND,
    VALUE_SCALE,
)
from reports.errors import nearest_hint
from reports.estimates import recorded, trend
from reports.estimates.csv_estimate import choose, estimate
from reports.estimates.estimate import Estimate
from reports.estimates.recorded import estimate_of_starts
from reports.estimates.recovery import LOOK_S, recovery_s
from reports.estimates.rolling import ROLLING, figures
from reports.estimates.selection import METRIC, Selection, lacks, selected, values_of
from reports.estimates.series import change_of, sampled
from reports.load.intervals import Intervals
from reports.load.run import Run
from reports.steady_state import SteadyState
from reports.thresholds.known import takes_time, unmatched
from reports.thresholds.metrics import CUSTOM, RECOVERY, Clock, Metric
from reports.thresholds.selectors import About, Target
from reports.thresholds.statement import WHOLE, Statement
from reports.verdict.scopes import SHORTEST_S, stages_of

REQUEST, ITERATION = "request", "iteration"
NO_SCHEDULE = "the run had no schedule, so that there is no intended start to count a latency from"
KINDS = {"rate": (RATE,), "checks": (CHECK,)}
WORDS = {About.TYPE: "is of type", About.TAG: "has the tag", About.USER: "is of the user class"}


def figure_in(
    statement: Statement, run: Run, part: SteadyState | None, confidence: float
) -> tuple[Estimate | None, str]:
    """Return the estimate of a single figure in a part of the run, or None and why there is none.

    Without a part, Locust's CSV files are all there is. A recovery looks for its own parts, and a count
    without a scope is of the whole run.
    """
    metric = statement.metric
    if statement.target is Target.SCHEDULE:
        return estimate_of_starts(metric, run)
    if part is None:
        return _from_csv(statement, run)
    if statement.target is Target.SERIES:
        return sampled(statement, run, part)
    if metric.name == RECOVERY:
        return _recovery(statement, run, part)
    chosen, why_not = select(statement, run, part)
    if chosen is None:
        return None, why_not
    is_part = statement.measures[0].scope != WHOLE
    chosen = replace(chosen, confidence=confidence, is_part=is_part)
    if metric.of is not None:
        return _change(metric, metric.of, chosen)
    found = recorded.estimate(statement.recorded, chosen)
    if found is not None and metric.kind is CUSTOM:
        found = found.divided(VALUE_SCALE)
    success = "successful " if metric.is_latency else ""
    when = f"{part.from_s:.0f} s to {part.to_s:.0f} s of the run" if is_part else "the judged time"
    return found, f"no {success}{chosen.what} to judge in {when}"


def _recovery(statement: Statement, run: Run, steady: SteadyState) -> tuple[Estimate | None, str]:
    """Return the seconds that requests take after a stage to be as they were before the first of its name."""
    stages, why_not = stages_of(statement.measures[0].scope.stage, run)
    if not stages:
        return None, why_not
    start_s, last_s = run.started_unix_s, max(steady.end_s, run.intervals.end_s)
    first, last = stages[0], stages[-1]
    # What comes after the next stage, as another spike, is for that to recover from.
    ends = [stage.to_s for stage in run.meta.stages if stage.from_s >= last.to_s]
    last_s = min(last_s, math.floor(start_s + min(ends))) if ends else last_s
    edges = steady.first_s, math.floor(start_s + first.from_s), math.ceil(start_s + last.to_s), last_s
    if edges[1] - edges[0] < SHORTEST_S or edges[3] - edges[2] < LOOK_S:
        return None, f"there is too little of the run before or after stage {last.name!r}"
    both = []
    for first_s, end_s in (edges[:2], edges[2:]):
        window = SteadyState(start_s, first_s, end_s, last.name)
        chosen, why_not = select(statement, run, window)
        if chosen is None:
            return None, why_not
        both.append(replace(chosen, cut=window.length_s))
    return recovery_s(*both)


def _change(metric: Metric, of: Metric, chosen: Selection) -> tuple[Estimate | None, str]:
    """Return by how much a figure changes over a part: its degradation, or its slope."""
    if of.level is None and of.figure not in ROLLING:
        return None, f"no {metric.name} of {of.name!r} is estimated"
    values, _ = figures(of, replace(chosen, cut=trend.BLOCKS), 1, 1)
    if of.kind is CUSTOM:
        values = values / VALUE_SCALE
    return change_of(metric, values, chosen.window, chosen.n)


def _from_csv(statement: Statement, run: Run) -> tuple[Estimate | None, str]:
    """Return the estimate from Locust's figures, or None and why there is none."""
    metric, selector = statement.metric, statement.selector
    if metric.clock is Clock.CORRECTED:
        return None, NO_SCHEDULE
    if statement.target is not Target.REQUESTS or lacks(selector, run.requests):
        return None, "Locust's CSV files hold only requests, by type and name"
    are_meant = bool(selected(selector, run.requests).any())
    if not are_meant and not selector.is_all:
        return None, _absent(statement, run)
    rows = choose(run, selector, metric)
    made, failures = rows["n"].sum(), rows["failures"].sum()
    if made == 0 or (metric.is_latency and made == failures):
        success = "successful " if metric.is_latency and (are_meant or made) else ""
        return None, f"no {success}request to judge"
    return estimate(metric, rows, run), "the CSV files lack this figure"


def select(statement: Statement, run: Run, window: SteadyState) -> tuple[Selection | None, str]:
    """Return what a threshold is about in a run with intervals, or None and why there is nothing of it.

    A count is of requests, or of a counter where no request has such a name.
    """
    is_any = statement.selector.is_all and statement.target is not Target.METRICS
    for what, recording in _recordings(statement, run):
        rows = selected(statement.selector, recording.rows)
        if not rows.any() and not is_any:
            continue
        is_corrected = statement.metric.clock is Clock.CORRECTED
        latencies = recording.corrected if is_corrected else recording.latencies
        if latencies is None:
            return None, NO_SCHEDULE
        # Arrivals that were dropped lack requests; they lack no values of a journey's own metrics.
        health = run.health.iloc[:0] if what == METRIC else run.health
        return Selection(what, recording, rows, latencies, window, health), ""
    return None, _absent(statement, run)


def _recordings(statement: Statement, run: Run) -> list[tuple[str, Intervals]]:
    """Return what the threshold may be about, in the order of preference; there may be nothing in it."""
    metric, selector = statement.metric, statement.selector
    if statement.target is Target.METRICS:
        return [(METRIC, run.recorded(kind)) for kind in KINDS.get(metric.name, (TREND, GAUGE))]
    if statement.target is Target.TRANSACTIONS:
        return [(TRANSACTION, run.recorded(BUSY if metric.clock is Clock.CUMULATED else TRANSACTION))]
    if statement.target is Target.ITERATIONS:
        return [(ITERATION, run.iterations)]
    found, counters = [(REQUEST, run.intervals)], run.recorded(COUNTER)
    names_some = any(c.about is About.NAME and not c.negated for c in selector.conditions)
    if metric.name == "count" and counters and names_some:
        found.append((METRIC, counters))
    return found


def _absent(statement: Statement, run: Run) -> str:
    """Say why a selector found nothing: a journey may declare a name and never come to request it."""
    recordings = _recordings(statement, run)
    what = " or ".join(dict.fromkeys(what for what, _ in recordings))
    tables = [each.rows for _, each in recordings] if run.intervals else [run.requests]
    for condition in statement.selector.conditions:
        known = sorted({value for rows in tables for value in values_of(condition, rows)})
        if condition.negated or condition.choose(known):
            continue
        pattern, names = condition.pattern, run.meta.request_names or ()
        if condition.about is not About.NAME:
            return f"no {what} {WORDS[condition.about]} {pattern!r}{nearest_hint(pattern, known)}"
        if statement.metric.kind is CUSTOM and condition.choose(run.names):
            return takes_time(statement.metric, pattern)
        if statement.selector.target is Target.REQUESTS and condition.choose(names):
            return f"no request to judge: {pattern!r} is known but was never requested"
        return unmatched(what, pattern, known)
    return f"no {what} matches {statement.selector.pattern!r}"
