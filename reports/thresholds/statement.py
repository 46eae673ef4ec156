"""What a threshold says: of a metric of chosen requests, on which side of a limit it must be."""

import math
from dataclasses import dataclass, field, replace

from plimsoll.run_files.intervals import VALUE_SCALE
from reports.thresholds.metric import CUSTOM, Metric
from reports.thresholds.scope import STEADY, Scope
from reports.thresholds.selector import Selector, Target

UPPER_LIMITS = ("<", "<=")


@dataclass(frozen=True)
class Statement:
    """Hold a parsed statement; `limit` is in the unit of the metric's kind.

    `source` is what the user wrote, with secrets masked. A count of requests is
    one of a counter where no request has such a name.
    """

    metric: Metric
    selector: Selector
    target: Target
    operator: str
    limit: float
    source: str = field(compare=False)
    scope: Scope = STEADY

    @property
    def recorded(self) -> "Statement":
        """Return the statement with its limit as the recorder has such values: in ms, or scaled."""
        return replace(self, limit=self.limit * VALUE_SCALE) if self.metric.kind is CUSTOM else self

    @property
    def first_value_outside(self) -> float:
        """Return the least value beyond the limit: the limit itself for < and >=, else the next number."""
        return self.limit if self.operator in {"<", ">="} else math.nextafter(self.limit, math.inf)
