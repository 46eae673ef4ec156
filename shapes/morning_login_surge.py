"""The morning's logins: all students of the country come between eight and nine."""

from plimsoll import MINUTE, ScheduledShape, Stage


class MorningLoginSurgeShape(ScheduledShape):
    """Surge to 50,000 users in 10 minutes, hold them for 40, and go back to none in 10: an hour."""

    stages = (
        Stage("surge", 10 * MINUTE, 0, 50_000),
        Stage("peak", 40 * MINUTE, 50_000, 50_000),
        Stage("ramp_down", 10 * MINUTE, 50_000, 0),
    )
