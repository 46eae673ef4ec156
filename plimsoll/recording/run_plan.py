"""What a run is to do, and how far it is, by the clock that its schedule itself is played by."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import MasterRunner, Runner

import math
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import NamedTuple

from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
from plimsoll.loads.arrival_shape import load_model
from plimsoll.loads.schedule import Schedule, Stage
from plimsoll.loads.scheduled_shape import PlannedShape
from plimsoll.recording.options import options_of, warm_up_s
from plimsoll.recording.run_clock import RunClock
from plimsoll.redact import redact
from plimsoll.run_files.exit_status import Outcome

WARM_UP_STAGE, LOAD_STAGE = "warm_up", "load"


class Planned(NamedTuple):
    """What is planned for a moment: a stage, users, iterations started a second; None where nothing is."""

    stage: str | None
    users: int | None
    rate_per_s: float | None


class SpawnRamp:
    """The users that Locust is to run while it goes from one number of them to the next at the spawn rate.

    It starts or stops floor(rate) of them at once, or one, and as many again when they are due.
    """

    def __init__(self) -> None:
        self._target: tuple[float, float] | None = None
        self._from_users, self._since_s = 0, 0.0
        self._last_users = 0

    def users_at(self, elapsed_s: float, target_users: float, spawn_rate: float, users: int) -> int:
        """Return how many users there are to be, where *users* are there; ask about once a second."""
        batch = max(1, math.floor(spawn_rate))
        if (target_users, spawn_rate) != self._target:
            self._target, self._since_s = (target_users, spawn_rate), elapsed_s
            # The first batch may be there, or gone, already.
            if users > target_users:
                self._from_users = min(users + batch, max(users, self._last_users))
            else:
                self._from_users = max(users - batch, min(users, self._last_users))
        if users == target_users:
            self._from_users = users
        self._last_users = users
        moved = batch * (1 + math.floor((elapsed_s - self._since_s) * spawn_rate / batch))
        if target_users >= self._from_users:
            return math.ceil(min(target_users, self._from_users + moved))
        return math.floor(max(target_users, self._from_users - moved))


class RunPlan:
    """The plan of one run, which starts with its clock.

    An open load's schedule begins when its first users are ready, *preparation_s* after the start. *set_up_s*
    is how long the listeners of test_start took before that.
    """

    def __init__(self, environment: Environment, clock: RunClock, set_up_s: float) -> None:
        self._environment, self._clock = environment, clock
        shape = environment.shape_class
        self._shape = shape if isinstance(shape, PlannedShape) else None
        self._known = self._schedule
        self._warm_up_s = 0 if self._shape else warm_up_s(options_of(environment).warm_up)
        self._set_up_s = set_up_s
        self._ramp = SpawnRamp()
        self.preparation_s: float | None = None

    def judge_steps_by(self, judge: Callable[[str], Outcome | None] | None) -> None:
        """Have a shape that searches learn how its steps went, where there are limits to judge them by."""
        if self._shape:
            self._shape.judge_steps_by(judge)

    @property
    def _schedule(self) -> Schedule | ArrivalSchedule | None:
        """The schedule as far as it is known: that of a search grows with each verdict."""
        return self._shape.planned() if self._shape else None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start of the run."""
        if self._shape is None or self._is_open:
            return self._clock.elapsed_s
        return float(self._shape.get_run_time())

    @property
    def run_time_s(self) -> float | None:
        """Seconds of --run-time that are left for the load: Locust counts it from before the set-up.

        With a shape Locust ignores it, and the shape alone ends the run.
        """
        if self._environment.shape_class:
            return None
        run_time_s: float | None = options_of(self._environment).run_time
        return max(0.0, run_time_s - self._set_up_s) if run_time_s else None

    def has_changed(self) -> bool:
        """Return True once when the arrivals have begun, and whenever a search goes on.

        *preparation_s* is known from the former on.
        """
        before, self._known = self._known, self._schedule
        position_s = self._position_s
        if self.preparation_s is not None or position_s is None or not self._is_open:
            return before != self._known
        self.preparation_s = round(max(0.0, self.elapsed_s - position_s), 3)
        return True

    def now(self, runner: Runner | None) -> Planned:
        """Return what is planned for this moment; *runner* is None once the load has ended.

        Without a schedule the plan is what Locust was asked for last: a number of users, and a spawn rate.
        """
        schedule, position_s = self._schedule, self._position_s
        if schedule is not None:
            if position_s is None:
                return Planned(None, None, None)
            return Planned(
                schedule.stage_at(position_s), schedule.users_at(position_s), schedule.rate_at(position_s)
            )
        users = None
        if runner:
            spawn_rate = options_of(self._environment).spawn_rate or 1.0
            if isinstance(runner, MasterRunner):
                spawn_rate = runner.spawn_rate
            elif runner.shape_last_tick:
                spawn_rate = runner.shape_last_tick[1]
            wanted = runner.target_user_count
            users = self._ramp.users_at(self.elapsed_s, wanted, spawn_rate, runner.user_count)
        return Planned(self._stage_without_shape(self.elapsed_s), users, None)

    def stage_of(self, unix_s: int) -> str:
        """Return the stage that was played in the middle of a second, empty where there was none."""
        position_s = self._position_s
        if self._shape is None:
            return self._stage_without_shape(unix_s + 0.5 - self._clock.now_unix_s + self.elapsed_s) or ""
        if self._schedule is None or position_s is None:
            return ""
        middle_s = unix_s + 0.5 - self._clock.now_unix_s + position_s
        # Of a second that the schedule began or ended in, a part is played.
        if middle_s <= -0.5 or middle_s >= self._schedule.duration_s + 0.5:
            return ""
        played_s = min(max(0.0, middle_s), math.nextafter(self._schedule.duration_s, 0.0))
        return self._schedule.stage_at(played_s) or ""

    def facts(self) -> dict[str, object]:
        """Return what run.json says of the plan; its times count from the start of the run."""
        options, schedule = options_of(self._environment), self._schedule
        preparation_s = self.preparation_s or 0.0
        facts: dict[str, object] = {
            "load_model": load_model(self._environment),
            "shape": type(self._environment.shape_class).__name__ if self._environment.shape_class else None,
            "stages": stage_facts(schedule, preparation_s),
            "steps": list(schedule.steps) if schedule else [],
            "is_search": self._shape is not None and self._shape.is_search,
            "warm_up_s": preparation_s + warm_up_of(schedule) if schedule else self._warm_up_s,
            "planned_duration_s": schedule.duration_s + preparation_s if schedule else self.run_time_s,
            "set_up_s": round(self._set_up_s, 3),
            "user_scale": options.user_scale if schedule else 1.0,
            "time_scale": options.time_scale if schedule else 1.0,
        }
        if isinstance(schedule, ArrivalSchedule):
            facts["arrivals"] = {
                "spacing": schedule.spacing,
                "max_users": schedule.max_users,
                "planned": round(schedule.planned_arrivals),
                "began_s": self.preparation_s,
            }
        return facts

    def _stage_without_shape(self, elapsed_s: float) -> str | None:
        if not self._warm_up_s:
            return None
        return WARM_UP_STAGE if elapsed_s < self._warm_up_s else LOAD_STAGE

    @property
    def _is_open(self) -> bool:
        return isinstance(self._schedule, ArrivalSchedule)

    @property
    def _position_s(self) -> float | None:
        """Seconds since the schedule began, None before that."""
        run_time_s = float(self._shape.get_run_time()) if self._shape else 0.0
        return run_time_s if run_time_s > 0 else None


def profile_of(environment: Environment) -> str:
    """Return the name by which runs of the same kind are known: --profile, or that of the user classes."""
    journeys = "-".join(sorted(user_class.__name__ for user_class in environment.user_classes))
    return redact(environment.profile or "") or journeys[:60]


def warm_up_of(schedule: Schedule | ArrivalSchedule) -> float:
    """Return the seconds from the start of a schedule that warm up: its first stages of that name."""
    stages: Iterable[Stage | RateStage] = schedule.stages
    return sum(stage.duration_s for stage in takewhile(lambda stage: stage.name == WARM_UP_STAGE, stages))


def stage_facts(schedule: Schedule | ArrivalSchedule | None, begins_s: float) -> list[dict[str, object]]:
    """Return the planned stages of a schedule that begins *begins_s* after the start of the run."""
    facts: list[dict[str, object]] = []
    start_s = begins_s
    for stage in schedule.stages if schedule else ():
        end_s = start_s + stage.duration_s
        fact = {"name": stage.name, "from_s": round(start_s, 3), "to_s": round(end_s, 3)}
        if isinstance(stage, RateStage):
            fact |= {"from_rate": stage.from_rate, "to_rate": stage.to_rate}
        else:
            fact |= {"from_users": stage.from_users, "to_users": stage.to_users}
        facts.append(fact)
        start_s = end_s
    return facts
