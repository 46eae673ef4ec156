"""Load schedules as pure functions of elapsed seconds: how many users, when, in which stage."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

SECOND = 1.0
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
MAX_USERS = 10_000_000
"""Far more than a machine holds: what asks for more would only fill the memory."""

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ScheduleError(ValueError):
    """A schedule that cannot be run; the text names every fault, one a line."""


class TimedStage(Protocol):
    """A stretch of a schedule, whatever its load is counted in."""

    @property
    def name(self) -> str:
        """The name, which no other stage of the schedule has."""

    @property
    def duration_s(self) -> float:
        """Seconds from its start to its end."""

    def level_faults(self) -> list[str]:
        """Return what is wrong with its levels."""


StageT = TypeVar("StageT", bound=TimedStage)


@dataclass(frozen=True)
class StagedLoad(Generic[StageT]):
    """Stages one after the other; *steps* names those that are judged one by one.

    Raises:
        ScheduleError: at construction, with all faults of all stages.
    """

    stages: tuple[StageT, ...]
    steps: tuple[str, ...] = field(default=(), kw_only=True)

    stage_type: ClassVar[Any]

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        faults = [
            fault
            for number, stage in enumerate(self.stages, 1)
            for fault in self._stage_faults(number, stage)
        ]
        names = [stage.name for stage in self.stages if isinstance(stage, self.stage_type)]
        faults += [
            f"stage name {name!r} is used {names.count(name)} times; names must differ"
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
        faults += [
            f"step {step!r} is no stage, valid are {', '.join(names)}"
            for step in self.steps
            if step not in names
        ]
        if not self.stages:
            faults.append("a schedule needs at least one stage, got none")
        faults += self.setting_faults()
        faults = faults or self.load_faults()
        if faults:
            raise ScheduleError("\n".join(faults))

    def _stage_faults(self, number: int, stage: Any) -> list[str]:
        if not isinstance(stage, self.stage_type):
            return [f"stage {number} must be a {self.stage_type.__name__}, got {stage!r}"]
        faults = []
        if not (isinstance(stage.name, str) and _STAGE_NAME.fullmatch(stage.name)):
            faults.append(f"name must be lower-case letters, digits and _, got {stage.name!r}")
        if not (is_number(stage.duration_s) and stage.duration_s > 0):
            faults.append(f"duration_s must be a number above 0, got {stage.duration_s!r}")
        return [f"stage {number} ({stage.name!r}): {fault}" for fault in [*faults, *stage.level_faults()]]

    def setting_faults(self) -> list[str]:
        """Return what is wrong with what the schedule has beside its stages."""
        return []

    def load_faults(self) -> list[str]:
        """Return why stages that are right, each by itself, make no load."""
        return []

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the first stage to the end of the last."""
        return sum(stage.duration_s for stage in self.stages)

    def stage_at(self, elapsed_s: float) -> str | None:
        """Return the name of the stage at *elapsed_s* seconds, None when the schedule has ended."""
        position = self.position_at(elapsed_s)
        return position and position[0].name

    def position_at(self, elapsed_s: float) -> tuple[StageT, float] | None:
        """Return the stage at *elapsed_s* and the fraction of it that has passed, None after the last.

        Raises:
            ValueError: *elapsed_s* is before the start.
        """
        if elapsed_s < 0:
            raise ValueError(f"elapsed_s must be at least 0, got {elapsed_s!r}")
        stage_start_s = 0.0
        for stage in self.stages:
            if elapsed_s < stage_start_s + stage.duration_s:
                return stage, (elapsed_s - stage_start_s) / stage.duration_s
            stage_start_s += stage.duration_s
        return None

    def users_at(self, elapsed_s: float) -> int | None:  # noqa: ARG002 - a closed load has users
        """Return the planned users at *elapsed_s* seconds; None where none are planned."""
        return None

    def rate_at(self, elapsed_s: float) -> float | None:  # noqa: ARG002 - an open load has a rate
        """Return the planned arrivals a second at *elapsed_s* seconds; None where none are planned."""
        return None


class Stage(NamedTuple):
    """A stretch of a schedule in which the users go in a straight line from one level to another."""

    name: str
    duration_s: float
    from_users: int
    to_users: int

    def level_faults(self) -> list[str]:
        """Return what is wrong with its levels."""
        return [
            f"{name} must be a whole number of at least 0, got {users!r}"
            for name, users in (("from_users", self.from_users), ("to_users", self.to_users))
            if not (is_whole(users) and users >= 0)
        ]


@dataclass(frozen=True)
class Schedule(StagedLoad[Stage]):
    """Users: a level that differs from the one before it is a jump."""

    stage_type = Stage

    def load_faults(self) -> list[str]:
        """Return why stages that are right, each by itself, make no load."""
        return [] if self.peak_users else ["every stage has 0 users; at least one level must be above 0"]

    @property
    def peak_users(self) -> int:
        """Highest number of users that is ever planned."""
        return max(max(stage.from_users, stage.to_users) for stage in self.stages)

    @property
    def user_hours(self) -> float:
        """Users times the hours that they are there, the integral of the plan."""
        levels = (stage.duration_s * (stage.from_users + stage.to_users) / 2 for stage in self.stages)
        return sum(levels) / HOUR

    def users_at(self, elapsed_s: float) -> int | None:
        """Return the planned users at *elapsed_s* seconds, None when the schedule has ended."""
        position = self.position_at(elapsed_s)
        if position is None:
            return None
        stage, fraction = position
        return round(stage.from_users + (stage.to_users - stage.from_users) * fraction)

    def scaled(self, user_scale: float, time_scale: float) -> Schedule:
        """Return this schedule with users and durations multiplied.

        Users are rounded up, so that a level above zero never becomes zero.

        Raises:
            ScheduleError: a scale is not a positive finite number.
        """
        check_scales(user_scale, time_scale)
        stages = (
            Stage(
                stage.name,
                stage.duration_s * time_scale,
                scaled_users(stage.from_users, user_scale),
                scaled_users(stage.to_users, user_scale),
            )
            for stage in self.stages
        )
        return replace(self, stages=tuple(stages))


def check_scales(user_scale: float, time_scale: float) -> None:
    """Refuse scales that are no positive finite numbers.

    Raises:
        ScheduleError: with the faults of both.
    """
    faults = [
        f"{name} must be a number above 0, got {scale!r}"
        for name, scale in (("user_scale", user_scale), ("time_scale", time_scale))
        if not (is_number(scale) and scale > 0)
    ]
    if faults:
        raise ScheduleError("\n".join(faults))


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object) -> bool:
    """Tell whether a value is a whole number."""
    return is_number(value) and value == int(value)  # type: ignore[call-overload] # it is a number


def scaled_users(users: int, user_scale: float) -> int:
    """Return a scaled number of users, rounded up.

    Raises:
        ScheduleError: they are more than MAX_USERS.
    """
    if users * user_scale > MAX_USERS:
        raise ScheduleError(
            f"user_scale {user_scale:g} makes over {MAX_USERS:,} users of {users:,}; give a smaller one"
        )
    # 30 x 0.1 is 3.0000000000000004 in floating point, which must not become 4 users.
    return math.ceil(round(users * user_scale, 9))
