"""What a threshold says: of what is measured, over which part of a run, on which side of a limit it must be.

A limit has a unit, and follows the scales of a run.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from plimsoll.run_files.intervals import VALUE_SCALE
from reports.thresholds.metrics import CUSTOM, Kind, Metric
from reports.thresholds.selectors import EVERYTHING, Selector, Target


class Part(Enum):
    """Name which part of the run a figure is of."""

    STEADY = "steady"
    """The steady state that the judge finds: the default."""
    STAGE = "stage"
    """All time in which a stage of this name or glob was planned."""
    FIRST = "first"
    """So long from the start of the steady state."""
    LAST = "last"
    """So long up to the end of the steady state."""
    ELAPSED = "elapsed"
    """Between two times since the start of the run, warm-up included."""
    AFTER = "after"
    """From the end of a stage on: of `recovery` only."""


@dataclass(frozen=True)
class Scope:
    """Say over which part of a run a figure is, and whether over each window of it.

    `to_s` is the length of FIRST and LAST, and with `from_s` the ends of ELAPSED: times of the planned load,
    which follow the time scale of a run. `window_s` is the length of windows: of every whole one from the
    start of the part on, one after the other, in which the statement must hold; or with `is_worst` of the one
    among all, sliding by a second, whose figure is the furthest beyond or nearest to the limit.
    """

    part: Part = Part.STEADY
    stage: str = ""
    from_s: float = 0.0
    to_s: float = 0.0
    window_s: float | None = None
    is_worst: bool = False


WHOLE = Scope()


@dataclass(frozen=True)
class Measure:
    """Hold one figure of the run: a metric of what is selected, over a scope."""

    metric: Metric
    selector: Selector = EVERYTHING
    target: Target = Target.REQUESTS
    scope: Scope = WHOLE

    @property
    def kind(self) -> Kind:
        """Return the kind of the figure."""
        return self.metric.kind


@dataclass(frozen=True)
class Number:
    """Hold a constant in the unit of its kind; it follows the scales of the run as a limit of the kind."""

    value: float
    kind: Kind


@dataclass(frozen=True)
class Operation:
    """Hold a sum, difference, product or quotient: `sign` is one of + - * /."""

    left: "Expression"
    sign: str
    right: "Expression"
    kind: Kind


Expression = Measure | Number | Operation


def measures_of(expression: Expression) -> Iterator[Measure]:
    """Yield what an expression measures, from left to right."""
    if isinstance(expression, Operation):
        yield from measures_of(expression.left)
        yield from measures_of(expression.right)
    elif isinstance(expression, Measure):
        yield expression


@dataclass(frozen=True)
class Baseline:
    """Say how far from an earlier run the limit is: a stored baseline or a run directory, "" for the default.

    `offset` is added to the earlier figure: a ratio of it where `is_relative`, else in the unit of the kind.
    As a band it is the greatest distance on either side.
    """

    name: str = ""
    offset: float = 0.0
    is_relative: bool = False

    def limits(self, earlier: float, *, is_band: bool) -> tuple[float, float]:
        """Return the least and the greatest limit for the earlier figure: the same, but for a band."""
        offset = self.offset * abs(earlier) if self.is_relative else self.offset
        return (earlier - offset if is_band else earlier + offset), earlier + offset


UPPER_LIMITS = ("<", "<=")
BETWEEN = "between"


@dataclass(frozen=True)
class Statement:
    """Hold a parsed statement; limits are in the unit of the expression's kind.

    `source` is what the user wrote, with secrets masked, and `subject` of it what is before the operator. A
    count of requests is one of a counter where no request has such a name; and where no limit with a unit
    tells (in a ratio, with a baseline), a latency may be a figure of the journey's own metrics. The operator
    is one of < <= > >=, for counts also == and !=, or BETWEEN, both ends included, where `limit` is the lower
    one. With a baseline limits are 0 until `against` sets them.
    """

    expression: Expression
    operator: str
    limit: float
    source: str = field(compare=False)
    upper_limit: float | None = None
    baseline: Baseline | None = None
    subject: str = field(default="", compare=False)

    @property
    def measures(self) -> list[Measure]:
        """Return what has to be measured, from left to right."""
        return list(measures_of(self.expression))

    @property
    def is_of_steady_state(self) -> bool:
        """Tell whether all figures are of the judged time, be it that of a step, and none of a named part."""
        return all(measure.scope.part is Part.STEADY for measure in self.measures)

    @property
    def is_of_samples(self) -> bool:
        """Tell whether it is about one figure that a number of requests makes, with a limit of its own."""
        expression = self.expression
        return (
            isinstance(expression, Measure)
            and expression.scope.part is not Part.AFTER
            and expression.target is not Target.SERIES
            and expression.metric.of is None
            and self.baseline is None
        )

    @property
    def metric(self) -> Metric:
        """Return the metric; of an expression one that is called as it is written."""
        if isinstance(self.expression, Measure):
            return self.expression.metric
        return Metric(self.subject.strip(), None, self.expression.kind)

    @property
    def selector(self) -> Selector:
        """Return what is selected; everything for an expression."""
        return self.expression.selector if isinstance(self.expression, Measure) else EVERYTHING

    @property
    def target(self) -> Target:
        """Return what it is about; of an expression what its first figure is about."""
        return self.measures[0].target

    @property
    def sides(self) -> list["Statement"]:
        """Return the statements with one of < <= > >= that must all hold for it; != has none such."""
        if self.operator == BETWEEN:
            lower = replace(self, operator=">=", upper_limit=None)
            upper = math.inf if self.upper_limit is None else self.upper_limit
            return [lower, replace(lower, operator="<=", limit=upper)]
        if self.operator == "==":
            return [replace(self, operator=">="), replace(self, operator="<=")]
        return [self]

    def against(self, earlier: float) -> "Statement":
        """Return the statement with the limits that the baseline's figure *earlier* gives."""
        if self.baseline is None:
            return self
        low, high = self.baseline.limits(earlier, is_band=self.operator == BETWEEN)
        return replace(self, limit=low, upper_limit=high if self.operator == BETWEEN else None, baseline=None)

    @property
    def recorded(self) -> "Statement":
        """Return the statement with its limit as the recorder has such values: in ms, or scaled."""
        return replace(self, limit=self.limit * VALUE_SCALE) if self.metric.kind is CUSTOM else self

    @property
    def first_value_outside(self) -> float:
        """Return the least value beyond the limit: the limit itself for < and >=, else the next number."""
        return self.limit if self.operator in {"<", ">="} else math.nextafter(self.limit, math.inf)
