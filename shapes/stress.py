"""Stress: a staircase to where the service breaks, and whether it recovers from it."""

from plimsoll.loads import scheduled_shape
from shapes.loads import STRESS


class StressShape(scheduled_shape.ScheduledShape):
    """Go to 100, 1,000, 5,000, 10,000 and 20,000 users in 2 minutes each, hold each for 5, recover in 10."""

    schedule = STRESS
