"""The parents' evening: they come little by little, and leave so."""

from plimsoll import MINUTE, ScheduledShape, Stage


class ParentEveningShape(ScheduledShape):
    """Go to 20,000 users in 45 minutes, hold them for 30, and go back to none in 45: two hours."""

    stages = (
        Stage("coming", 45 * MINUTE, 0, 20_000),
        Stage("peak", 30 * MINUTE, 20_000, 20_000),
        Stage("leaving", 45 * MINUTE, 20_000, 0),
    )
