"""Load schedules as pure functions of elapsed seconds: how many users, when, in which stage."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import NamedTuple

SECOND = 1.0
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ScheduleError(ValueError):
    """A schedule that cannot be run; the text names every fault, one a line."""


class Stage(NamedTuple):
    """A stretch of a schedule in which the users go in a straight line from one level to another."""

    name: str
    duration_s: float
    from_users: int
    to_users: int


@dataclass(frozen=True)
class Schedule:
    """Stages one after the other; a level that differs from the one before it is a jump.

    Raises:
        ScheduleError: at construction, with all faults of all stages.
    """

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        """Refuse stages that cannot be run."""
        faults = _faults(self.stages)
        if faults:
            raise ScheduleError("\n".join(faults))

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the first stage to the end of the last."""
        return sum(stage.duration_s for stage in self.stages)

    @property
    def peak_users(self) -> int:
        """Highest number of users that is ever planned."""
        return max(max(stage.from_users, stage.to_users) for stage in self.stages)

    def users_at(self, elapsed_s: float) -> int | None:
        """Return the planned users at *elapsed_s* seconds, None when the schedule has ended."""
        position = self._position(elapsed_s)
        if position is None:
            return None
        stage, stage_elapsed_s = position
        share = stage_elapsed_s / stage.duration_s
        return round(stage.from_users + (stage.to_users - stage.from_users) * share)

    def stage_at(self, elapsed_s: float) -> str | None:
        """Return the name of the stage at *elapsed_s* seconds, None when the schedule has ended."""
        position = self._position(elapsed_s)
        return position and position[0].name

    def scaled(self, user_scale: float, time_scale: float) -> Schedule:
        """Return this schedule with users and durations multiplied.

        Users are rounded up, so that a level above zero never becomes zero.

        Raises:
            ScheduleError: a scale is not a positive finite number.
        """
        faults = [
            f"{name} must be a number above 0, got {scale!r}"
            for name, scale in (("user_scale", user_scale), ("time_scale", time_scale))
            if not (math.isfinite(scale) and scale > 0)
        ]
        if faults:
            raise ScheduleError("\n".join(faults))
        return replace(
            self,
            stages=tuple(
                Stage(
                    stage.name,
                    stage.duration_s * time_scale,
                    _scaled_users(stage.from_users, user_scale),
                    _scaled_users(stage.to_users, user_scale),
                )
                for stage in self.stages
            ),
        )

    def _position(self, elapsed_s: float) -> tuple[Stage, float] | None:
        """Return the stage at *elapsed_s* and the seconds since that stage began."""
        if elapsed_s < 0:
            raise ValueError(f"elapsed_s must be at least 0, got {elapsed_s!r}")
        stage_start_s = 0.0
        for stage in self.stages:
            if elapsed_s < stage_start_s + stage.duration_s:
                return stage, elapsed_s - stage_start_s
            stage_start_s += stage.duration_s
        return None


def _scaled_users(users: int, user_scale: float) -> int:
    # 30 x 0.1 is 3.0000000000000004 in floating point, which must not become 4 users.
    return math.ceil(round(users * user_scale, 9))


def _faults(stages: tuple[Stage, ...]) -> list[str]:
    if not stages:
        return ["a schedule needs at least one stage, got none"]
    faults = [fault for number, stage in enumerate(stages, 1) for fault in _stage_faults(number, stage)]
    names = [stage.name for stage in stages]
    faults += [
        f"stage name {name!r} is used {names.count(name)} times; names must differ"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if not faults and all(stage.from_users == stage.to_users == 0 for stage in stages):
        faults.append("every stage has 0 users; at least one level must be above 0")
    return faults


def _stage_faults(number: int, stage: Stage) -> list[str]:
    where = f"stage {number} ({stage.name!r})"
    faults = []
    if not _STAGE_NAME.fullmatch(stage.name):
        faults.append(f"{where}: name must be lower-case letters, digits and _, got {stage.name!r}")
    if not (math.isfinite(stage.duration_s) and stage.duration_s > 0):
        faults.append(f"{where}: duration_s must be a number above 0, got {stage.duration_s!r}")
    faults += [
        f"{where}: {field} must be a whole number of at least 0, got {users!r}"
        for field, users in (("from_users", stage.from_users), ("to_users", stage.to_users))
        if users < 0 or users != int(users)
    ]
    return faults
