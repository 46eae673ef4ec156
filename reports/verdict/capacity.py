"""Find the capacity: of the steps of a run, the highest load that passed and the lowest that failed.

Each step is judged by itself, by all thresholds, without its start, in which the service gets used to it. The
capacity is in [passed, failed); steps whose verdict stays open lie in that gap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plimsoll.run_files.exit_status import Outcome
from plimsoll.run_files.files import OPEN
from reports.estimates.loop_lag import without_lag
from reports.load.run import Run, Stage
from reports.steady_state import SteadyState, only
from reports.thresholds.entries import Threshold
from reports.verdict.trust import conclude, window_checks

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
        max_load = self.failed.load if self.failed is not None else math.inf
        passed = [step for step in self.steps if step.outcome is Outcome.PASS and step.load < max_load]
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
    """Return the capacity by the steps of a run, None where it has none or was not recorded."""
    if not run.meta.steps or not run.intervals:
        return None
    lowered = without_lag(run)
    deciding = [each for each in thresholds if each.level == "fail" and each.statement.is_of_steady_state]
    # A stage was played to its end as far as the journal has come.
    played_s = float(run.stages["elapsed_s"].max())
    steps = [
        _judged(run, lowered, stage, deciding)
        for stage in run.meta.stages
        if stage.name in run.meta.steps and played_s >= stage.to_s
    ]
    return Capacity(UNITS.get(run.meta.load_model or "", USERS), tuple(steps))


def _judged(run: Run, lowered: Run, stage: Stage, thresholds: Sequence[Threshold]) -> StepVerdict:
    """Judge a step that was played to its end."""
    warm_up_s = WARM_UP_RATIO * (stage.to_s - stage.from_s)
    first_s = math.ceil(run.started_unix_s + stage.from_s + warm_up_s)
    end_s = max(math.floor(run.started_unix_s + stage.to_s), first_s + 1)
    method = f"{stage.name} without its first {WARM_UP_RATIO:.0%}"
    window = SteadyState(run.started_unix_s, first_s, end_s, method)
    step = only(run, window)
    checks = window_checks(run, step, window, thresholds)
    found = conclude(step, only(lowered, window), window, thresholds, checks)
    outcome, reason = found.outcome, str(found.reasons[0]) if found.reasons else ""
    doubts = [check.check for check in checks if not check.ok and check.undermines]
    if outcome is Outcome.INCONCLUSIVE and doubts == ["arrival_rate_kept"]:
        outcome = Outcome.FAIL  # the capacity is below a rate that was not kept
    return StepVerdict(stage.name, stage.to_load, window, outcome, reason)
