"""A spike: a hundredfold rise within half a minute, and what is left afterwards."""

from plimsoll.loads import scheduled_shape
from shapes.loads import SPIKE


class SpikeShape(scheduled_shape.ScheduledShape):
    """Hold 100 users for a minute, spike to 10,000 for three, and watch the recovery at 100."""

    schedule = SPIKE
