"""Say of each threshold, before the load starts, whether the planned samples can decide it, and what would.

The least that is asked for is that a service without a fault passes: a percentile needs the samples whose
slowest bounds it (59 for p95), a share as many of which none breaks it (the rule of three), a mean and an
extreme 30, and a rate or a count must be within what the plan can reach. Where an earlier run has measured
the figure, its distance from the limit may ask for more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from plimsoll.run_files.files import RESULTS_FOLDER
from reports.estimates import intervals, trend
from reports.estimates.estimate import SMALLEST_MEAN_N
from reports.estimates.recovery import FEWEST_BEFORE
from reports.planning.earlier_runs import EarlierRun, newest_like
from reports.planning.planned_load import PlannedLoad, read_planned_load
from reports.planning.samples import Predictor, Samples
from reports.thresholds.entries import Threshold
from reports.thresholds.metrics import COUNT, CUSTOM, RATE, SHARE, Scaling
from reports.thresholds.selectors import Target, fitting
from reports.thresholds.statement import UPPER_LIMITS, WHOLE, Measure, Part, Scope, Statement
from reports.wording import format_number, quantity

EXTREMES = ("max", "min")
FEWEST_FOR_EXTREMES = 30
BLOCKS = 10
CASES = {
    Target.REQUESTS: "requests",
    Target.ITERATIONS: "iterations",
    Target.TRANSACTIONS: "transactions",
    Target.METRICS: "values",
    Target.SCHEDULE: "iterations",
}


@dataclass(frozen=True)
class Prospect:
    """Hold what a threshold will have and needs; `never` says why no run of this load can pass it.

    `planned` is None where nobody can say, for which `source` gives the reason; else it says how it is known.
    `because` says why more is needed than a service without a fault would.
    """

    threshold: Threshold
    planned: float | None
    needed: float
    source: str
    never: str = ""
    remedy: str = ""
    because: str = ""

    @property
    def can_be_decided(self) -> bool | None:
        """Tell whether a service without a fault would pass, None where nobody can say."""
        if self.never:
            return False
        return None if self.planned is None else self.planned >= self.needed

    @property
    def sentence(self) -> str:
        """Say what is missing, and what would do; empty where nothing is."""
        if self.can_be_decided is not False or self.planned is None:
            return ""
        source = self.threshold.statement.source.strip()
        if self.never:
            return f"{source}: {self.never}{self.remedy and f': {self.remedy}'}"
        cases = CASES[self.threshold.statement.target]
        planned = f"about {format_number(self.planned, 2)} {cases} are planned"
        if self.planned < 0.5:
            planned = f"no {cases} are planned"
        return f"{source}: {planned}, {math.ceil(self.needed):,} are needed{self.because}: {self.remedy}"


def outlook(facts: Mapping[str, Any], thresholds: Sequence[Threshold]) -> dict[str, object]:
    """Return what a planned load can decide: `notes` on what it cannot, and a `table` of all thresholds."""
    load = read_planned_load(facts)
    found = prospects(load, thresholds, newest_like(load, Path(RESULTS_FOLDER)))
    undecided = [each.sentence for each in found if each.sentence]
    steps = "the steps of a search" if load.is_search else "steps"
    of_parts = [
        f"{each.statement.source.strip()}: is not judged in {steps}, as it is about a named part of the run"
        for each in thresholds
        if load.steps and each.level == "fail" and not each.statement.is_of_steady_state
    ]
    shown = table(found) + "".join(f"note: {each}\n" for each in of_parts)
    return {"notes": [*undecided, *of_parts], "table": shown}


def prospects(
    load: PlannedLoad, thresholds: Sequence[Threshold], earlier: EarlierRun | None
) -> list[Prospect]:
    """Return what is to be expected of each threshold."""
    predictor = Predictor(load, earlier)
    return [_prospect(load, threshold, predictor, earlier) for threshold in thresholds]


def _prospect(
    load: PlannedLoad, threshold: Threshold, predictor: Predictor, earlier: EarlierRun | None
) -> Prospect:
    statement = threshold.statement
    if statement.baseline is not None:
        return Prospect(threshold, None, 0, "the limit is that of an earlier run")
    if not statement.is_of_samples:
        found = [_figure(load, threshold, each, predictor) for each in statement.measures]
        return min(found, key=lambda each: -1 if each.planned is None else each.planned / max(each.needed, 1))
    samples = predictor.predict(statement)
    if samples.n is None:
        return Prospect(threshold, None, smallest_n(statement), samples.source)
    if statement.metric.kind is RATE:
        return _rate(load, threshold, predictor, samples)
    if statement.metric.kind is COUNT and statement.metric.figure == "count":
        return _count(load, threshold, samples)
    needed, because = smallest_n(statement), ""
    if earlier is not None and (for_the_distance := _for_the_distance(statement, earlier)) > needed:
        needed, because = for_the_distance, f", as run {earlier.name} was near the limit"
    if math.isinf(needed):
        return Prospect(threshold, samples.n, needed, samples.source, never="no number of samples shows this")
    remedy = (
        _remedy(load, statement, needed / samples.n) if samples.n >= 0.5 else "the load makes none of them"
    )
    return Prospect(threshold, samples.n, needed, samples.source, remedy=remedy, because=because)


def _figure(load: PlannedLoad, threshold: Threshold, measure: Measure, predictor: Predictor) -> Prospect:
    """Return what is to be expected of one figure of a sum, of a change over time, or of a recovery."""
    single = replace(threshold.statement, expression=measure, operator="<", limit=math.inf, upper_limit=None)
    if measure.target is Target.SERIES:
        from_s, to_s = predictor.window(single)
        return Prospect(threshold, to_s - from_s, trend.BLOCKS, "a sample every second")
    needed, parts = smallest_n(single), 1
    if measure.metric.of is not None:
        needed, parts = (
            smallest_n(replace(single, expression=replace(measure, metric=measure.metric.of))),
            trend.BLOCKS,
        )
    if measure.scope.part is Part.AFTER:
        needed = FEWEST_BEFORE
        stages = [each for each in load.stages if each.name in fitting(measure.scope.stage, [each.name])]
        before = Scope(Part.ELAPSED, to_s=stages[0].from_s / load.time_scale if stages else 0.0)
        single = replace(single, expression=replace(measure, scope=before))
    samples = predictor.predict(single)
    if samples.n is None:
        return Prospect(threshold, None, needed * parts, samples.source)
    remedy = "a longer part, or more users, would do" if samples.n < needed * parts else ""
    return Prospect(threshold, samples.n, needed * parts, samples.source, remedy=remedy)


def smallest_n(statement: Statement) -> float:
    """Return the fewest samples by which a service without a fault can pass; infinite where none can."""
    metric, is_upper = statement.metric, statement.operator in UPPER_LIMITS
    if metric.level is not None and metric.level < 100:
        return intervals.smallest_n(metric.level / 100)
    if metric.kind is SHARE and statement.target is not Target.SCHEDULE:
        allowed = statement.limit / 100 if metric.figure == "error_rate" else 1 - statement.limit / 100
        is_asked_for_few = is_upper == (metric.figure == "error_rate")
        if not is_asked_for_few or allowed >= 1:
            return 1
        return intervals.smallest_n(1 - allowed) if allowed > 0 else math.inf
    if metric.figure in {"mean", "stdev", "variation", "bytes_per_s"} or metric.satisfied_ms is not None:
        return SMALLEST_MEAN_N
    if (metric.figure in EXTREMES or metric.level == 100) and metric.kind is not CUSTOM:
        return FEWEST_FOR_EXTREMES
    return 0 if metric.kind is COUNT or statement.target is Target.SCHEDULE else 1


def _for_the_distance(statement: Statement, earlier: EarlierRun) -> float:
    """Return the samples by which an interval as that of an earlier run ends before the limit.

    Half of it shrinks with the root of the samples. One on the wrong side of the limit asks for no more.
    """
    like = earlier.limit_like(statement)
    if like is None or like["metric"] != statement.metric.name or like["limit"] != statement.limit:
        return 0
    value, ends = like["value"], like["interval"]
    if value is None or ends is None:
        return 0
    end = ends[1] if statement.operator in UPPER_LIMITS else ends[0]
    distance = statement.limit - value if statement.operator in UPPER_LIMITS else value - statement.limit
    if end is None or distance <= 0:
        return 0
    half = abs(float(end) - float(value))
    return float(like["n"] * (half / distance) ** 2)


def _scale(load: PlannedLoad, statement: Statement) -> float:
    """Return what a limit that is stated at full size is multiplied by, as the judge does."""
    users = load.user_scale if statement.metric.kind.scaling is not Scaling.NONE else 1.0
    return users * (load.time_scale if statement.metric.kind.scaling is Scaling.USERS_AND_TIME else 1.0)


def _rate(load: PlannedLoad, threshold: Threshold, predictor: Predictor, samples: Samples) -> Prospect:
    """Return whether the planned rate reaches its limit by more than chance, and by more than it swings."""
    assert samples.n is not None
    statement = threshold.statement
    from_s, to_s = predictor.window(statement)
    rate, limit = samples.n / max(to_s - from_s, 1e-9), statement.limit * _scale(load, statement)
    distance = limit - rate if statement.operator in UPPER_LIMITS else rate - limit
    about = f"about {quantity(rate, '/s')} are planned"
    if distance <= 0:
        other = "more" if statement.operator not in UPPER_LIMITS else "fewer"
        never = f"{about}, so that it cannot pass"
        remedy = f"a {'shape' if load.has_shape else 'load'} with {other} users, or another limit, would"
        return Prospect(threshold, samples.n, 0, samples.source, never, remedy)
    by_bin = load.levels if samples.by_bin is None else samples.by_bin
    edges_s = np.linspace(from_s, to_s, BLOCKS + 1)
    blocks = np.array([by_bin @ load.share_of_bins((low, high)) for low, high in pairwise(edges_s)])
    swing = rate * float(blocks.std(ddof=1)) / float(blocks.mean()) if blocks.any() else 0.0
    if intervals.student(BLOCKS - 1) * swing / math.sqrt(BLOCKS) >= distance:
        never = f"{about}, and the load changes by more than the distance to the limit"
        return Prospect(
            threshold, samples.n, 0, samples.source, never, "a stage with a constant load would do"
        )
    needed = intervals.Z**2 * rate**2 / distance**2
    return Prospect(
        threshold, samples.n, needed, samples.source, remedy=_remedy(load, statement, needed / samples.n)
    )


def _count(load: PlannedLoad, threshold: Threshold, samples: Samples) -> Prospect:
    """Return whether the planned number is on the right side of its limit."""
    assert samples.n is not None
    statement = threshold.statement
    limit = statement.limit * _scale(load, statement)
    is_right = samples.n < limit if statement.operator in UPPER_LIMITS else samples.n > limit
    never = "" if is_right else f"about {format_number(samples.n, 2)} are planned, so that it cannot pass"
    remedy = "" if is_right else "another load, or another limit, would"
    return Prospect(threshold, samples.n, 0, samples.source, never, remedy)


def _remedy(load: PlannedLoad, statement: Statement, factor: float) -> str:
    """Say by which length or by how many users the samples become so many times as many."""
    if factor <= 1:
        return ""
    from_s, to_s = load.judged
    if statement.measures[0].scope != WHOLE:
        return f"a part of {factor:.2g} times the length, or as many more users, would do"
    if load.is_search:
        rate = _rounded_up(load.stages[0].from_level * factor)
        return f"steps of {_length((to_s - from_s) / 0.8 * factor)}, or a first_rate of {rate} would do"
    if load.has_shape:
        users, time = (_rounded_up(scale * factor) for scale in (load.user_scale, load.time_scale))
        return f"run with --user-scale {users} or --time-scale {time}"
    longer = f"run for {_length(from_s + (to_s - from_s) * factor)}"
    if all(each["fixed_count"] for each in load.user_classes):
        return longer
    return f"{longer}, or with {_up(load.peak_level * factor):,} users"


def _up(number: float) -> int:
    """Return the next whole number, or this one where it is as good as whole."""
    return math.ceil(round(number, 3))


def _rounded_up(number: float) -> str:
    """Write a number of two digits that is not below it."""
    digits = 1 - math.floor(math.log10(number))
    return f"{_up(number * 10**digits) / 10**digits:g}"


def _length(seconds: float) -> str:
    for unit, length_s in (("h", 3600), ("min", 60)):
        if seconds > 2 * length_s:
            return f"{_up(seconds / length_s):,} {unit}"
    return f"{_up(seconds)} s"


def table(found: Sequence[Prospect]) -> str:
    """Return a table for the terminal: threshold, planned, needed, whether it can be decided, what would."""
    answers = {True: "yes", False: "no", None: "unknown"}
    rows = [("threshold", "planned", "needed", "decidable", "")]
    for each in found:
        planned = "–" if each.planned is None else format_number(each.planned, 3)
        note = each.source if each.planned is None else each.remedy if each.can_be_decided is False else ""
        note = ": ".join(part for part in (each.never, note) if part)
        needed = "∞" if math.isinf(each.needed) else f"{math.ceil(each.needed):,}"
        statement = each.threshold.statement.source.strip()
        rows.append((statement, planned, needed, answers[each.can_be_decided], note))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for statement, planned, needed, answer, note in rows:
        figures = f"{planned:>{widths[1]}}  {needed:>{widths[2]}}  {answer:<{widths[3]}}"
        lines.append(f"{statement:<{widths[0]}}  {figures}  {note}".rstrip())
    return "".join(f"{line}\n" for line in lines)
