"""Find the capacity: of the steps of a run, the highest load that passed and the lowest that failed.

Each step is judged by itself, by all thresholds, without its start, in which the service gets used to it. The
capacity is in [passed, failed); steps whose verdict stays open lie in that gap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reports.estimates.loop_lag import without_lag
from reports.load.interval_rows import SECONDS, Intervals
from reports.load.run import OPEN, Run, Stage
from reports.outcome import Outcome
from reports.steady_state import SteadyState
from reports.thresholds.reading import Threshold
from reports.verdict.answering_check import kept_answering
from reports.verdict.arrivals_check import arrivals_check
from reports.verdict.generator_checks import generator_checks
from reports.verdict.generator_health import judged_health
from reports.verdict.judge import Judgement, judge_threshold
from reports.verdict.undermining import trusted

WARM_UP_RATIO = 0.2
"""The share of a step that is cut from its start."""
UNITS = {OPEN: "/s"}
USERS = "users"


@dataclass(frozen=True)
class StepVerdict:
    """Hold the verdict on one step: its load, the judged window, and why it did not pass."""

    stage: str
    load: float
    window: SteadyState
    outcome: Outcome
    reason: str

    @property
    def facts(self) -> dict[str, Any]:
        """Return the step as verdict.json has it."""
        return {
            "stage": self.stage,
            "load": self.load,
            "from_s": round(self.window.from_s, 3),
            "to_s": round(self.window.to_s, 3),
            "verdict": self.outcome.value,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Capacity:
    """Hold all steps that were played to their end; two of them may enclose the capacity."""

    unit: str
    steps: tuple[StepVerdict, ...]

    @property
    def failed(self) -> StepVerdict | None:
        """Return the lowest step that failed."""
        failed = [step for step in self.steps if step.outcome is Outcome.FAIL]
        return min(failed, key=lambda step: step.load, default=None)

    @property
    def passed(self) -> StepVerdict | None:
        """Return the highest step that passed below every one that failed: above it a pass is chance."""
        most = self.failed.load if self.failed is not None else math.inf
        passed = [step for step in self.steps if step.outcome is Outcome.PASS and step.load < most]
        return max(passed, key=lambda step: step.load, default=None)

    @property
    def judged(self) -> StepVerdict | None:
        """Return the step that a search is judged at: the highest that passed, or the lowest played."""
        return self.passed or min(self.steps, key=lambda step: step.load, default=None)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the capacity as verdict.json has it."""
        return {
            "unit": self.unit,
            "passed": self.passed and self.passed.load,
            "failed": self.failed and self.failed.load,
            "steps": [step.facts for step in self.steps],
        }


def find_capacity(run: Run, thresholds: Sequence[Threshold]) -> Capacity | None:
    """Return the capacity as the steps of a run tell it, None where it has none or was not recorded."""
    if not run.meta.steps or not run.intervals:
        return None
    played = [stage for stage in run.meta.stages if stage.name in run.meta.steps and _has_ended(run, stage)]
    steps = (_verdict(run, stage, thresholds) for stage in played)
    return Capacity(UNITS.get(run.meta.load_model or "", USERS), tuple(steps))


def _has_ended(run: Run, stage: Stage) -> bool:
    """Tell whether a stage was played to its end, as far as the journal has come."""
    return bool((run.stages["elapsed_s"] >= stage.to_s).any())


def _verdict(run: Run, stage: Stage, thresholds: Sequence[Threshold]) -> StepVerdict:
    window = _window(run, stage)
    outcome, reason = _judged(run, window, [t for t in thresholds if t.level == "fail"])
    return StepVerdict(stage.name, stage.to_load, window, outcome, reason)


def _window(run: Run, stage: Stage) -> SteadyState:
    warm_up_s = WARM_UP_RATIO * (stage.to_s - stage.from_s)
    first_s = math.ceil(run.started_unix_s + stage.from_s + warm_up_s)
    end_s = max(math.floor(run.started_unix_s + stage.to_s), first_s + 1)
    method = f"{stage.name} without its first {WARM_UP_RATIO:.0%}"
    return SteadyState(run.started_unix_s, first_s, end_s, method)


def only(run: Run, window: SteadyState) -> Run:
    """Return a run of which no more is known than what started or ended in a window."""
    return replace(
        run,
        intervals=_within(run.intervals, window),
        iterations=_within(run.iterations, window),
        own={own_type: _within(recorded, window) for own_type, recorded in run.own.items()},
        health=judged_health(run, window),
        # The plan is for the whole run; what is due in the window follows from started and dropped.
        meta=replace(run.meta, arrivals=None),
    )


def _within(recorded: Intervals, window: SteadyState) -> Intervals:
    if not recorded:
        return recorded
    started, ended = (window.blocks(recorded.seconds(which), 1) >= 0 for which in SECONDS)
    return recorded.only(np.logical_or(started, ended))


def _judged(run: Run, window: SteadyState, thresholds: Sequence[Threshold]) -> tuple[Outcome, str]:
    """Return FAIL for any failed threshold or a rate that was not kept, PASS if all hold; with the reason."""
    step = only(run, window)
    lowered = without_lag(run)
    lowered = step if lowered is run else only(lowered, window)
    untested = [judge_threshold(threshold, step, window, lowered) for threshold in thresholds]
    behind = [check.reason for check in arrivals_check(run, window) if not check.ok]
    doubts = [*generator_checks(run, window), *kept_answering(run, window)]
    doubts = [check for check in doubts if not check.ok]
    judgements = [trusted(judgement, doubts) for judgement in untested]
    failed = [_words(judgement) for judgement in judgements if judgement.outcome is Outcome.FAIL]
    failed += behind if not doubts else []
    undecided = [check.reason for check in doubts] + behind
    undecided += [_words(judgement) for judgement in judgements if judgement.outcome is Outcome.INCONCLUSIVE]
    if failed:
        return Outcome.FAIL, failed[0]
    if undecided or not judgements:
        return Outcome.INCONCLUSIVE, undecided[0] if undecided else "no threshold to judge it by"
    return Outcome.PASS, ""


def _words(judgement: Judgement) -> str:
    source, found = judgement.threshold.statement.source.strip(), judgement.estimate
    if found is None or found.value is None:
        return f"{source}: {judgement.reason or 'beyond the limit'}"
    unit = judgement.threshold.statement.metric.kind.unit
    measured = f"measured {found.value:.4g}{unit and ' '}{unit}"
    return f"{source}: {measured}" + (f"; {judgement.reason}" if judgement.reason else "")
