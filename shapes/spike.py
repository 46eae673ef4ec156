"""A spike: a hundredfold rise within half a minute, and what is left afterwards."""

from shapes import _scheduled
from shapes.loads import SPIKE


class SpikeShape(_scheduled.ScheduledShape):
    """Hold 100 users for a minute, spike to 10,000 for three, and watch the recovery at 100."""

    schedule = SPIKE
