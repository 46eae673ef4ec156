"""The adapter between schedules and Locust: every shape of the suite is a subclass with a schedule."""

from __future__ import annotations

from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.runners import STATE_INIT, LocalRunner

import sys
import traceback
from argparse import ArgumentTypeError
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from plimsoll.loads import arrival_dispatcher
from plimsoll.loads.arrival_schedule import ArrivalSchedule
from plimsoll.loads.schedule import Schedule, ScheduleError, check_scales

# Locust asks once a second.
TICK_S = 1.0
EXIT_BAD_CONFIGURATION = 2


ScheduleT = TypeVar("ScheduleT", Schedule, ArrivalSchedule)


class PlannedShape(LoadTestShape, Generic[ScheduleT]):
    """A shape with a schedule, scaled by --user-scale and --time-scale."""

    abstract = True
    schedule: ScheduleT

    def planned(self) -> ScheduleT:
        """Return the schedule of this run, with the run's scales applied."""
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
    """Play a schedule of users in steps of at most one second.

    Each tick asks for the next second's users at a spawn rate that reaches them at once: a master blocks in a
    longer ramp, skips the stages meanwhile, and would play another load than a single process.
    """

    abstract = True

    def __init__(self) -> None:
        super().__init__()
        self._last_tick: tuple[int, float] = (0, TICK_S)

    def reset_time(self) -> None:
        """Start from the beginning."""
        super().reset_time()
        self._last_tick = (0, TICK_S)

    def tick(self) -> tuple[int, float] | None:
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


def _end_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say the faults of a schedule, one a line, and whatever else a process ends with as it always was."""
    if not isinstance(error, ScheduleError):
        _end_with_traceback(kind, error, trace)
        return
    loaded = [frame for frame in traceback.extract_tb(trace) if frame.name == "<module>"]
    where = f"{Path(loaded[-1].filename).name}, line {loaded[-1].lineno}: " if loaded else ""
    sys.stderr.write("".join(f"plimsoll: {where}{fault}\n" for fault in str(error).splitlines()))
    sys.exit(EXIT_BAD_CONFIGURATION)


# A schedule is checked while Locust loads the file that holds it, where no event comes yet.
_end_with_traceback, sys.excepthook = sys.excepthook, _end_process
events.init_command_line_parser.add_listener(add_scale_options)
events.init.add_listener(arrival_dispatcher.keep_intended_starts)
