"""The search for the load at which a service breaks: ever higher steps until one fails, then bisection.

Pure: the caller brings the time, and the verdict on each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from plimsoll.loads.schedule import ScheduleError, check_scales, is_number, is_whole, scaled_users
from plimsoll.run_files.exit_status import Outcome

# Within this time after a step its verdict has to come; without one the search ends there.
LONGEST_REST_S = 300.0


class Tried(NamedTuple):
    """A step that was played, and its verdict."""

    rate: float
    outcome: Outcome


@dataclass(frozen=True)
class StepSearch:
    """Which arrivals a second to try, one after the other.

    From *first_rate* on each step is *factor* times the one before until one fails or *max_rate* is reached.
    Then the widest gap between the highest that passed and the lowest that failed is halved, until it is at
    most *resolution* of the latter (a ratio), or *max_steps* were played. A step whose verdict stays open
    ends neither the climb nor the gap. Each lasts for *step_s*; then for at least *rest_s* none arrives, so
    that what it left over does not burden the next one.

    Raises:
        ScheduleError: at construction, with all faults.
    """

    first_rate: float
    factor: float
    max_rate: float
    resolution: float
    step_s: float
    rest_s: float
    max_steps: int
    max_users: int

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        least = {
            "first_rate": (self.first_rate, 0.0),
            "factor": (self.factor, 1.0),
            "resolution": (self.resolution, 0.0),
            "step_s": (self.step_s, 0.0),
            "rest_s": (self.rest_s, 0.0),
            "max_steps": (self.max_steps, 0.0),
        }
        faults = [
            f"{name} must be a number above {low:g}, got {value!r}"
            for name, (value, low) in least.items()
            if not (is_number(value) and value > low)
        ]
        first, most = self.first_rate, self.max_rate
        if is_number(first) and not (is_number(most) and first <= most):
            faults.append(f"max_rate must be a number of at least first_rate, {first!r}, got {most!r}")
        if not (is_whole(self.max_users) and self.max_users >= 1):
            faults.append(f"max_users must be a whole number of at least 1, got {self.max_users!r}")
        if faults:
            raise ScheduleError("\n".join(faults))

    def next_rate(self, tried: Sequence[Tried]) -> float | None:
        """Return the rate of the step after these, None when the search is over."""
        if not tried:
            return self.first_rate
        if len(tried) >= self.max_steps:
            return None
        failed = [rate for rate, outcome in tried if outcome == Outcome.FAIL]
        if not failed:
            highest = max(rate for rate, _ in tried)
            return min(highest * self.factor, self.max_rate) if highest < self.max_rate else None
        return self._between(tried, min(failed))

    def _between(self, tried: Sequence[Tried], failed: float) -> float | None:
        """Return the middle of the widest gap that is left below the lowest rate that failed."""
        below = [Tried(0.0, Outcome.PASS), *(step for step in tried if step.rate < failed)]
        passed = max(rate for rate, outcome in below if outcome == Outcome.PASS)
        levels = sorted({failed, *(rate for rate, _ in below if rate >= passed)})
        low, high = max(pairwise(levels), key=lambda gap: gap[1] - gap[0])
        return (low + high) / 2 if high - low > self.resolution * failed else None

    def scaled(self, user_scale: float, time_scale: float) -> StepSearch:
        """Return this search with rates and users multiplied by one scale, durations by the other.

        Raises:
            ScheduleError: a scale is not a positive finite number.
        """
        check_scales(user_scale, time_scale)
        return replace(
            self,
            first_rate=self.first_rate * user_scale,
            max_rate=self.max_rate * user_scale,
            max_users=scaled_users(self.max_users, user_scale),
            step_s=self.step_s * time_scale,
            rest_s=self.rest_s * time_scale,
        )

    def climb(self) -> ArrivalSchedule:
        """Return the load of a service that nothing breaks: every step up to the highest."""
        course = StepCourse(self)
        while not course.is_over:
            course.go_on(Outcome.PASS, course.schedule.duration_s - LONGEST_REST_S + self.rest_s)
        return course.schedule


class StepCourse:
    """What a search has played so far, and what it plays next."""

    def __init__(self, search: StepSearch) -> None:
        self._search = search
        self._stages: list[RateStage] = []
        self._tried: list[Tried] = []
        self.is_over = False
        self._begin_step(search.first_rate)

    @property
    def schedule(self) -> ArrivalSchedule:
        """The schedule up to the end of the rest after the current step."""
        steps = tuple(stage.name for stage in self._stages[::2])
        return ArrivalSchedule(tuple(self._stages), self._search.max_users, steps=steps)

    @property
    def step(self) -> str:
        """The name of the current step, which `go_on` takes the verdict on."""
        return self._stages[-2].name

    def rested_s(self, elapsed_s: float) -> float:
        """Return the seconds since the end of the current step, negative while it lasts."""
        return elapsed_s - sum(stage.duration_s for stage in self._stages[:-1])

    def go_on(self, outcome: Outcome, at_s: float) -> None:
        """Take the verdict on the current step; its rest ends at *at_s*, with the next step or altogether."""
        rest = self._stages[-1]
        self._stages[-1] = rest._replace(duration_s=self.rested_s(at_s))
        self._tried.append(Tried(self._stages[-2].from_rate, outcome))
        rate = self._search.next_rate(self._tried)
        if rate is None:
            self.is_over = True
        else:
            self._begin_step(rate)

    def _begin_step(self, rate: float) -> None:
        number = len(self._tried) + 1
        self._stages += [
            RateStage(f"step_{number}", self._search.step_s, rate, rate),
            RateStage(f"rest_{number}", LONGEST_REST_S, 0.0, 0.0),
        ]
