"""The checks of a run: of its load, its generator, its requests and its recording.

Each says what it undermines where it fails. A check that cannot be made (no plan, no run.json) is left out:
it is not passed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Family(StrEnum):
    """Name what thresholds measure, as checks undermine it; a threshold may be of several families."""

    LATENCY = "latency"
    LOOP_TIMED = "loop_timed_latency"  # by the generator's event loop, and not by a browser
    CORRECTED = "corrected_latency"  # from the intended start of a schedule
    RATE = "rate"
    COUNT = "count"
    ERRORS = "errors"
    SCHEDULE = "schedule"  # iterations that were dropped or late


LOAD = (Family.LATENCY, Family.RATE, Family.COUNT)
"""What says nothing under another load than planned; errors seen under it are errors all the same."""
EVERYTHING = tuple(Family)


@dataclass(frozen=True)
class Check:
    """Hold one check: what was measured, what it is held against, and why it failed.

    `hides_worse` says that what the check did not see can only have been worse, so that a FAIL stands. One
    that `is_decisive` makes the run FAIL where it fails. A reason beside `ok` is a fact worth knowing.
    """

    check: str
    value: float | None
    limit: float | None
    ok: bool
    reason: str = ""
    undermines: Collection[Family] = ()
    hides_worse: bool = False
    is_decisive: bool = False

    @classmethod
    def of(
        cls,
        check: str,
        value: float,
        limit: float,
        ok: bool,
        reason: str,
        undermines: Collection[Family] = (),
        *,
        hides_worse: bool = False,
    ) -> "Check":
        """Return a check that gives its reason only where it fails."""
        return cls(check, value, limit, ok, "" if ok else reason, undermines, hides_worse)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the check as verdict.json has it."""
        return {
            "check": self.check,
            "value": self.value,
            "limit": self.limit,
            "ok": self.ok,
            "reason": self.reason,
            "undermines": [family.value for family in self.undermines],
            "is_decisive": self.is_decisive,
        }
