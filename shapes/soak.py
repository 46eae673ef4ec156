"""A soak: the same load for a working day, to find what leaks or slows down."""

from plimsoll.loads import scheduled_shape
from shapes.loads import SOAK


class SoakShape(scheduled_shape.ScheduledShape):
    """Go to 5,000 users in 5 minutes and hold them for 8 hours."""

    schedule = SOAK
