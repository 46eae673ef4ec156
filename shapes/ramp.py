"""Normal load: ramp up, hold, ramp down."""

from plimsoll import MINUTE, ScheduledShape, Stage


class RampShape(ScheduledShape):
    """Go to 1,000 users in 5 minutes, hold them for 30, and go back to none in 5."""

    stages = (
        Stage("ramp_up", 5 * MINUTE, 0, 1000),
        Stage("hold", 30 * MINUTE, 1000, 1000),
        Stage("ramp_down", 5 * MINUTE, 1000, 0),
    )
