"""How much load, and when: schedules as pure functions, arrivals, pacing, and the base classes of shapes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plimsoll.loads.arrival_schedule import ArrivalSchedule, RateStage
    from plimsoll.loads.arrival_shape import ArrivalShape
    from plimsoll.loads.schedule import HOUR, MINUTE, SECOND, Schedule, ScheduleError, Stage
    from plimsoll.loads.scheduled_shape import ScheduledShape
    from plimsoll.loads.search_shape import SearchShape

__all__ = [
    "HOUR",
    "MINUTE",
    "SECOND",
    "ArrivalSchedule",
    "ArrivalShape",
    "RateStage",
    "Schedule",
    "ScheduleError",
    "ScheduledShape",
    "SearchShape",
    "Stage",
]
_MODULES = {
    "ArrivalSchedule": "arrival_schedule",
    "ArrivalShape": "arrival_shape",
    "RateStage": "arrival_schedule",
    "ScheduledShape": "scheduled_shape",
    "SearchShape": "search_shape",
}


def __getattr__(name: str) -> object:
    """Import what is asked for: the base classes import Locust, which a schedule does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'schedule')}"), name)
