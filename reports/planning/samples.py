"""Predict the samples of a threshold: by an earlier run of the profile, else by what user classes declare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.planning.earlier_runs import EarlierRun
from reports.planning.iterations import Expected, expected
from reports.planning.planned_load import BINS, Floats, PlannedLoad, Window
from reports.thresholds.metrics import COUNT
from reports.thresholds.selectors import ALL, About, Condition, Target, fitting
from reports.thresholds.statement import WHOLE, Part, Statement

DECLARED = "task_requests of the user classes"
UNKNOWN_LENGTH = "the run has no planned end"
MOST_LONGER = 2.0
"""In a run of another length other parts of the users' first iterations are judged."""
BY_NAME = {About.NAME, About.USER}


@dataclass(frozen=True)
class Samples:
    """Hold how many samples a threshold will have, or why nobody can say; `by_bin` where it is known."""

    n: float | None
    source: str
    by_bin: Floats | None = None


class Predictor:
    """Predicts for one plan, whatever the threshold."""

    def __init__(self, load: PlannedLoad, earlier: EarlierRun | None) -> None:
        self._load, self._earlier = load, earlier
        self._expected: list[Expected] = []
        self._unknown: dict[str, Sequence[str]] = {}
        self._tasks: dict[str, Sequence[Mapping[str, Any]]] = {}
        for user_class in load.user_classes if load.length_s else ():
            self._tasks[user_class["name"]] = user_class["tasks"]
            of_class = expected(load, user_class)
            if of_class is None:
                self._unknown[user_class["name"]] = user_class["requests"]
            else:
                self._expected += of_class

    def window(self, statement: Statement) -> Window:
        """Return the time that a threshold is judged in, of several the one with the least load.

        Counts are of the whole run, where no part is named.
        """
        load, scope, scale = self._load, statement.measures[0].scope, self._load.time_scale
        begin_s, end_s = load.judged
        from_s, to_s = scope.from_s * scale, scope.to_s * scale
        match scope.part:
            case Part.STAGE | Part.AFTER:
                chosen = fitting(scope.stage, [stage.name for stage in load.stages])
                parts = [(stage.from_s, stage.to_s) for stage in load.stages if stage.name in chosen]
            case Part.FIRST:
                parts = [(begin_s, min(begin_s + to_s, end_s))]
            case Part.LAST:
                parts = [(max(end_s - to_s, 0.0), end_s)]
            case Part.ELAPSED:
                parts = [(from_s, min(to_s, load.length_s))]
            case Part.STEADY:
                is_whole = scope == WHOLE and statement.metric.kind is COUNT and not load.is_search
                parts = [load.whole if is_whole else load.judged]
        if scope.window_s is not None:
            length_s = scope.window_s
            starts = [np.arange(first, last - length_s + 1e-9, length_s) for first, last in parts]
            parts = [(float(each), float(each) + length_s) for each in np.concatenate([*starts, []])]
        return min(parts, key=load.exposure, default=(0.0, 0.0))

    def predict(self, statement: Statement) -> Samples:
        """Return the samples in the judged time, or the requests of a rate."""
        if not self._load.length_s:
            return Samples(None, UNKNOWN_LENGTH)
        if statement.target is Target.SCHEDULE:
            return Samples(self._load.exposure(self._load.whole) if self._load.is_open else 0.0, "the plan")
        window, why_not = self.window(statement), self._why_unknown(statement)
        per_exposure = self._earlier.samples_per_exposure(statement) if self._earlier is not None else None
        if self._earlier is not None and per_exposure is not None:
            longer = _length_s(self._load.judged) / _length_s(self._earlier.window)
            if why_not or 1 / MOST_LONGER <= longer <= MOST_LONGER:
                source = f"run {self._earlier.name}"
                return Samples(per_exposure * self._load.exposure(window), source)
        if why_not:
            return Samples(None, why_not)
        by_bin = self._declared(statement)
        return Samples(float(by_bin @ self._load.share_of_bins(window)), DECLARED, by_bin)

    def _why_unknown(self, statement: Statement) -> str:
        conditions = statement.selector.conditions
        if strange := [condition.text for condition in conditions if condition.about not in BY_NAME]:
            return f"no earlier run of profile {self._load.profile!r}, and {strange[0]!r} is not declared"
        for user_class, names in self._unknown.items():
            # Names that it declares, and none of which is meant, are out of the question.
            if (
                statement.target is not Target.REQUESTS
                or not names
                or any(_holds(statement, name, user_class) for name in names)
            ):
                declared = all(task["steps"] is not None for task in self._tasks[user_class])
                lack = "does not pause" if declared else "does not declare its task_requests"
                return f"no earlier run of profile {self._load.profile!r}, and {user_class} {lack}"
        return ""

    def _declared(self, statement: Statement) -> Floats:
        """Return what is made by bin; a count is of requests, or of a counter where none has such a name."""
        also = [Target.METRICS] if statement.metric.name == "count" else []
        for target in (statement.target, *also):
            chosen = [
                each.by_bin
                for each in self._expected
                if each.target is target and _holds(statement, each.name, each.user_class)
            ]
            if chosen:
                return np.asarray(np.sum(chosen, axis=0), dtype=np.float64)
        return np.zeros(BINS)


def _length_s(window: Window) -> float:
    return window[1] - window[0]


def _holds(statement: Statement, name: str, user_class: str) -> bool:
    def holds(condition: Condition) -> bool:
        value = name if condition.about is About.NAME else user_class
        return condition.pattern == ALL or condition.holds([value])[0]

    return any(all(map(holds, alternative)) for alternative in statement.selector.alternatives)
