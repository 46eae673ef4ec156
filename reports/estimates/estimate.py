"""What an estimate is, whatever it was made from."""

from dataclasses import dataclass, replace

from reports.outcome import Outcome

INDEPENDENT = "taking requests as independent"
SMALLEST_MEAN_N = 30
"""Fewer latencies, which are skewed, do not make a mean stable."""


@dataclass(frozen=True)
class Estimate:
    """Hold a figure, the interval it lies in (95 %), the requests behind it, and how it was reached.

    `value` is None where only the interval is known, `low` and `high` where it has no such end. `fixed` is
    the half width that a longer run would not shrink. `needed_n` is set where too few requests bound the
    figure. `outcome` is set where exact counts decide rather than the interval shown, `longer` then says how
    many times as long a run would decide (infinite if none would). `doubt` says why none would. `caveat` is
    what to bear in mind whatever the outcome.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    fixed: float = 0.0
    needed_n: int | None = None
    outcome: Outcome | None = None
    longer: float | None = None
    doubt: str = ""
    caveat: str = ""

    def divided(self, by: float) -> "Estimate":
        """Return the figure in a unit that is so many times as large."""
        value, low, high = (None if x is None else x / by for x in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high, fixed=self.fixed / by)


def exact(value: float, n: int, method: str) -> Estimate:
    """Return a figure that was counted or seen, so that it is its own interval."""
    return Estimate(value, value, value, n, f"{method}, exact for this run")
