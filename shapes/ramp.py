"""Normal load: ramp up, hold, ramp down."""

from shapes import _scheduled
from shapes.loads import RAMP


class RampShape(_scheduled.ScheduledShape):
    """Go to 1,000 users in 5 minutes, hold them for 30, and go back to none in 5."""

    schedule = RAMP
