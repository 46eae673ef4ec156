"""Load schedules as pure functions of elapsed seconds: how many users, when, in which stage."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Protocol, TypeVar

SECOND = 1.0
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
MAX_USERS = 10_000_000
"""Far more than a machine holds: what asks for more would only fill the memory."""

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ScheduleError(ValueError):
    """A schedule that cannot be run; the text names every fault, one a line."""


class Stage(NamedTuple):
    """A stretch of a schedule in which the users go in a straight line from one level to another."""

    name: str
    duration_s: float
    from_users: int
    to_users: int


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """The name."""


class Timed(Named, Protocol):
    """Whatever has a name and lasts for a while."""

    @property
    def duration_s(self) -> float:
        """Seconds from its start to its end."""


TimedT = TypeVar("TimedT", bound=Timed)


class Staged(Generic[TimedT]):
    """Stages one after the other, of whatever kind."""

    stages: tuple[TimedT, ...]

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the first stage to the end of the last."""
        return sum(stage.duration_s for stage in self.stages)

    def stage_at(self, elapsed_s: float) -> str | None:
        """Return the name of the stage at *elapsed_s* seconds, None when the schedule has ended."""
        position = locate(self.stages, elapsed_s)
        return position and position[0].name


@dataclass(frozen=True)
class Schedule(Staged[Stage]):
    """Stages one after the other; a level that differs from the one before it is a jump.

    *steps* names the stages that are judged one by one, to say up to which load the limits hold.

    Raises:
        ScheduleError: at construction, with all faults of all stages.
    """

    stages: tuple[Stage, ...]
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse stages that cannot be run."""
        faults = _faults(self.stages) + unknown_step_faults(self.steps, self.stages)
        if faults:
            raise ScheduleError("\n".join(faults))

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
        position = locate(self.stages, elapsed_s)
        if position is None:
            return None
        stage, stage_elapsed_s = position
        fraction = stage_elapsed_s / stage.duration_s
        return round(stage.from_users + (stage.to_users - stage.from_users) * fraction)

    def rate_at(self, elapsed_s: float) -> float | None:  # noqa: ARG002 - asked as of any schedule
        """Return None: how many iterations a second these users start is up to the service."""
        return None

    def scaled(self, user_scale: float, time_scale: float) -> Schedule:
        """Return this schedule with users and durations multiplied.

        Users are rounded up, so that a level above zero never becomes zero.

        Raises:
            ScheduleError: a scale is not a positive finite number.
        """
        check_scales(user_scale, time_scale)
        return replace(
            self,
            stages=tuple(
                Stage(
                    stage.name,
                    stage.duration_s * time_scale,
                    scaled_users(stage.from_users, user_scale),
                    scaled_users(stage.to_users, user_scale),
                )
                for stage in self.stages
            ),
        )


def locate(stages: Iterable[TimedT], elapsed_s: float) -> tuple[TimedT, float] | None:
    """Return the stage at *elapsed_s* and the seconds since it began, None after the last.

    Raises:
        ValueError: *elapsed_s* is before the start.
    """
    if elapsed_s < 0:
        raise ValueError(f"elapsed_s must be at least 0, got {elapsed_s!r}")
    stage_start_s = 0.0
    for stage in stages:
        if elapsed_s < stage_start_s + stage.duration_s:
            return stage, elapsed_s - stage_start_s
        stage_start_s += stage.duration_s
    return None


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


def _faults(stages: tuple[Stage, ...]) -> list[str]:
    if not stages:
        return ["a schedule needs at least one stage, got none"]
    faults = [fault for number, stage in enumerate(stages, 1) for fault in _stage_faults(number, stage)]
    faults += repeated_name_faults([stage.name for stage in stages])
    if not faults and all(stage.from_users == stage.to_users == 0 for stage in stages):
        faults.append("every stage has 0 users; at least one level must be above 0")
    return faults


def repeated_name_faults(names: list[str]) -> list[str]:
    """Return a fault for each name that several stages have."""
    return [
        f"stage name {name!r} is used {names.count(name)} times; names must differ"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]


def unknown_step_faults(steps: Iterable[str], stages: Iterable[Named]) -> list[str]:
    """Return a fault for each step that names no stage."""
    names = [stage.name for stage in stages]
    return [f"step {step!r} is no stage, valid are {', '.join(names)}" for step in steps if step not in names]


def stage_frame_faults(where: str, name: object, duration_s: float) -> list[str]:
    """Return what is wrong with the name and the duration of a stage, whatever it is a stage of."""
    faults = []
    if not (isinstance(name, str) and _STAGE_NAME.fullmatch(name)):
        faults.append(f"{where}: name must be lower-case letters, digits and _, got {name!r}")
    if not (is_number(duration_s) and duration_s > 0):
        faults.append(f"{where}: duration_s must be a number above 0, got {duration_s!r}")
    return faults


def _stage_faults(number: int, stage: Stage) -> list[str]:
    where = f"stage {number} ({stage.name!r})"
    return stage_frame_faults(where, stage.name, stage.duration_s) + [
        f"{where}: {field} must be a whole number of at least 0, got {users!r}"
        for field, users in (("from_users", stage.from_users), ("to_users", stage.to_users))
        if not (is_whole(users) and users >= 0)
    ]
