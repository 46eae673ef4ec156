"""Volume: few users, constantly, whose every request is about much data."""

from plimsoll.loads import scheduled_shape
from shapes.loads import VOLUME


class VolumeShape(scheduled_shape.ScheduledShape):
    """Hold 20 users for 10 minutes."""

    schedule = VOLUME
