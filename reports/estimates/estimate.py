"""What an estimate is, whatever it was made from."""

import math
from dataclasses import dataclass, replace

from plimsoll.run_files.exit_status import Outcome
from reports.thresholds.statement import UPPER_LIMITS

Ends = tuple[float, float]

INDEPENDENT = "taking requests as independent"
SMALLEST_MEAN_N = 30
"""Fewer latencies, which are skewed, do not make a mean stable."""
FAR = 4.9
"""So many times beyond its limit no slow swing takes a figure (five times, however they were rounded): of
runs of 30 s to 10 min, simulated with a truth 5 % inside the limit and levels (lognormal, sd up to 1) that
are correlated by up to 0.95 from second to second, at most 1 % are FAR beyond it and by more than chance."""


@dataclass(frozen=True)
class Estimate:
    """Hold a figure, the interval it lies in (95 %), the requests behind it, and how it was reached.

    `value` is None where only the interval is known, `low` and `high` where it has no such end. Two narrower
    intervals can break a limit, but keep none: `step` takes a step for given, which `change` puts in words,
    and `independent` takes requests as independent. `needed_n` is set where too few requests bound the
    figure. `outcome` is set where exact counts decide rather than the interval shown, `longer` then says how
    many times as long a run would decide (infinite if none would). `doubt` says why none would. `caveat` is
    what to bear in mind whatever the outcome. `correlation_s` is after how many seconds the figure is alike
    by 1/e only, 0 where its seconds look independent, None where it was not looked for.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    step: Ends | None = None
    change: str = ""
    independent: Ends | None = None
    needed_n: int | None = None
    outcome: Outcome | None = None
    longer: float | None = None
    doubt: str = ""
    caveat: str = ""
    correlation_s: float | None = None

    def divided(self, by: float) -> "Estimate":
        """Return the figure in a unit that is so many times as large."""
        value, low, high = (None if x is None else x / by for x in (self.value, self.low, self.high))
        step, independent = (
            None if ends is None else (ends[0] / by, ends[1] / by) for ends in (self.step, self.independent)
        )
        return replace(self, value=value, low=low, high=high, step=step, independent=independent)


def is_far(value: float | None, operator: str, limit: float, max_value: float = math.inf) -> bool:
    """Tell whether a figure, of which none is over `max_value`, is FAR beyond its limit."""
    if value is None:
        return False
    if operator in UPPER_LIMITS:
        return value >= FAR * limit
    return FAR * value <= limit or (
        math.isfinite(max_value) and max_value - value >= FAR * (max_value - limit)
    )


def exact(value: float, n: int, method: str) -> Estimate:
    """Return a figure that was counted or seen, so that it is its own interval."""
    return Estimate(value, value, value, n, f"{method}, exact for this run")
