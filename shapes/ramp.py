"""Normal load: ramp up, hold, ramp down."""

from plimsoll.loads import scheduled_shape
from shapes.loads import RAMP


class RampShape(scheduled_shape.ScheduledShape):
    """Go to 1,000 users in 5 minutes, hold them for 30, and go back to none in 5."""

    schedule = RAMP
