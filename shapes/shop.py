"""The shop's load: ever steeper rises to 200 users, and none held."""

from plimsoll import MINUTE, ScheduledShape, Stage


class ShopShape(ScheduledShape):
    """Go to 10 users in 2 minutes, 50 in 5, 100 in 10, 200 in 5, and back to none in 2."""

    stages = (
        Stage("warm_up", 2 * MINUTE, 0, 10),
        Stage("low", 5 * MINUTE, 10, 50),
        Stage("medium", 10 * MINUTE, 50, 100),
        Stage("high", 5 * MINUTE, 100, 200),
        Stage("ramp_down", 2 * MINUTE, 200, 0),
    )
