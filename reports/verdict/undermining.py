"""Tell which outcomes a failed check takes the ground from, and which a late event loop leaves alone."""

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


def withstand(judgements: Sequence[Judgement], late_ms: float, worst_ms: float) -> bool:
    """Tell whether a late loop changes no outcome of a limit on what it can change, of which there is one.

    It only adds to latencies, and only lowers rates: what is kept must be with late_ms to spare, and what is
    broken by more than late_ms and what it was late by at worst.
    """
    of_load = [each for each in judgements if _depends_on_the_loop(each)]
    return bool(of_load) and all(
        _keeps_its_limit(each, late_ms) or _breaks_its_limit(each, late_ms + worst_ms) for each in of_load
    )


def _depends_on_the_loop(judgement: Judgement) -> bool:
    metric = judgement.threshold.statement.metric
    is_counted = metric.name in ONLY_GROWS and not metric.is_share
    of_load = _family(metric) in UNDERMINED["generator_lag"] or is_counted
    return of_load and not judgement.in_browser


def _keeps_its_limit(judgement: Judgement, late_ms: float) -> bool:
    statement, found = judgement.threshold.statement, judgement.estimate
    if judgement.outcome is not Outcome.PASS or found is None:
        return False
    is_upper = statement.operator in UPPER_LIMITS
    if not statement.metric.is_latency:
        return not statement.metric.is_own and not is_upper
    return is_upper and found.high is not None and found.high + late_ms < judgement.limit


def _breaks_its_limit(judgement: Judgement, late_ms: float) -> bool:
    statement, found = judgement.threshold.statement, judgement.estimate
    if judgement.outcome is not Outcome.FAIL or found is None or found.low is None:
        return False
    metric, is_upper = statement.metric, statement.operator in UPPER_LIMITS
    # What is made of many requests, as transactions and times from an intended start, adds up their delays.
    is_of_one = statement.selector.of_requests and metric.is_latency and not metric.is_response
    return is_upper and is_of_one and found.low - late_ms > judgement.limit


def _family(metric: Metric) -> str:
    if metric.is_of_schedule:
        return STARTS
    if metric.is_latency or metric.is_own:
        return LATENCY
    return {"rps": RATE, "count": COUNT}.get(metric.name, SHARE)
