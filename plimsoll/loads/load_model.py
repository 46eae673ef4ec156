"""By which model a run makes its load."""

from __future__ import annotations

from locust.env import Environment

from typing import Literal

from plimsoll.loads.arrival_shape import ArrivalShape
from plimsoll.loads.intended_starts import is_paced


def load_model(environment: Environment) -> Literal["open", "paced", "closed"]:
    """Return open (arrivals), paced (users with a constant pacing, be it only some), or closed."""
    if isinstance(environment.shape_class, ArrivalShape):
        return "open"
    return "paced" if is_paced(environment.user_classes) else "closed"
