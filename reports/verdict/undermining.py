"""Tell which outcomes a failed check takes the ground from."""

from collections.abc import Sequence
from dataclasses import replace

from reports.outcome import Outcome
from reports.thresholds.grammar import UPPER_LIMITS, Statement
from reports.thresholds.metric import Metric
from reports.verdict.check import Check
from reports.verdict.judge import Judgement

LATENCY, RATE, COUNT, SHARE, STARTS = "latency", "rps", "count", "share", "starts"

EVERYTHING = {LATENCY, RATE, COUNT, SHARE, STARTS}
LOAD = {LATENCY, RATE, COUNT}

UNDERMINED: dict[str, set[str]] = {
    "complete_files": EVERYTHING,
    "journeys_unbroken": LOAD,
    "requests_made": EVERYTHING,
    "some_success": {LATENCY},
    "load_reached": LOAD,
    "arrivals": {LATENCY, STARTS},
    "pace_kept": {LATENCY},
    "planned_end": {COUNT, STARTS},
    "not_aborted": {COUNT, STARTS},
    "totals_consistent": EVERYTHING,
    "stats_reset": EVERYTHING,
    "enough_time": set(),
    "failures_limited": set(),
    "steady_state": {LATENCY, RATE},
    "all_watched": {*LOAD, STARTS},
    "generator_cpu": LOAD,
    "generator_cpu_peak": LOAD,
    "generator_lag": LOAD,
    "generator_wait": LOAD,
    "generator_stalls": LOAD,
    "workers_lost": {*LOAD, STARTS},
    "clock_offsets": {LATENCY, RATE},
    "clock_steps": LOAD,
    "recording_errors": EVERYTHING,
    "totals_match": EVERYTHING,
    "kept_answering": {LATENCY, RATE, SHARE},
    "in_flight": set(),
    "littles_law": {LATENCY, RATE},
    "think_time": {LATENCY, RATE},
}
"""Errors seen under too little load, by a generator out of breath, or in too short a run, are errors all the
same; a latency or a rate under another load than planned says nothing, and neither does a count of requests
that were not all made. A short run takes the ground from no single limit, whose interval is the wider for it,
but it never passes."""

ONLY_GROWS = {"count", "failures", "dropped", "late"}
"""What was counted stays counted, whatever else would have come."""

ONLY_WORSE = {"kept_answering", "arrivals", "pace_kept"}
"""What was hidden can only have been worse, so that a FAIL stands."""


def trusted(judgement: Judgement, checks: Sequence[Check]) -> Judgement:
    """Return the judgement, INCONCLUSIVE if a failed check takes the ground from it."""
    statement, outcome = judgement.threshold.statement, judgement.outcome
    doubts = [check for check in checks if undermines(check, statement, outcome)]
    if judgement.in_browser:
        doubts = [check for check in doubts if check.check != "generator_lag"]
    if not doubts or outcome is Outcome.INCONCLUSIVE:
        return judgement
    reason = "; ".join(part for part in (doubts[0].reason, judgement.reason) if part)
    return replace(judgement, outcome=Outcome.INCONCLUSIVE, reason=reason)


def undermines(check: Check, statement: Statement, outcome: Outcome) -> bool:
    """Tell whether a failed check takes the ground from the outcome of a threshold."""
    metric = statement.metric
    grown = metric.name in ONLY_GROWS and not metric.is_share and statement.operator in UPPER_LIMITS
    if outcome is Outcome.FAIL and (grown or check.check in ONLY_WORSE):
        return False
    if check.check == "pace_kept" and not metric.is_response:
        return False
    return not check.ok and _family(metric) in UNDERMINED[check.check]


def _family(metric: Metric) -> str:
    if metric.is_of_schedule:
        return STARTS
    if metric.is_latency or metric.is_own:
        return LATENCY
    return {"rps": RATE, "count": COUNT}.get(metric.name, SHARE)
