"""Arrival schedules as pure functions of elapsed seconds: how many iterations start, and exactly when."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

from plimsoll.loads.schedule import StagedLoad, check_scales, is_number, is_whole, scaled_users

Spacing = Literal["even", "poisson"]

# A Poisson process has no memory: drawn anew in each block it is the same process, and a worker that joins
# late begins with the block of now and need not draw all that was before.
BLOCK_ARRIVALS = 100


class RateStage(NamedTuple):
    """A stretch of a schedule in which the arrivals a second go in a straight line from one to another."""

    name: str
    duration_s: float
    from_rate: float
    to_rate: float

    @property
    def arrivals(self) -> float:
        """Arrivals planned in this stage, the integral of the rate."""
        return self.duration_s * (self.from_rate + self.to_rate) / 2

    def level_faults(self) -> list[str]:
        """Return what is wrong with its rates."""
        return [
            f"{name} must be a number of at least 0, got {rate!r}"
            for name, rate in (("from_rate", self.from_rate), ("to_rate", self.to_rate))
            if not (is_number(rate) and rate >= 0)
        ]


@dataclass(frozen=True)
class ArrivalSchedule(StagedLoad[RateStage]):
    """Stages one after the other, and the most users that may be there to take what arrives.

    The k-th arrival (k = 1, 2, …) is due when the integral of the rate reaches its level: k - 1/2 where
    arrivals are evenly spaced, so that 0.5/s over 30 s is 15 of them, the first after 1 s; the sum of k unit
    exponentials drawn from *seed* where they are a Poisson process. *steps* names the stages that are judged
    one by one, to say up to which load the limits hold.

    Raises:
        ScheduleError: at construction, with all faults of all stages.
    """

    max_users: int
    spacing: Spacing = "even"
    seed: int = 1

    stage_type = RateStage

    def setting_faults(self) -> list[str]:
        """Return what is wrong with the users and the spacing."""
        faults = []
        if not (is_whole(self.max_users) and self.max_users >= 1):
            faults.append(f"max_users must be a whole number of at least 1, got {self.max_users!r}")
        if self.spacing not in get_args(Spacing):
            faults.append(f"spacing must be 'even' or 'poisson', got {self.spacing!r}")
        return faults

    def load_faults(self) -> list[str]:
        """Return why stages that are right, each by itself, make no load."""
        planned = self.planned_arrivals
        return [] if planned > 0.5 else [f"the stages plan {planned:.3g} arrivals; they must plan at least 1"]

    @property
    def peak_rate(self) -> float:
        """Highest number of arrivals a second that is ever planned."""
        return max(max(stage.from_rate, stage.to_rate) for stage in self.stages)

    @property
    def planned_arrivals(self) -> float:
        """Arrivals planned in all; where they are Poisson, their mean."""
        return sum(stage.arrivals for stage in self.stages)

    def rate_at(self, elapsed_s: float) -> float | None:
        """Return the planned arrivals a second at *elapsed_s* seconds, None when the schedule has ended."""
        position = self.position_at(elapsed_s)
        if position is None:
            return None
        stage, fraction = position
        return stage.from_rate + (stage.to_rate - stage.from_rate) * fraction

    def arrivals_until(self, elapsed_s: float) -> float:
        """Return the integral of the rate from the start to *elapsed_s* seconds; past the end, all of it."""
        arrivals = 0.0
        for stage in self.stages:
            within_s = min(max(elapsed_s, 0.0), stage.duration_s)
            slope = (stage.to_rate - stage.from_rate) / stage.duration_s
            arrivals += within_s * (stage.from_rate + slope * within_s / 2)
            elapsed_s -= stage.duration_s
        return arrivals

    def starts(self, index: int = 0, count: int = 1, from_s: float = 0.0) -> Iterator[float]:
        """Yield the intended starts of part *index* of *count*, in seconds, those before *from_s* left out.

        All parts together are exactly the schedule, each arrival once, also where they change at *from_s*.

        Raises:
            ValueError: there is no such part.
        """
        if not 0 <= index < count:
            raise ValueError(f"part must be 0 to {count - 1} of {count}, got {index!r}")
        # From a little before, as which side of from_s an arrival is on must not hang on a rounding error.
        from_level = self.arrivals_until(from_s) - 1
        if self.spacing == "poisson":
            numbered = _poisson_levels(self.seed, from_level)
        else:
            first = max(0, math.ceil(from_level - 0.5))
            numbered = ((number, number + 0.5) for number in itertools.count(first))
        levels = (level for number, level in numbered if number % count == index)
        return (start_s for start_s in self._times(levels) if start_s >= from_s)

    def scaled(self, user_scale: float, time_scale: float) -> ArrivalSchedule:
        """Return this schedule with rates and users multiplied by one scale, durations by the other.

        Raises:
            ScheduleError: a scale is not a positive finite number, or leaves no arrival.
        """
        check_scales(user_scale, time_scale)
        stages = (
            RateStage(
                stage.name,
                stage.duration_s * time_scale,
                stage.from_rate * user_scale,
                stage.to_rate * user_scale,
            )
            for stage in self.stages
        )
        return replace(self, stages=tuple(stages), max_users=scaled_users(self.max_users, user_scale))

    def _times(self, levels: Iterator[float]) -> Iterator[float]:
        """Yield when the integral of the rate reaches each of these ascending levels.

        Within a stage that is the smaller root of from_rate·t + slope·t²/2 = arrivals, in the form that also
        holds for a slope of 0.
        """
        stage_start_s = stage_level = 0.0
        level = next(levels)
        for stage in self.stages:
            slope = (stage.to_rate - stage.from_rate) / stage.duration_s
            while (arrivals := level - stage_level) < stage.arrivals:
                root = math.sqrt(max(0.0, stage.from_rate**2 + 2 * slope * arrivals))
                after_s = 2 * arrivals / (stage.from_rate + root) if arrivals > 0 else 0.0
                yield stage_start_s + min(stage.duration_s, after_s)
                level = next(levels)
            stage_start_s += stage.duration_s
            stage_level += stage.arrivals


def _poisson_levels(seed: int, from_level: float) -> Iterator[tuple[int, float]]:
    for block in itertools.count(int(max(0.0, from_level)) // BLOCK_ARRIVALS):
        draw = random.Random(f"{seed}:{block}").expovariate
        level, end = block * BLOCK_ARRIVALS + draw(1.0), (block + 1) * BLOCK_ARRIVALS
        number = block
        while level < end:
            yield number, level
            number += 1
            level += draw(1.0)
