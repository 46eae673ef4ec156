"""By which model a run makes its load."""

from __future__ import annotations

from locust.env import Environment

from typing import Literal

from plimsoll.loads.arrival_schedule import ArrivalSchedule
from plimsoll.loads.intended_starts import is_paced
from plimsoll.loads.scheduled_shape import PlannedShape


def load_model(environment: Environment) -> Literal["open", "paced", "closed"]:
    """Return open (arrivals), paced (users with a constant pacing, be it only some), or closed."""
    shape = environment.shape_class
    if isinstance(shape, PlannedShape) and isinstance(shape.schedule, ArrivalSchedule):
        return "open"
    return "paced" if is_paced(environment.user_classes) else "closed"
