"""The adapters between arrivals and Locust: as many users as it takes, a part for each worker.

A search by steps is arrivals whose schedule grows with every verdict.
"""

from __future__ import annotations

from locust import events
from locust.env import Environment
from locust.rpc import Message
from locust.runners import LocalRunner, MasterRunner, Runner

import logging
import math
from collections.abc import Sequence
from dataclasses import fields
from time import perf_counter
from typing import Any

from plimsoll.listening import listen_first
from plimsoll.loads.arrival_dispatcher import (
    ARRIVALS_OPTION,
    ASSIGNMENT_MESSAGE,
    REPORT_MESSAGE,
    Assignment,
    Report,
)
from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage, Spacing
from plimsoll.loads.intended_starts import is_paced
from plimsoll.loads.scheduled_shape import PlannedShape
from plimsoll.loads.search import StepCourse, StepSearch
from plimsoll.locust_internals import answering_workers
from plimsoll.run_files.files import CLOSED, OPEN, PACED

# There are users for so many seconds of arrivals besides those who are busy: Locust asks a shape once a
# second, and who is asked for then must be there before the next arrivals are due.
RESERVE_S = 2.0
# Users of rare classes must be there too, within reason.
MOST_FOR_RARE_CLASSES = 100
# The load begins when all of its first users have signed in, or after this time at the latest.
PREPARATION_LIMIT_S = 30.0
# How long before it takes effect an assignment is sent, so that it is there in time.
LEAD_S = 0.5
# What is under way when the schedule ends may come to its end within this time.
LAST_ITERATIONS_S = 30.0
NO_JUDGE = "a search needs a verdict on each step: call record_run() in a locustfile and give --thresholds"

logger = logging.getLogger("plimsoll")


class ArrivalShape(PlannedShape[ArrivalSchedule]):
    """Start iterations at the rates of *stages*, however slow the service is; *max_users* take them.

    *spacing* is "even", or "poisson" with a *seed*; *steps* names the stages that are judged one by one.
    First come the users that the first seconds take; the schedule begins when they are ready. From then on
    there are more users whenever free ones run short, up to *max_users*.
    """

    abstract = True
    stages: Sequence[RateStage] = ()
    max_users: int = 0
    spacing: Spacing = "even"
    seed: int = 1
    steps: Sequence[str] = ()

    def __init__(self) -> None:
        super().__init__()
        self._forget()

    @property
    def schedule(self) -> ArrivalSchedule:
        """The load at full size."""
        stages, steps = tuple(self.stages), tuple(self.steps)
        return ArrivalSchedule(stages, self.max_users, self.spacing, self.seed, steps=steps)

    def _forget(self) -> None:
        self._reports: dict[str, Report] = {}
        self._began_s: float | None = None
        self._users = 0
        self._last_tick: tuple[int, float] = (0, 1.0)
        self._holders: list[str] = []
        self._assigned: ArrivalSchedule | None = None
        self._from_s = 0.0

    def reset_time(self) -> None:
        """Start from the beginning."""
        super().reset_time()
        self._forget()

    def get_run_time(self) -> float:
        """Return the seconds since the schedule began, 0.0 while its first users get ready."""
        return 0.0 if self._began_s is None else max(0.0, perf_counter() - self._began_s)

    def take_report(self, process: str, report: Report) -> None:
        """Take what a process with users says of them."""
        self._reports[process] = report

    @property
    def is_busy(self) -> bool:
        """Whether an iteration is under way, or due, as the last reports have it."""
        return any(report.busy for report in self._reports.values())

    def next_tick(self) -> tuple[int, float] | None:
        """Return the users that it takes by now, and a spawn rate that adds them at once."""
        if self.awaits_set_up():
            super().reset_time()
            return self._last_tick
        planned, runner = self.planned(), self.runner
        assert isinstance(runner, LocalRunner | MasterRunner)
        setattr(runner.environment.parsed_options, ARRIVALS_OPTION, True)
        present = answering_workers(runner) if isinstance(runner, MasterRunner) else {"local"}
        reports = {worker: report for worker, report in self._reports.items() if worker in present}
        if self._began_s is None and self._is_prepared(present, reports):
            self._began_s = perf_counter() + LEAD_S
        over_s = self.get_run_time() - planned.duration_s
        is_done = all(report.is_over and not report.busy for report in reports.values())
        if over_s >= LAST_ITERATIONS_S or (over_s >= 0 and is_done):
            return None
        self._ask_for_users(planned, runner, list(reports.values()), len(present))
        if self._began_s is not None:
            self._assign(planned, runner, reports)
        return self._last_tick

    def _is_prepared(self, present: set[str], reports: dict[str, Report]) -> bool:
        if perf_counter() - self.start_time > PREPARATION_LIMIT_S:
            return True
        users = sum(report.users for report in reports.values())
        return (
            reports.keys() == present
            and users >= self._users > 0
            and not any(report.starting for report in reports.values())
        )

    def _ask_for_users(
        self, planned: ArrivalSchedule, runner: Runner, reports: list[Report], workers: int
    ) -> None:
        elapsed_s = self.get_run_time()
        arrivals = planned.arrivals_until(elapsed_s + RESERVE_S) - planned.arrivals_until(elapsed_s)
        needed = sum(report.needed for report in reports) + math.ceil(arrivals)
        weights = [each.weight for each in runner.user_classes if not each.fixed_count and each.weight > 0]
        # So many that Locust's weights give each class one.
        for_each_class = math.ceil(sum(weights) / min(weights)) if weights else 0
        least = max(workers, min(MOST_FOR_RARE_CLASSES, for_each_class))
        users = min(planned.max_users, max(self._users, least, needed))
        if users != self._users:
            fixed = sum(user_class.fixed_count for user_class in runner.user_classes)
            self._last_tick = (users + fixed, float(max(1, users - self._users)))
            self._users = users

    def _assign(self, planned: ArrivalSchedule, runner: Runner, reports: dict[str, Report]) -> None:
        """Send each worker its assignment, every time: it also says whether more users are to come."""
        assert self._began_s is not None
        elapsed_s = perf_counter() - self._began_s
        holders = sorted(worker for worker, report in reports.items() if report.users)
        if (holders, planned) != (self._holders, self._assigned):
            self._from_s = max(0.0, elapsed_s + LEAD_S) if self._holders else 0.0
            self._holders, self._assigned = holders, planned
        for part, worker in enumerate(holders):
            assignment = Assignment(
                stages=list(planned.stages),
                max_users=planned.max_users,
                spacing=planned.spacing,
                seed=planned.seed,
                part=part,
                parts=len(holders),
                from_s=self._from_s,
                elapsed_s=perf_counter() - self._began_s,
                at_max_users=self._users >= planned.max_users,
            )
            runner.send_message(ASSIGNMENT_MESSAGE, assignment._asdict(), worker)


class SearchShape(ArrivalShape):
    """Play one step of a search after the other, each when the verdict on the one before is known.

    The attributes are those of `StepSearch`.
    """

    abstract = True
    is_search = True
    first_rate: float = 0
    factor: float = 0
    max_rate: float = 0
    resolution: float = 0
    step_s: float = 0
    rest_s: float = 0
    max_steps: int = 0

    def __init__(self) -> None:
        super().__init__()
        self._course: StepCourse | None = None

    @property
    def search(self) -> StepSearch:
        """The search at full size.

        Raises:
            ScheduleError: with all faults of the class that describes it.
        """
        return StepSearch(**{field.name: getattr(self, field.name) for field in fields(StepSearch)})

    @property
    def schedule(self) -> ArrivalSchedule:
        """The load of a service that nothing breaks, at full size."""
        return self.search.climb()

    def reset_time(self) -> None:
        """Start from the beginning; the judge stays, as a master comes here after the start of the run."""
        super().reset_time()
        self._course = None

    def planned(self) -> ArrivalSchedule:
        """Return the schedule of this run as far as it is known."""
        return (self._course or self._first_course()).schedule

    def next_tick(self) -> tuple[int, float] | None:
        """Go on with the search where it is time to, and return the users that it takes by now."""
        course = self._course = self._course or self._first_course()
        rested_s = course.rested_s(self.get_run_time())
        # What the step left over is done with, or has had its time.
        has_rested = rested_s >= LAST_ITERATIONS_S or not self.is_busy
        if not course.is_over and has_rested and rested_s >= self.search.scaled(*self.scales()).rest_s:
            if self.judge is None:
                logger.error(NO_JUDGE)
                return None
            outcome = self.judge(course.step)
            if outcome is not None:
                # Not before the workers have their assignments.
                course.go_on(outcome, self.get_run_time() + 2 * LEAD_S)
        return super().next_tick()

    def _first_course(self) -> StepCourse:
        return StepCourse(self.search.scaled(*self.scales()))


def load_model(environment: Environment) -> str:
    """Return open (arrivals), paced (users with a constant pacing, be it only some), or closed."""
    if isinstance(environment.shape_class, ArrivalShape):
        return OPEN
    return PACED if is_paced(environment.user_classes) else CLOSED


def _receive_reports(environment: Environment, runner: Runner | None, **_: Any) -> None:
    def on_report(environment: Environment, msg: Message) -> None:
        if isinstance(environment.shape_class, ArrivalShape):
            environment.shape_class.take_report(msg.node_id, Report(**msg.data))

    def end_arrivals(**_: Any) -> None:
        # The next run of the web UI may have another shape.
        setattr(environment.parsed_options, ARRIVALS_OPTION, False)

    if isinstance(runner, LocalRunner | MasterRunner):
        runner.register_message(REPORT_MESSAGE, on_report)
        if environment.parsed_options is not None:
            listen_first(environment.events.test_stop, end_arrivals)


events.init.add_listener(_receive_reports)
