"""Gradual arrivals: more and more come, and fewer again, however slow the service is."""

from plimsoll.loads import arrival_shape
from shapes.loads import GRADUAL_ARRIVALS


class GradualArrivalsShape(arrival_shape.ArrivalShape):
    """Let 1, 5, 10, 20, 5 and 1 arrive a second, for 10, 30, 60, 60, 30 and 10 s."""

    schedule = GRADUAL_ARRIVALS
