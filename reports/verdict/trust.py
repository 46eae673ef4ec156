"""Reach the verdict on a run, or on a part of it: what its thresholds come to, less what checks undermine."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from plimsoll.run_files.exit_status import Outcome
from reports.load.run import LimitAbort, Run
from reports.steady_state import SteadyState
from reports.thresholds.entries import Threshold
from reports.thresholds.metrics import BYTE_RATE, CUSTOM, LATENCY, RATE, RECOVERY, SLOPE, Clock
from reports.thresholds.selectors import Target
from reports.thresholds.statement import UPPER_LIMITS, Measure, Part
from reports.verdict.checks import Check, Family, generator, load, recording, requests
from reports.verdict.judge import Judgement, judge_threshold
from reports.wording import duration

ONLY_GROW = {"count", "failures", "dropped_iterations", "late_iterations"}
"""What was counted stays counted, whatever else would have come."""


@dataclass(frozen=True)
class Reason:
    """Hold one reason for a verdict: a threshold by its source, or a check by its name, and what it says."""

    kind: Literal["threshold", "check"]
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}" if self.subject else self.text

    @property
    def facts(self) -> dict[str, Any]:
        """Return the reason as verdict.json has it."""
        return asdict(self)


@dataclass(frozen=True)
class Conclusion:
    """Hold the verdict with its reasons, the worst first, and the judgements as the checks leave them."""

    outcome: Outcome
    reasons: Sequence[Reason]
    judgements: Sequence[Judgement]


def conclude(
    run: Run,
    lowered: Run,
    window: SteadyState | None,
    thresholds: Sequence[Threshold],
    checks: Sequence[Check],
) -> Conclusion:
    """Return FAIL for any failed threshold or decisive check, else INCONCLUSIVE for any doubt, else PASS.

    `lowered` is the run without the lag of the generator's event loop.
    """
    judgements = [downgraded(judge_threshold(t, run, window, lowered), checks) for t in thresholds]
    judgements = [_with_reach(each, judgements) for each in judgements]
    deciding = [judgement for judgement in judgements if judgement.threshold.level == "fail"]
    failed = [
        Reason("threshold", each.source, each.measured) for each in deciding if each.outcome is Outcome.FAIL
    ]
    broken = [check for check in checks if not check.ok]
    failed += [Reason("check", check.check, check.reason) for check in broken if check.is_decisive]
    doubts = [Reason("check", check.check, check.reason) for check in broken if not check.is_decisive]
    if not deciding:
        doubts.append(Reason("threshold", "", "no thresholds: nothing was judged"))
    doubts += [
        Reason("threshold", each.source, each.reason)
        for each in deciding
        if each.outcome is Outcome.INCONCLUSIVE
    ]
    outcome = Outcome.FAIL if failed else Outcome.INCONCLUSIVE if doubts else Outcome.PASS
    return Conclusion(outcome, [*failed, *doubts], judgements)


def with_abort(found: Conclusion, abort: LimitAbort) -> Conclusion:
    """Return FAIL by the limit that ended the load, whatever the figures of so short a run come to."""
    text = f"the load was aborted after {duration(abort.at_s)}: {abort.text}"
    judgements = [
        replace(each, outcome=Outcome.FAIL, reason=text)
        if each.source == abort.source and each.threshold.level == "fail"
        else each
        for each in found.judgements
    ]
    others = [each for each in found.reasons if (each.kind, each.subject) != ("threshold", abort.source)]
    return Conclusion(Outcome.FAIL, [Reason("threshold", abort.source, text), *others], judgements)


def downgraded(judgement: Judgement, checks: Sequence[Check]) -> Judgement:
    """Return the judgement, INCONCLUSIVE if a failed check undermines it."""
    statement, has_failed = judgement.threshold.statement, judgement.outcome is Outcome.FAIL
    is_upper = statement.operator in UPPER_LIMITS
    only_grows = statement.metric.name in ONLY_GROW and statement.metric.kind.unit == "" and is_upper
    if judgement.outcome is Outcome.INCONCLUSIVE or (has_failed and only_grows):
        return judgement
    families = _families(judgement)
    for check in checks:
        is_named = all(each.scope.part is not Part.STEADY for each in statement.measures)
        if check.check == "steady_state" and is_named:
            continue  # whether or not anything is steady in it
        if not check.ok and families & set(check.undermines) and not (has_failed and check.hides_worse):
            reason = "; ".join(part for part in (check.reason, judgement.reason) if part)
            return replace(judgement, outcome=Outcome.INCONCLUSIVE, reason=reason)
    return judgement


def _with_reach(judgement: Judgement, others: Sequence[Judgement]) -> Judgement:
    """Say of a slope when the figure that rises would be at the limit that it has."""
    measure, found = judgement.threshold.statement.measures[0], judgement.estimate
    if measure.metric.name != SLOPE or found is None or not found.value or found.value < 0:
        return judgement
    for other in others:
        statement = other.threshold.statement
        limited, value = statement.measures[0], other.estimate and other.estimate.value
        is_upper = isinstance(statement.expression, Measure) and statement.operator in UPPER_LIMITS
        is_same = (limited.selector, limited.target) == (measure.selector, measure.target)
        is_same &= measure.metric.of is None or limited.metric.name == measure.metric.of.name
        if is_upper and is_same and limited.scope == measure.scope and value and value < other.limit:
            hours = (other.limit - value) / found.value
            reach = f"at this slope {other.source!r} is broken in about {hours:.2g} h"
            return replace(judgement, reason="; ".join(part for part in (judgement.reason, reach) if part))
    return judgement


def _families(judgement: Judgement) -> set[Family]:
    """Return what kinds of figures a threshold is about."""
    measures = judgement.threshold.statement.measures
    return {family for each in measures for family in _of_measure(each, in_browser=judgement.in_browser)}


def _of_measure(measure: Measure, *, in_browser: bool) -> set[Family]:
    metric = measure.metric.of or measure.metric
    if measure.target is Target.SCHEDULE:
        return {Family.SCHEDULE}
    if measure.target is Target.SERIES:
        return set()
    if metric.kind in {LATENCY, CUSTOM} or metric.name in {"variation", RECOVERY}:
        families = {Family.LATENCY}
        if not in_browser:
            families.add(Family.LOOP_TIMED)
        if metric.clock is Clock.CORRECTED:
            families.add(Family.CORRECTED)
        return families
    if metric.satisfied_ms is not None:
        return {Family.LATENCY, Family.LOOP_TIMED, Family.ERRORS}
    if metric.kind in {RATE, BYTE_RATE}:
        return {Family.RATE}
    return {Family.COUNT if metric.name in {"count", "bytes"} else Family.ERRORS}


def run_checks(run: Run, window: SteadyState | None) -> list[Check]:
    """Return the checks of the whole run that its files allow."""
    found: list[Check | None] = [
        recording.files_complete(run),
        recording.invariants_hold(run),
        requests.any_requests(run),
        requests.any_success(run),
        requests.task_exceptions(run),
        recording.csv_totals_add_up(run),
        recording.stats_reset(run),
        load.load_reached(run),
        load.run_completed(run),
        load.not_aborted(run),
        load.min_duration(run, window),
        load.steady_state(window),
    ]
    if window is not None:
        # Little's law is of means over a time in which queues do not grow, as they may in a single step.
        found += [
            recording.recording_errors(run),
            recording.locust_totals_match(run),
            recording.littles_law(run, window),
            recording.user_concurrency(run, window),
        ]
    return [check for check in found if check is not None]


def window_checks(
    run: Run, part: Run, window: SteadyState | None, thresholds: Sequence[Threshold]
) -> list[Check]:
    """Return the checks of the judged time, be it of a run or of one of its steps.

    `part` is the run, or what is known of the step alone.
    """
    found: list[Check | None] = [*generator.generator_checks(run, window)]
    if window is not None:
        found += [
            load.arrival_rate_kept(run, window),
            load.pace_kept(run, window, thresholds),
            requests.unfinished_requests(run, window),
            requests.response_gap(run, window),
        ]
    found.append(requests.error_rate_unchecked(part, thresholds))
    return [check for check in found if check is not None]
