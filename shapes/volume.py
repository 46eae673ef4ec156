"""Volume: few users, constantly, whose every request is about much data."""

from plimsoll import MINUTE, ScheduledShape, Stage


class VolumeShape(ScheduledShape):
    """Hold 20 users for 10 minutes."""

    stages = (Stage("hold", 10 * MINUTE, 20, 20),)
