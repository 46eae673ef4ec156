"""The adapter between schedules and Locust: every shape of the suite is a subclass with a schedule."""

from __future__ import annotations

from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.runners import STATE_INIT, LocalRunner

import logging
from abc import abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from plimsoll.loads import arrival_dispatcher
from plimsoll.loads.arrival_schedule import ArrivalSchedule
from plimsoll.loads.schedule import Schedule, ScheduleError, Stage, check_scales
from plimsoll.run_files.exit_status import ExitStatus, Outcome

# Locust asks once a second.
TICK_S = 1.0

logger = logging.getLogger("plimsoll")

ScheduleT = TypeVar("ScheduleT", Schedule, ArrivalSchedule)


class PlannedShape(LoadTestShape, Generic[ScheduleT]):
    """A shape with a schedule, scaled by --user-scale and --time-scale.

    A subclass says `schedule` and `next_tick`.
    """

    abstract = True
    is_search = False
    """Whether the load goes on by the verdict on each step so far, for which it needs thresholds."""
    judge: Callable[[str], Outcome | None] | None = None

    @property
    @abstractmethod
    def schedule(self) -> ScheduleT:
        """The load at full size.

        Raises:
            ScheduleError: with all faults of the class that describes it.
        """

    @abstractmethod
    def next_tick(self) -> tuple[int, float] | None:
        """Return the users that there are to be, and the spawn rate; None at the end."""

    def tick(self) -> tuple[int, float] | None:
        """Return what Locust asks for once a second.

        A run that is recorded is refused before it begins where its schedule cannot be run. Any other is
        ended here, with exit status 2.
        """
        try:
            return self.next_tick()
        except ScheduleError as error:
            for fault in str(error).splitlines():
                logger.error("%s: %s", type(self).__name__, fault)  # noqa: TRY400 - a user's mistake
            assert self.runner is not None
            self.runner.environment.process_exit_code = ExitStatus.BAD_CONFIGURATION
            return None

    def judge_steps_by(self, judge: Callable[[str], Outcome | None] | None) -> None:
        """Go on by what *judge* returns for a finished step: its verdict, None until it is known."""
        self.judge = judge

    def planned(self) -> ScheduleT:
        """Return the schedule of this run, with the run's scales applied.

        Raises:
            ScheduleError: with all faults of the class that describes it, or of the scales.
        """
        return self.schedule.scaled(*self.scales())

    def scales(self) -> tuple[float, float]:
        """Return the run's --user-scale and --time-scale."""
        options = self.runner.environment.parsed_options if self.runner else None
        return float(getattr(options, "user_scale", 1.0)), float(getattr(options, "time_scale", 1.0))

    def awaits_set_up(self) -> bool:
        """Tell whether listeners of test_start are at work, before the users of the first tick.

        A single process would break them off and start them again for a tick that asks for other users.
        """
        runner = self.runner
        return (
            isinstance(runner, LocalRunner)
            and runner.shape_last_tick is not None
            and runner.state == STATE_INIT
        )


class ScheduledShape(PlannedShape[Schedule]):
    """Play *stages* of users one after the other; *steps* names those that are judged one by one.

    They are played in steps of at most one second. Each tick asks for the next second's users at a spawn
    rate that reaches them at once: a master blocks in a longer ramp, skips the stages meanwhile, and would
    play another load than a single process.
    """

    abstract = True
    stages: Sequence[Stage] = ()
    steps: Sequence[str] = ()

    def __init__(self) -> None:
        super().__init__()
        self._last_tick: tuple[int, float] = (0, TICK_S)

    @property
    def schedule(self) -> Schedule:
        """The load at full size."""
        return Schedule(tuple(self.stages), steps=tuple(self.steps))

    def reset_time(self) -> None:
        """Start from the beginning."""
        super().reset_time()
        self._last_tick = (0, TICK_S)

    def next_tick(self) -> tuple[int, float] | None:
        """Return the users planned for the middle of this tick, and a spawn rate that adds them at once."""
        if self.awaits_set_up():
            super().reset_time()
            return self._last_tick
        planned, elapsed_s = self.planned(), self.get_run_time()
        if elapsed_s >= planned.duration_s:
            return None
        users = planned.users_at(elapsed_s + TICK_S / 2)
        last_users = self._last_tick[0]
        if users is None or users == last_users:
            return self._last_tick
        self._last_tick = (users, max(1.0, abs(users - last_users) / TICK_S))
        return self._last_tick


def _scale(text: str) -> float:
    try:
        check_scales(scale := float(text), 1.0)
    except ValueError:
        raise ArgumentTypeError(f"must be a number above 0, got {text!r}") from None
    return scale


def add_scale_options(parser: LocustArgumentParser) -> None:
    """Add --user-scale and --time-scale to Locust's own options."""
    parser.add_argument(
        "--user-scale",
        type=_scale,
        default=1.0,
        metavar="<number>",
        env_var="PLIMSOLL_USER_SCALE",
        help="Multiply the users or arrivals of the load shape, e.g. 0.1 for a tenth. Defaults to 1.",
    )
    parser.add_argument(
        "--time-scale",
        type=_scale,
        default=1.0,
        metavar="<number>",
        env_var="PLIMSOLL_TIME_SCALE",
        help="Multiply the durations of the load shape, e.g. 0.02 to play an hour in 72 s. Defaults to 1.",
    )


events.init_command_line_parser.add_listener(add_scale_options)
events.init.add_listener(arrival_dispatcher.keep_intended_starts)
