"""A soak: the same load for a working day, to find what leaks or slows down."""

from shapes import _scheduled
from shapes.loads import SOAK


class SoakShape(_scheduled.ScheduledShape):
    """Go to 5,000 users in 5 minutes and hold them for 8 hours."""

    schedule = SOAK
