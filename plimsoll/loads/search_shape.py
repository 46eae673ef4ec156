"""The adapter between a search by steps and Locust: arrivals whose schedule grows with every verdict."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import fields

from plimsoll.loads.arrival_schedule import ArrivalSchedule
from plimsoll.loads.arrival_shape import LAST_ITERATIONS_S, LEAD_S, ArrivalShape, is_busy
from plimsoll.loads.search import Outcome, StepCourse, StepSearch

logger = logging.getLogger(__name__)

NO_JUDGE = "a search needs a verdict on each step: call record_run() in a locustfile and give --thresholds"


class SearchShape(ArrivalShape):
    """Play one step of a search after the other, each when the verdict on the one before is known.

    The attributes are those of `StepSearch`.
    The recorder of the run sets *judge*: it returns the verdict on a finished step, None until it is known.
    """

    abstract = True
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
        self.judge: Callable[[str], Outcome | None] | None = None

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
        self._course = self._course or self._first_course()
        if not self._course.is_over and self._has_rested(self._course):
            if self.judge is None:
                logger.error(NO_JUDGE)
                return None
            outcome = self.judge(self._course.step)
            if outcome is not None:
                # Not before the workers have their assignments.
                self._course.go_on(outcome, self.get_run_time() + 2 * LEAD_S)
        return super().next_tick()

    def _first_course(self) -> StepCourse:
        return StepCourse(self.search.scaled(*self.scales()))

    def _has_rested(self, course: StepCourse) -> bool:
        """Return whether what the step left over is done with, or has had its time."""
        rested_s = course.rested_s(self.get_run_time())
        return rested_s >= self.search.scaled(*self.scales()).rest_s and (
            rested_s >= LAST_ITERATIONS_S or not is_busy()
        )
