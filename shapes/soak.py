"""A soak: the same load for a working day, to find what leaks or slows down."""

from plimsoll import HOUR, MINUTE, ScheduledShape, Stage


class SoakShape(ScheduledShape):
    """Go to 5,000 users in 5 minutes and hold them for 8 hours."""

    stages = (
        # 5,000 logins at once would be a spike, and the first thing the soak remembers.
        Stage("ramp_up", 5 * MINUTE, 0, 5000),
        Stage("hold", 8 * HOUR, 5000, 5000),
    )
