"""Arrival phases: warm up, ramp up, hold, and a last push to twice of it."""

from plimsoll.loads import arrival_shape
from shapes.loads import ARRIVAL_PHASES


class ArrivalPhasesShape(arrival_shape.ArrivalShape):
    """Let 5 arrive a second for a minute, 10 to 50 for five, 50 for two, 100 for one."""

    schedule = ARRIVAL_PHASES
