"""Volume: few users, constantly, whose every request is about much data."""

from shapes import _scheduled
from shapes.loads import VOLUME


class VolumeShape(_scheduled.ScheduledShape):
    """Hold 20 users for 10 minutes."""

    schedule = VOLUME
